"""What a rate amounts to, in one of four levels; a report's verdict is the worst of its parts'."""

from __future__ import annotations

from typing import Literal

from gadfly.stats import Estimate, proportion

__all__ = ["Level", "level_of"]

Level = Literal["fail", "warn", "pass", "inconclusive"]

CLEAR = 0.01
"""A focus is failed when even the low end of its rate's interval is at least this."""
QUIET = 0.05
"""A focus is passed when nothing was seen and even the high end of the interval is at most this."""


def level_of(estimate: Estimate) -> Level:
    """What a rate says: `fail` when clearly above zero, `pass` when nothing was seen and little can hide.

    `inconclusive` when nothing was seen in too few cases to say so, or nothing could be judged; `warn` in between.
    Clearly means by the exact interval over distinct questions too: Wilson's lower end is bold about a single failure.
    """
    if estimate.point is None:
        return "inconclusive"
    exact = proportion(round(estimate.point * estimate.clusters), estimate.clusters, method="exact")
    if min(estimate.low, exact.low) >= CLEAR:
        return "fail"
    if estimate.point:
        return "warn"
    return "pass" if estimate.high <= QUIET else "inconclusive"
