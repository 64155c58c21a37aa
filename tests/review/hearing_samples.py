"""Debates for the tests of the page where a person takes part: a set, debaters at a pace that tests set, a page."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gadfly.debate import DebateJudge, Move, Protocol, Said, protocol
from gadfly.models import System, scripted
from gadfly.review._app import listen, server
from gadfly.review._hearing import Hall, Sitting, hearing_app, make_hearing_queue
from gadfly.review._security import Serving
from gadfly.review._store import Store

QUEUE = "harbour"
DOCUMENT = (
    "The harbour light was first lit in 1874. It burns colza oil, of which the keeper carries four litres up the stair "
    "each evening. In fog a bell is rung by hand, once every half minute."
)
TRUE_QUOTE, MADE_UP = "first lit in 1874", "built of red granite"
ROWS: tuple[dict[str, Any], ...] = (
    {
        "question": "When was the light first lit?",
        "answers": ["1874", "1901"],
        "correct": 0,
        "document": DOCUMENT,
    },
    {
        "question": "How is the bell rung in fog?",
        "answers": ["by hand", "by steam"],
        "correct": 0,
        "document": DOCUMENT,
    },
)


class Pace:
    """How many statements debaters may make: as many as they like, or only those that a test lets through."""

    def __init__(self, allowed: int | None = None) -> None:
        self._allowed = threading.Semaphore(allowed or 0)
        self._free = allowed is None
        self.waiting = threading.Semaphore(0)

    def allow(self, statements: int = 1) -> None:
        for _ in range(statements):
            self._allowed.release()

    def release_all(self) -> None:
        self._free = True
        self.allow(1_000)

    async def turn(self) -> None:
        self.waiting.release()
        if not self._free:
            await asyncio.to_thread(self._allowed.acquire)


@dataclass
class Debater:
    """Says a line, or what `says` makes of the move, when the pace lets it; counts how often it was asked."""

    says: str | Callable[[Move], str] = f"The log says it was <quote>{TRUE_QUOTE}</quote>."
    pace: Pace = field(default_factory=Pace)
    asked: list[str] = field(default_factory=list)

    @property
    def systems(self) -> Mapping[str, System]:
        return {}

    def spec(self) -> dict[str, Any]:
        return {"debater": "sample"}

    async def say(self, move: Move) -> Said:
        await self.pace.turn()
        self.asked.append(f"{move.seat} {move.step.does} {move.number}")
        return Said(self.says if isinstance(self.says, str) else self.says(move))


def numbered(move: Move) -> str:
    """Different for every move, so that a statement lost, doubled or in another place is seen."""
    return f"Statement {move.number} of {move.seat}."


def tolerant(name: str = "interactive_debate", *loses: str) -> Protocol:
    """A protocol whose debaters lose by these rules alone."""
    found = protocol(name)
    return found.changed(rules=replace_rules(found, loses))


def replace_rules(found: Protocol, loses: tuple[str, ...]) -> Any:
    return found.rules.model_copy(update={"loses": loses})


def model_judge(reply: str = "A") -> DebateJudge:
    return DebateJudge.of(System(scripted(reply, name="judge")))


def sitting(tmp_path: Path, debater: Debater | None = None, **changes: Any) -> Sitting:
    """An interactive debate before a person, or what `changes` say."""
    found = changes.pop("protocol", protocol("interactive_debate"))
    speaker = debater or Debater()
    made = Sitting(ROWS, found, dict.fromkeys(found.seats, speaker), output=tmp_path / "runs")
    return replace(made, **changes)


class Served:
    """A served page that can be stopped and started again on the same port."""

    def __init__(self, tmp_path: Path, make: Callable[[], Sitting], people: tuple[str, ...]) -> None:
        self.store = Store(f"sqlite:///{tmp_path / 'people.db'}")
        make_hearing_queue(self.store, QUEUE)
        self.links = {name: self.store.add_rater(QUEUE, name) for name in people}
        self.make, self.port = make, 0
        self.start()

    def start(self) -> None:
        serving = Serving(port=self.port)
        listener = listen(serving.host, self.port)
        self.port = listener.getsockname()[1]
        self.origin = serving.origin(self.port)
        self.hall = Hall(self.store, QUEUE, self.make(), serving)
        self.page = server(hearing_app(self.hall), serving)
        self.thread = threading.Thread(target=self.page.run, kwargs={"sockets": [listener]})
        self.thread.start()

    def stop(self) -> None:
        self.hall.cut()
        self.page.should_exit = True
        self.thread.join(20)

    def cut(self) -> None:
        """End every stream, as a network that fails does."""
        self.hall.cut()

    def close(self) -> None:
        self.stop()
        self.store.close()
