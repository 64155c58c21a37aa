"""Rows, players and judges for debates that need no model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from gadfly.debate import Debating, Move, Player, Protocol, Said, ScriptedJudge, Skilled, cases, protocol
from gadfly.models import System, scripted
from gadfly.runs import Cases
from gadfly.transcripts import Transcript

DOCUMENT = (
    "The marsh pipit lives on beetles. When the cold comes the bird turns to seeds, picked from the snow."
)
ROW = {
    "question": "What does a marsh pipit eat in winter?",
    "answers": ["seeds", "snails"],
    "correct": 0,
    "document": DOCUMENT,
    "title": "Marsh pipit",
}


class Voice:
    """A chair that says what a function makes of the move."""

    systems: Mapping[str, System] = {}

    def __init__(self, says: Callable[[Move], str] | str) -> None:
        self.says = says if callable(says) else lambda _: says
        self.moves: list[Move] = []

    def spec(self) -> dict[str, Any]:
        return {"voice": "test"}

    async def say(self, move: Move) -> Said:
        self.moves.append(move)
        return Said(self.says(move))


def seated(found: Protocol, **chairs: Any) -> Debating:
    """The game with these chairs, and a debater of skill 0 in every other seat."""
    judge = chairs.pop("judge", ScriptedJudge())
    return Debating(found, {name: chairs.get(name, Skilled(0.0)) for name in found.own}, judge)


def played(game: Debating, row: Mapping[str, Any] = ROW, turn: int = 0) -> Transcript:
    """One of a question's two cases."""
    case = Cases.of(game, cases([row], game.protocol), 0).case(turn)
    return asyncio.run(game.play(case))


def debate(**chairs: Any) -> Transcript:
    """A whole debate of one question."""
    return played(seated(protocol("debate"), **chairs))


def player(script: Any) -> Player:
    """A player on a scripted model."""
    return Player.of(System(scripted(script)))
