"""Debates before judges of known leanings, without any model: what the comparison has to find is known.

Two answers to each question, number 1 of which is right for every third; the document says which.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gadfly.debate import (
    Chair,
    Debating,
    Decided,
    Move,
    Said,
    ScriptedJudge,
    Skilled,
    Weighed,
    cases,
    protocol,
)
from gadfly.debate._position import Position
from gadfly.debate._verdict import settled, verdict_of
from gadfly.runs import Run, Settings, run
from gadfly.transcripts import Judgement, Transcript, Usage


def questions(n: int, what: str = "mill") -> list[dict[str, Any]]:
    """A set."""
    return [
        {
            "question": f"When was the {what} of Ervik, number {of}, built?",
            "answers": [f"In 18{of % 90 + 10}", f"In 17{of % 90 + 10}"],
            "correct": int(of % 3 == 0),
            "title": "Mills",
            "document": f"The mill of Ervik was built in 1{7 if of % 3 == 0 else 8}{of % 90 + 10}. It burnt down once.",
        }
        for of in range(n)
    ]


@dataclass(frozen=True)
class Leaning:
    """A judge with log-odds of its own for each case: `knows` towards what is right, `noise` of chance that a case's
    two orders of listing share, `bias` towards what is listed first, and `sway` for whoever argues alone.
    """

    knows: float = 0.0
    noise: float = 1.0
    bias: float = 0.0
    sway: float = 0.0
    orders: int = 2
    name: str = "judge"
    threshold: float = 0.5

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """Each transcript's verdict."""
        return [settled(one, self.name) or await self._verdict(one) for one in transcripts]

    async def _verdict(self, transcript: Transcript) -> Judgement:
        position = Position.of(transcript)
        believes = (await ScriptedJudge(truth=self.knows).weigh(position, 0)).p or 0.5
        odds = math.log(believes / (1 - believes)) + random.Random(transcript.case.seed).gauss(0, self.noise)
        argued = {side for side in position.sides.values() if side is not None}
        if len(argued) == 1:
            odds += self.sway * (1 if argued == {0} else -1)
        both = tuple(1 / (1 + math.exp(-odds - sign * self.bias)) for sign in (1, -1))[: self.orders]
        p = 1 / (1 + math.exp(-odds)) if self.orders == 2 else both[0]
        return verdict_of(transcript, self.name, Weighed(p, orders=both, usage=Usage(90, 2)))


@dataclass(frozen=True)
class Naming(Leaning):
    """The same without probabilities: it names an answer each way round. A call costs a tenth of a cent."""

    async def _verdict(self, transcript: Transcript) -> Judgement:
        leant = await super()._verdict(transcript)
        orders = tuple(float(p > 0.5) for p in leant.metadata["orders"])
        p = min(max(sum(orders) / len(orders), 1e-5), 1 - 1e-5)
        spent = Usage(90, 2, 0.001 * len(orders))
        return verdict_of(transcript, self.name, Weighed(p, orders=orders, usage=spent, probabilities=False))


@dataclass(frozen=True)
class Person:
    """Decides in the game itself, as a person on the page does: `knows` towards what is right, `bias` towards what is
    listed first, in log-odds, and chance.
    """

    name: str
    knows: float = 0.0
    bias: float = 0.0

    decides = True

    @property
    def systems(self) -> Mapping[str, Any]:
        """None: nothing is called."""
        return {}

    def spec(self) -> dict[str, Any]:
        """Who it is."""
        return {"person": self.name}

    async def say(self, move: Move) -> Said:
        """No question, in no time."""
        return Said("", seconds=0.0)

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """How sure it is, after ten seconds."""
        odds = self.bias + random.Random(f"{self.name}{seed}").gauss(0, 1)
        odds += self.knows if position.dispute.correct == 0 else -self.knows
        return Weighed(1 / (1 + math.exp(-odds)), confidence=0.5, seconds=10.0)


@dataclass(frozen=True)
class Honest:
    """Argues better for what is true, by `edge` in log-odds, and quotes the document for it; for what is false it makes
    a quotation up every `lies`-th time.
    """

    edge: float = 0.0
    lies: int = 0

    @property
    def systems(self) -> Mapping[str, Any]:
        """None: nothing is called."""
        return {}

    def spec(self) -> dict[str, Any]:
        """Its two numbers."""
        return {"honest": self.edge, "lies": self.lies}

    async def say(self, move: Move) -> Said:
        """One statement."""
        dispute = move.position.dispute
        true = move.position.sides.get(move.seat) == dispute.correct
        if not true and self.lies and move.seed % self.lies == 0:
            return Said(f"The page says <quote>it was {move.mine}, as all agree</quote>.", Usage(40, 12))
        quotes = dispute.document and (true or move.step.does == "quote")
        words = dispute.document.text.split(".")[0] if quotes else ""
        shown = f"The page says <quote>{words}</quote>. " if words else "Everybody there knows it. "
        return Said(
            f"{shown}It was {move.mine}, with persuasion {self.edge if true else 0:+.3f}.", Usage(40, 18)
        )


def played(
    directory: Path,
    name: str = "debate",
    judge: Leaning | None = None,
    chair: Chair | None = None,
    n: int = 60,
    seed: int = 0,
    what: str = "mill",
) -> Run:
    """A run of a protocol over a set of n questions."""
    found = protocol(name)
    game = Debating(found, dict.fromkeys(found.own, chair or Skilled(0.0)), ScriptedJudge())
    settings = Settings(directory=directory, progress=False)
    return asyncio.run(
        run(game, cases(questions(n, what), found), [judge or Leaning()], seed=seed, settings=settings)
    )


def judged_by(
    directory: Path, person: Person, name: str = "debate", chair: Chair | None = None, n: int = 40
) -> Run:
    """A person's run: each of n questions once, its order drawn for them."""
    found, drawn = protocol(name), random.Random(person.name)
    game = Debating(found, dict.fromkeys(found.own, chair or Skilled(0.0)), person)
    both = cases(questions(n), found)
    met = [both[2 * of + drawn.randrange(2)] for of in range(n)]
    settings = Settings(directory=directory, progress=False)
    return asyncio.run(run(game, met, [Decided()], settings=settings))
