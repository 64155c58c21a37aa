"""A person in a chair of a debate: what they are asked for, what they have answered, and all that they may see.

A `Hearing` is one person's debates, one after the other. The game asks a chair and waits; the page shows what the
person is asked for and hands in what they answer. Everything here happens on one event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gadfly.debate import Debating, Loss, Move, Position, Protocol, Said, Statement, Weighed
from gadfly.errors import GadflyError
from gadfly.judges._base import Around
from gadfly.models import System
from gadfly.pages import line
from gadfly.review._hearing_journal import Journal
from gadfly.review._records import RefusedError
from gadfly.transcripts import Case, Judgement, Transcript

__all__ = ["Answered", "Attended", "Hearing", "OfPerson", "PersonDebater", "PersonJudge", "Told", "Wanted"]

_log = logging.getLogger(__name__)

Kind = Literal["begin", "ask", "lean", "verdict", "speak", "choose", "poll"]


@dataclass(frozen=True)
class Answered:
    """What a person gave: `text` of what they say, `p`, the probability of answer 0, where they weigh."""

    text: str = ""
    p: float | None = None
    confidence: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Wanted:
    """What a person is asked for. `key` names it within its case, the same after a restart."""

    kind: Kind
    key: str
    move: Move | None = None
    answer: asyncio.Future[Answered] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Hearing:
    """One person's debates. `seat` is theirs: the judge's, or a debater's.

    `entries` is what they may know of what was said in the case under way, in order. `transcript` is there once it is
    over, `trouble` when nothing goes on any more, `over` when all `count` cases were played, of which `done` came to an
    end.
    """

    def __init__(self, name: str, seat: str, count: int, journal: Journal) -> None:
        self.name, self.seat, self.count, self.journal = name, seat, count, journal
        self.case: Case | None = None
        self.position: Position | None = None
        self.entries: list[Statement | Loss] = []
        self.wanted: Wanted | None = None
        self.since = 0.0
        self.transcript: Transcript | None = None
        self.judgement: Judgement | None = None
        self.over, self.trouble = False, False
        self.news = asyncio.Event()

    def changed(self) -> None:
        """Wake everyone who waits for news."""
        self.news.set()
        self.news = asyncio.Event()

    def stop(self, error: Exception) -> None:
        """Nothing goes on any more: the page says that, and only the log says why."""
        if not self.trouble:
            bug = None if isinstance(error, GadflyError) else error
            told = line(self.name), line(str(error), 2_000)
            _log.error("the debates of %s stopped: %s", *told, exc_info=bug)
        self.trouble = True
        self.changed()

    async def wants(self, wanted: Wanted) -> Answered:
        """Ask the person, and wait for as long as it takes. When they were first asked is kept over a restart."""
        if (asked := self.journal.get("asked", wanted.key)) is None:
            self.journal.put("asked", wanted.key, at=round(time.time(), 2))
            asked = self.journal.get("asked", wanted.key)
        if given := self.journal.get("given", wanted.key):
            return Answered(**{name: given[name] for name in ("text", "p", "confidence", "seconds")})
        self.since = asked["at"] if asked else 0.0
        self.wanted = wanted
        self.changed()
        try:
            return await wanted.answer
        finally:
            if self.wanted is wanted:
                self.wanted = None
                self.changed()

    def asked(self, case: str, key: str) -> Wanted:
        """What the person is asked for. Raises `RefusedError` where that is something else (by now)."""
        wanted = self.wanted
        if wanted is None or (case, key) != (self.place, wanted.key) or key != self.panel:
            raise RefusedError(
                "That was answered before, or the debate has gone on: reload the page to see it."
            )
        return wanted

    async def give(self, wanted: Wanted, answered: Answered) -> None:
        """What the person answers; kept in the journal when this returns. Raises `StoreError` where it cannot be."""
        self.journal.put("given", wanted.key, **asdict(answered))
        wanted.answer.set_result(answered)
        self.changed()
        await asyncio.sleep(0)  # who waits for it writes it down first

    @property
    def done(self) -> int:
        """How many of their debates came to an end."""
        return sum(row["outcome"] == "completed" for row in self.journal.all("ended"))

    @property
    def fresh(self) -> bool:
        """Whether they have begun none."""
        return not self.journal.all("begun")

    @property
    def whose(self) -> str:
        """Whose debates these are, and on which set, as a hash that names neither; a page knows its own by it."""
        return hashlib.sha256(f"{self.name}\n{self.journal.path}".encode()).hexdigest()[:16]

    @property
    def place(self) -> str:
        """The number of the case on the page; empty before the first."""
        return "" if self.case is None else str(self.case.index)

    @property
    def panel(self) -> str:
        """What stands below what was said: the key of what the person is asked for, or why there is nothing."""
        if self.trouble or self.over:
            return "trouble" if self.trouble else "over"
        if self.wanted and not self.wanted.answer.done():
            return self.wanted.key
        return "wait" if self.transcript is None else "ended"

    @property
    def below(self) -> str:
        """`panel`, and whether the verdict on the debate that is over stands there."""
        return f"{self.panel}{'+' * (self.judgement is not None)}"

    @property
    def mark(self) -> str:
        """How much of it all a page has seen, once it shows this, and of whose."""
        return f"{self.whose}.{self.place}.{len(self.entries)}.{self.below}"

    def heard(self, position: Position, what: Statement | Loss) -> None:
        """Take note of what the game says was said."""
        self.position = position
        if isinstance(what, Loss) or any(one is what for one in position.heard(self.seat)):
            self.entries.insert(self._place(position, what), what)
            self.changed()

    def _place(self, position: Position, what: Statement | Loss) -> int:
        """Where it goes: of what is said at once, what is for answer A comes first, as it stands on the left."""
        at = len(self.entries)
        while at and not isinstance(what, Loss) and isinstance(before := self.entries[at - 1], Statement):
            sides = position.sides.get(before.seat), position.sides.get(what.seat)
            if before.step != what.step or sides != (1, 0):
                break
            at -= 1
        return at

    async def begins(self, case: Case, protocol: Protocol) -> None:
        """Wait until the person wants to hear this case: nothing is asked of a model for one who never comes, and how
        the debate on their page ended stays there, be this one begun.
        """
        if self.case is None:
            self.journal.take()
        self.journal.case = case.id
        key = f"begin-{case.index}"
        if self.journal.get("begun") is None:
            await self.wants(Wanted("begin", key))
            self.journal.put("begun")
        elif self.transcript is not None:
            given = (row for row in self.journal.all("given") if row["case"] == case.id)
            times = sum(row["seat"].startswith("begin-") for row in given)
            await self.wants(Wanted("begin", f"{key}-{times}"))
        self.case, self.position = case, Position.opening(protocol, case)
        self.entries, self.transcript, self.judgement = [], None, None
        self.changed()

    def judged(self, judgement: Judgement) -> None:
        """A judge has decided the case, once it was over."""
        if self.case is not None and judgement.case_id == self.case.id and self.transcript is not None:
            self.judgement = judgement
            self.changed()

    def ended(self, transcript: Transcript) -> None:
        """The case is over: it stays on the page until the person goes on."""
        self.transcript = transcript
        self.journal.put("ended", outcome=transcript.outcome)
        self.changed()


@dataclass(frozen=True)
class _Seated:
    """A person in a chair."""

    hearing: Hearing

    @property
    def systems(self) -> Mapping[str, System]:
        """None: nobody is called."""
        return {}

    def spec(self) -> dict[str, Any]:
        """Who it is."""
        return {"person": self.hearing.name}


_QUESTIONS: Mapping[str, Kind] = {"choose": "choose", "poll": "poll"}


@dataclass(frozen=True)
class PersonDebater(_Seated):
    """A person in a debater's chair."""

    async def say(self, move: Move) -> Said:
        """What they say; their side, as its number, where they choose one; 1 or 0 for whether they poll the judge."""
        kind: Kind = _QUESTIONS.get(move.step.does, "speak")
        given = await self.hearing.wants(Wanted(kind, f"say-{move.number}-{move.seed}", move))
        return Said(given.text, seconds=given.seconds)


