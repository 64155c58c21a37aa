"""`funnel`: a cheap judge that misses little, then a slower one that is right more often, on what the first
lets through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gadfly.judges._base import Judge, check_threshold
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Funnel", "funnel", "passed_on"]


@dataclass(frozen=True)
class Funnel:
    """See `funnel`. `gate` is where a first score passes on; `threshold`, the second judge's, decides."""

    first: Judge
    then: Judge
    gate: float
    name: str
    threshold: float

    def __post_init__(self) -> None:
        check_threshold(self.gate)
        check_threshold(self.threshold)

    @property
    def players(self) -> Mapping[str, Any]:
        """The models at work in either judge."""
        return {**getattr(self.first, "players", {}), **getattr(self.then, "players", {})}

    def spec(self) -> dict[str, Any]:
        """What decides a score, as JSON: both judges and the gate between them."""
        stages = (("first", self.first), ("then", self.then))
        both: dict[str, Any] = {stage: getattr(judge, "spec", dict)() for stage, judge in stages}
        return {**both, "gate": self.gate}

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        first = await self.first.judge(transcripts)
        passed = [i for i, j in enumerate(first) if j.score is None or j.score >= self.gate]
        second = dict(zip(passed, await self.then.judge([transcripts[i] for i in passed]), strict=True))
        return [self._merged(judgement, second.get(i)) for i, judgement in enumerate(first)]

    def _merged(self, first: Judgement, second: Judgement | None) -> Judgement:
        notes: dict[str, Any] = {"stage": 1 if second is None else 2, "first": first.score}
        if first.cause:
            notes["first_cause"] = first.cause
        if second is None:
            return replace(first, judge=self.name, score=0.0, metadata={**first.metadata, **notes})
        evidence = second.evidence or first.evidence
        metadata = {**first.metadata, **second.metadata, **notes}
        return replace(second, judge=self.name, evidence=evidence, metadata=metadata)


def funnel(first: Judge, then: Judge, gate: float) -> Funnel:
    """Only what `first` scores at `gate` or above, or cannot tell, goes on to `then`, whose score is the
    answer.

    What does not go on scores 0. Every judgement's metadata keeps the `first` score and the `stage` (1 or 2)
    that decided; `passed_on` reads it. `gate` is meant to be low: what the first judge misses is
    lost.
    """
    return Funnel(first, then, gate, f"{first.name}>{then.name}", then.threshold)


def passed_on(judgement: Judgement) -> bool | None:
    """Whether a case went on to a funnel's slower judge; None for a case that nobody could have judged, and for a
    judgement that no funnel made.
    """
    stage = judgement.metadata.get("stage")
    return None if stage is None or judgement.cause in ("not_valid", "no_reply") else stage == 2
