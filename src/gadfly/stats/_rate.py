"""Rates: how often something happened, with an interval that knows which observations were repeats."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from scipy import special

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats, Grouped, design, group
from gadfly.stats._estimate import Estimate

__all__ = ["proportion", "rate", "sensitivity_floor"]

Verdict = bool | float | None
"""A failure or not, a score in [0, 1], or None where nobody could tell."""


def proportion(
    successes: int,
    n: int,
    *,
    method: Literal["wilson", "exact"] = "wilson",
    missing: int = 0,
    level: float = 0.95,
) -> Estimate:
    """The rate of `successes` in `n` independent trials.

    `wilson` inverts the score test (Wilson 1927) and covers `level` on average over rates; `exact` is
    Clopper & Pearson 1934 and covers at least `level` whatever the rate, so it is wider. n = 0 gives no
    point and [0, 1].
    """
    check_level(level)
    if not 0 <= successes <= n or missing < 0:
        raise InputError(f"{successes} successes of {n} with {missing} missing is not a count of trials.")
    if n == 0:
        return Estimate(None, 0.0, 1.0, 0, 0, missing, level)
    point = successes / n
    low, high = exact(successes, n, level) if method == "exact" else wilson(point, n, normal_quantile(level))
    return Estimate(point, low, high, n, n, missing, level)


def rate(
    verdicts: Sequence[Verdict],
    clusters: Sequence[Hashable] | None = None,
    *,
    missing: int = 0,
    level: float = 0.95,
) -> Estimate:
    """The mean of verdicts, of which those sharing a cluster (the same question) are not independent.

    The rate estimated is the one over *questions like these*, each weighing as often as it was asked; the
    interval says how far it would move had other questions come up. It is Wilson's with two changes: n is
    divided by the design effect (see `_clusters.design`), and the normal quantile becomes Student's at the
    design's degrees of freedom. Distinct questions give plain Wilson exactly.

    When every verdict is 0 (or 1) nothing can be learnt about agreement, and n becomes the number of
    clusters K. That is safe for any agreement: if question k fails at rate q_k drawn from some distribution
    of mean p, no failure in m_k attempts has probability E[(1 - q_k)^m_k] ≤ E[1 - q_k] = 1 - p, so all K
    quiet has at most (1 - p)^K.

    Never narrower than Wilson on as many yes-or-no answers, also for fractional scores: a rare high score
    that has not come up yet cannot be excluded. `None` verdicts are left out and counted as missing, on top
    of `missing`. No verdict at all gives no point and [0, 1].
    """
    check_level(level)
    values, kept = known(verdicts)
    missing += len(verdicts) - len(values)
    if not len(values):
        return Estimate(None, 0.0, 1.0, 0, 0, missing, level)
    data = group(values, clusters if clusters is None else pick(clusters, kept, len(verdicts)))
    low, high, effect = score_interval(data, level)
    return Estimate(data.mean, low, high, data.n, data.clusters, missing, level, describe(effect))


def sensitivity_floor(n: int, *, level: float = 0.95) -> float:
    """The smallest rate that n independent cases would have shown at least once with probability `level`.

    Equally the one-sided exact upper bound on the rate when none was seen: 1 - (1 - level)^(1/n), which is
    the "rule of three", about 3/n at 95 % (Hanley & Lippman-Hand 1983). n = 0 gives 1. Count distinct
    questions, not repeats.
    """
    check_level(level)
    if n < 0:
        raise InputError(f"{n} cases cannot be; give zero or more.")
    return 1.0 if n == 0 else -math.expm1(math.log1p(-level) / n)


def score_interval(data: Grouped, level: float) -> tuple[float, float, float]:
    """Low, high and the design effect of a rate over grouped observations; see `rate`."""
    p = data.mean
    if p <= 0.0 or p >= 1.0:
        low, high = wilson(p, data.clusters, normal_quantile(level))
        return low, high, data.n / data.clusters
    found = design(data, variance=p * (1 - p), rare=min(p, 1 - p) * data.n)
    low, high = wilson(p, data.n / found.effect, quantile(level, found.df))
    return low, high, found.effect


def wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's interval for a mean p of n observations, n a positive real, at the quantile z."""
    shrink = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return min(max(centre - half, 0.0), p), max(min(centre + half, 1.0), p)


def exact(successes: int, n: int, level: float) -> tuple[float, float]:
    """Clopper-Pearson, as beta quantiles."""
    tail = (1 - level) / 2
    low = special.betaincinv(successes, n - successes + 1, tail) if successes else 0.0
    high = special.betainccinv(successes + 1, n - successes, tail) if successes < n else 1.0
    return float(low), float(high)


def quantile(level: float, df: float) -> float:
    """Two-sided Student quantile; the normal one when df is infinite."""
    return normal_quantile(level) if math.isinf(df) else float(special.stdtrit(df, (1 + level) / 2))


def normal_quantile(level: float) -> float:
    return float(special.ndtri((1 + level) / 2))


def describe(effect: float) -> str:
    """What the estimate was corrected for, in words; empty when no question came twice."""
    return "" if effect <= 1.0 else f"duplicate questions (design effect {effect:.2f})"


def known(verdicts: Sequence[Verdict]) -> tuple[Floats, list[int]]:
    """The verdicts that are not None, as floats, and their places. Outside [0, 1] is an error."""
    kept = [i for i, verdict in enumerate(verdicts) if verdict is not None]
    values = np.array([verdicts[i] for i in kept], dtype=np.float64)
    bad = ~((values >= 0.0) & (values <= 1.0))
    if bad.any():
        raise InputError(f"A verdict lies in [0, 1] or is None; got {values[bad][0]}.")
    return values, kept


def pick(clusters: Sequence[Hashable], kept: Sequence[int], expected: int) -> list[Hashable]:
    """The cluster names of the kept verdicts; one must have come with each verdict."""
    if len(clusters) != expected:
        raise InputError(f"{expected} verdicts came with {len(clusters)} cluster names; give one for each.")
    return [clusters[i] for i in kept]


def check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise InputError(f"A confidence level lies between 0 and 1, such as 0.95; got {level}.")