@dataclass(frozen=True)
class PersonJudge(_Seated):
    """A person in the judge's chair: asks, leans and decides, and their verdict counts."""

    decides = True

    async def say(self, move: Move) -> Said:
        """The question they ask, empty where they have none, or their answer to a debater's."""
        kind: Kind = "ask" if move.step.does == "ask" else "speak"
        given = await self.hearing.wants(Wanted(kind, f"{kind}-{move.number}-{move.seed}", move))
        return Said(given.text, seconds=given.seconds)

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """How sure they are of answer 0: the verdict at the end, a lean before. Who polls them at once asks once."""
        final = self.hearing.case is not None and seed == self.hearing.case.seed
        key = "verdict" if final else f"lean-{len(position.said)}"
        wanted = self.hearing.wanted
        if wanted is not None and wanted.key == key:
            given = await asyncio.shield(wanted.answer)
        else:
            given = await self.hearing.wants(Wanted("verdict" if final else "lean", key))
        return Weighed(given.p, confidence=given.confidence, seconds=given.seconds)


@dataclass(frozen=True)
class Told(Around):
    """A judge whose verdicts a person hears of."""

    hearing: Hearing

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """What the judge makes of them. What it raises ends the run only once the person has ended the next debate too,
        so they are told at once.
        """
        try:
            found = await self.inner.judge(transcripts)
        except Exception as error:
            self.hearing.stop(error)
            raise
        for one in found:
            self.hearing.judged(one)
        return found


class OfPerson(System):
    """A model in a run with a person, of which no seed makes the same again."""

    @classmethod
    def of(cls, one: System) -> OfPerson:
        """That model."""
        return cls(one.model, one.system_prompt, one.sampling, one.retry)

    @property
    def reproducible(self) -> bool:
        """Never, so that cases are not played in blocks either, many at once."""
        return False


@dataclass(frozen=True)
class Attended:
    """A debate as its run sees it: begun when the person is there."""

    game: Debating
    hearing: Hearing

    @property
    def name(self) -> str:
        """The game's."""
        return self.game.name

    @property
    def players(self) -> Mapping[str, System]:
        """The game's models."""
        return {role: OfPerson.of(one) for role, one in self.game.players.items()}

    def spec(self) -> dict[str, Any]:
        """The game's, which names the person."""
        return self.game.spec()

    async def play(self, case: Case) -> Transcript:
        """One case, from when the person begins it."""
        await self.hearing.begins(case, self.game.protocol)
        transcript = await self.game.play(case)
        self.hearing.ended(transcript)
        return transcript
