"""Small players for the runners: a game of one question, judges that are right, slow, or broken."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forked import Forked
from gadfly.errors import CallError
from gadfly.models import System, scripted
from gadfly.runs import Run, Settings, run
from gadfly.transcripts import Case, Judgement, Transcript, Turn, Usage


def asked(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
    return f"{messages[-1][1]} {seed}"


@dataclass(frozen=True)
class Asking:
    """Asks its target for the case's number; `before(case)` runs first and may raise."""

    target: System = field(default_factory=lambda: System(scripted(asked)))
    before: Callable[[Case], Any] = lambda case: None
    pause: float = 0.0
    name: str = "asking"

    @property
    def players(self) -> Mapping[str, System]:
        return {"target": self.target}

    def spec(self) -> dict[str, Any]:
        return {"game": "asking", "target": self.target.fingerprint()}

    async def play(self, case: Case) -> Transcript:
        self.before(case)
        if self.pause:
            await asyncio.sleep(self.pause * (case.seed % 3))
        question = str(case.data.get("question", f"number {case.index}"))
        reply = await self.target.reply([("user", question)], seed=case.seed)
        turns = (Turn("attacker", question), Turn("target", reply.text, reply.stop))
        return Transcript(case, turns, usage={"target": reply.usage + Usage(cost=0.001)})


@dataclass
class Even:
    """Flags even seeds; cannot tell about every fifth case."""

    name: str = "even"
    threshold: float = 0.5
    pause: float = 0.0
    seen: list[str] = field(default_factory=list)

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        await asyncio.sleep(self.pause)
        self.seen += [transcript.case.id for transcript in transcripts]
        return [self._one(transcript) for transcript in transcripts]

    def _one(self, transcript: Transcript) -> Judgement:
        if transcript.outcome != "completed":
            return Judgement.missing(transcript.case.id, self.name, "not_valid")
        if transcript.case.index % 5 == 0:
            return Judgement.missing(transcript.case.id, self.name, "no_parse")
        reply = transcript.said_by("target")[-1].text
        return Judgement(transcript.case.id, self.name, 1.0 - transcript.case.seed % 2, evidence=(reply,))


class Rounds:
    """An engine's `rounds()`, counting how often it was entered."""

    entered = 0

    def __enter__(self) -> None:
        Rounds.entered += 1

    def __exit__(self, *exc: object) -> None: ...


@dataclass(frozen=True)
class LocalAsking(Asking):
    """Looks as if its target ran on weights we hold, and answers by its whole block, as those do."""

    def __post_init__(self) -> None:
        engine = type("Engine", (), {"rounds": lambda self: Rounds()})()
        self.target.model.api.engine = lambda: engine  # type: ignore[attr-defined]


class Broken(Even):
    """Has a bug: it loses one of its judgements."""

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        return (await super().judge(transcripts))[1:]


def failing(cause: str, when: Callable[[int], bool], *, fatal: bool = False) -> Callable[[Case], None]:
    """A `before` that fails the cases whose index `when` accepts."""

    def before(case: Case) -> None:
        if when(case.index):
            raise CallError(f"The call failed: {cause}.", cause, fatal=fatal)

    return before


async def play(
    directory: Path, cases: int | Sequence[Mapping[str, Any]] = 50, judges: Sequence[Any] = (), **options: Any
) -> Run:
    """A quiet run in `directory`; of `Asking()` unless `game=` says otherwise."""
    game = options.pop("game", None) or Asking()
    seed = options.pop("seed", 0)
    return await run(game, cases, judges, seed=seed, settings=Settings(directory, progress=False, **options))


def rows(run: Run) -> tuple[list[Transcript], list[Judgement]]:
    """All there is, in an order that does not depend on when it was written."""
    return (
        sorted(run.transcripts(), key=lambda t: t.case.index),
        sorted(run.judgements(), key=lambda j: (j.case_id, j.judge)),
    )


def script(code: str, *arguments: object) -> Forked:
    """A Python process that sees `arguments` as `sys.argv[1:]`."""
    return Forked(textwrap.dedent(code), *arguments)
