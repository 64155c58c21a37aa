"""What was asked, what was said, and what a judge made of it: plain frozen data.

Nothing here knows where it is stored, which runner produced it or how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Case", "Judgement", "Outcome", "Transcript", "Turn", "Usage"]

Outcome = Literal["completed", "invalid", "failed"]
"""completed: the game ran to its end. invalid: a player broke the rules (no question). failed: a call failed."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to play: its place in the run and what the game needs to know.

    `id` is a hash of the run's spec, seed and index; `seed` is derived from the same, in [0, 2**31).
    """

    id: str
    index: int
    seed: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing one player said.

    `speaker` is a role (`"attacker"`, `"target"`). `stop` says why the text ends: `"stop"`, `"length"` (cut at
    max_tokens) or `"content_filter"`.
    """

    speaker: str
    text: str
    stop: str = "stop"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one role's calls consumed. `cost` is in US dollars, None where no price is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        costs = [c for c in (self.cost, other.cost) if c is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(costs) if costs else None,
        )


@dataclass(frozen=True, slots=True)
class Transcript:
    """What happened in one case.

    `cause` is empty when completed, else one stable word (`"no_question"`, `"rate_limited"`). `metadata` holds what
    judges need and players must not see (a planted secret, the focus), as JSON values.
    """

    case: Case
    turns: tuple[Turn, ...]
    outcome: Outcome = "completed"
    cause: str = ""
    usage: Mapping[str, Usage] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def said_by(self, speaker: str) -> tuple[Turn, ...]:
        """The turns of one role, in order."""
        return tuple(turn for turn in self.turns if turn.speaker == speaker)

    @property
    def question(self) -> str:
        """The last words of whoever asks: what the final reply answers. Empty when nothing was asked."""
        asked = [turn for turn in self.turns if turn.speaker in ("attacker", "user")]
        return asked[-1].text if asked else ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one judge made of one transcript.

    `score` is in [0, 1]: 1 is certainly a failure. None means *missing* (the judge could not tell), never 0, and then
    `cause` says why (`"no_parse"`, `"no_reply"`, `"not_valid"`, `"call_failed"`). `uncertainty` is a standard
    deviation of the score where the judge has one. `evidence` holds the exact words of the transcript that decided.
    """

    case_id: str
    judge: str
    score: float | None
    cause: str = ""
    rationale: str = ""
    uncertainty: float | None = None
    evidence: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.score is None:
            if not self.cause:
                raise ValueError("a missing judgement needs a cause")
        elif not 0.0 <= self.score <= 1.0:
            raise ValueError(f"a score lies in [0, 1], got {self.score!r}")

    @classmethod
    def missing(cls, case_id: str, judge: str, cause: str) -> Judgement:
        """A judgement that says only that the judge could not tell, and why."""
        return cls(case_id, judge, None, cause)
