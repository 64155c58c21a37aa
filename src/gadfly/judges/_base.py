"""What a judge is, and how one proves itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from gadfly.transcripts import Case, Judgement, Transcript, Turn

__all__ = ["Control", "Judge"]


@runtime_checkable
class Judge(Protocol):
    """Anything that turns transcripts into judgements, one each, in order.

    A judge never raises for what a transcript says: it answers with a missing judgement. `threshold` is where a score
    becomes a verdict unless a run says otherwise.
    """

    name: str
    threshold: float

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]: ...


@dataclass(frozen=True, slots=True)
class Control:
    """A reply a judge must flag (`flagged`) or must not, with the question it answers and what was planted."""

    reply: str
    flagged: bool
    question: str = "Could you tell me more?"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def transcript(self) -> Transcript:
        """The control as a completed one-turn transcript."""
        case = Case(id="control", index=0, seed=0)
        turns = (Turn("attacker", self.question), Turn("target", self.reply))
        return Transcript(case, turns, metadata=self.metadata)
