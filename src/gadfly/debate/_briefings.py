"""What everybody is told in a debate by a protocol, move by move: to read before one is paid for."""

from __future__ import annotations

from dataclasses import dataclass, field

from gadfly.debate._chairs import Player, Said, Skilled, Weighed
from gadfly.debate._debating import Debating
from gadfly.debate._position import Move, Position
from gadfly.debate._prompts import choice_messages, judge_messages, poll_messages, question_messages
from gadfly.debate._protocol import Protocol
from gadfly.debate._sets import SAMPLE, cases, read_set
from gadfly.debate._verdict import ScriptedJudge
from gadfly.transcripts import Case

__all__ = ["Briefing", "briefings"]


@dataclass(frozen=True, slots=True)
class Briefing:
    """What one seat is told before it does something: (role, text) messages as a model is sent them."""

    who: str
    does: str
    messages: tuple[tuple[str, str], ...]


async def briefings(protocol: Protocol) -> list[Briefing]:
    """What is told to whom, in order, in a debate by this protocol on a question that ships. No model is asked: what
    players say is their seat's name, what they choose or quote is made up. The judge's verdict comes last.
    """
    told: list[Briefing] = []
    reader = _Reader(0.0, told=told)
    game = Debating(protocol, dict.fromkeys(protocol.own, reader), _JudgeReader(told=told))
    [case, *_] = cases(read_set(SAMPLE), protocol)
    played = await game.play(Case("sample", 0, 0, case))
    return [*told, Briefing("Judge", "decide", tuple(judge_messages(Position.of(played))))]


@dataclass(frozen=True)
class _Reader(Skilled):
    """A player that notes what it is told."""

    told: list[Briefing] = field(default_factory=list)

    async def say(self, move: Move) -> Said:
        """Its seat's name."""
        of = {"choose": choice_messages, "poll": poll_messages}.get(move.step.does)
        messages = of(move, False) if of else Player.asked(move)
        title = move.position.protocol.title(move.seat)
        self.told.append(Briefing(title, move.step.does, tuple(messages)))
        if move.step.does in ("choose", "poll", "quote"):
            return await super().say(move)
        return Said("60 %." if move.step.does == "estimate" else f"(What the {title.lower()} says.)")


@dataclass(frozen=True)
class _JudgeReader(ScriptedJudge):
    """A judge that notes what it is told."""

    told: list[Briefing] = field(default_factory=list)

    async def say(self, move: Move) -> Said:
        """A question, or an answer."""
        self.told.append(Briefing("Judge", move.step.does, tuple(question_messages(move))))
        return Said("(What the judge says.)")

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """Even odds."""
        self.told.append(Briefing("Judge", "lean", tuple(judge_messages(position))))
        return Weighed(0.5, orders=(0.5,))
