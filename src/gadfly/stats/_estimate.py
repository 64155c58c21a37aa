"""An estimate: a rate or a difference that never travels without its interval."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point with its interval.

    `n` counts the observations that entered, `clusters` the independent ones among them (for a difference
    between two runs, of both together), `missing` those that were left out because nobody could tell (never
    averaged in). `correction` says in words what the estimate has been corrected for, empty for nothing.
    With n = 0 the point is None and the interval is everything possible: [0, 1] for a rate, [-1, 1] for a
    difference.
    """

    point: float | None
    low: float
    high: float
    n: int
    clusters: int
    missing: int = 0
    level: float = 0.95
    correction: str = ""

    def __str__(self) -> str:
        if self.point is None:
            return f"no data (n = 0, {self.missing} missing)"
        return f"{self.point:.1%} [{self.low:.1%}, {self.high:.1%}], n = {self.n}"
