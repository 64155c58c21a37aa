"""A mean of independent values that are no rate, such as one figure for each seed, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.errors import InputError
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import check_level

__all__ = ["bounded_mean", "mean"]


def mean(values: Sequence[float] | NDArray[np.float64], *, level: float = 0.95) -> Estimate:
    """The mean with Student's t-interval. Of differences between two things tried on the same seeds it is the paired
    t-test: the interval leaves out 0 where p < 1 - level.

    Values that are all alike have an interval of no width: there was no chance in them. Raises `InputError` for fewer
    than two, from which nothing is known about their spread.
    """
    check_level(level)
    values_N = np.asarray(values, dtype=np.float64)
    n = len(values_N)
    if n < 2 or not np.isfinite(values_N).all():
        raise InputError(f"A mean with an interval takes two finite values or more; got {n}.")
    point = float(values_N.mean())
    half = float(special.stdtrit(n - 1, (1 + level) / 2) * values_N.std(ddof=1) / math.sqrt(n))
    return Estimate(point, point - half, point + half, n, n, level=level)


def bounded_mean(
    values: Sequence[float] | NDArray[np.float64], least: float, most: float, *, level: float = 0.95
) -> Estimate:
    """The mean of values that can be nowhere but in [least, most], of which rare ones may not have been seen.

    Student's interval knows only of the spread it has seen: of values that are nearly always alike it is far too
    narrow. Here one value more is taken to have been at either end, and the interval reaches from the low end of the
    one to the high end of the other, within [least, most]: 95 to 100 % coverage where Student's has 30 to 90 %
    (docs/log.md), and much the same as Student's among many. No values give the whole range and no point. Raises
    `InputError` for a value outside of it.
    """
    values_N = np.asarray(values, dtype=np.float64)
    n = len(values_N)
    check_level(level)
    if not n:
        return Estimate(None, least, most, 0, 0, level=level)
    if not ((least <= values_N) & (values_N <= most)).all():
        raise InputError(f"Values in [{least:g}, {most:g}] were said to be there; got {values_N.tolist()}.")
    low = mean([*values_N, least], level=level).low
    high = mean([*values_N, most], level=level).high
    return Estimate(float(values_N.mean()), max(low, least), min(high, most), n, n, level=level)
