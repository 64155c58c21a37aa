"""Differences between two runs, with an interval: the same cases in both, or different ones."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from gadfly.errors import InputError
from gadfly.stats._clusters import Grouped, design, group
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import Verdict, check_level, describe, known, normal_quantile, pick, quantile, rate

__all__ = ["difference", "paired_difference"]


def difference(
    a: Sequence[Verdict],
    b: Sequence[Verdict],
    a_clusters: Sequence[Hashable] | None = None,
    b_clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """Rate of `a` minus rate of `b`, two runs that share no cases.

    Each run's interval comes from `rate`, and the two are joined by Newcombe's hybrid score rule
    (Statistics in Medicine 1998, 17:873, method 10): low = d - √((p_a - l_a)² + (u_b - p_b)²), high
    likewise. If the runs do share questions their rates move together and this is too wide: use
    `paired_difference`. When either run has no verdict, there is no point and the interval is [-1, 1].
    """
    one, two = rate(a, a_clusters, level=level), rate(b, b_clusters, level=level)
    n, clusters, missing = one.n + two.n, one.clusters + two.clusters, one.missing + two.missing
    if one.point is None or two.point is None:
        return Estimate(None, -1.0, 1.0, 0, 0, missing, level)
    d = one.point - two.point
    low = d - math.hypot(one.point - one.low, two.high - two.point)
    high = d + math.hypot(one.high - one.point, two.point - two.low)
    correction = "duplicate questions" if one.correction or two.correction else ""
    return Estimate(d, max(low, -1.0), min(high, 1.0), n, clusters, missing, level, correction)


def paired_difference(
    a: Sequence[Verdict],
    b: Sequence[Verdict],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """Rate of `a` minus rate of `b` over the same cases, in the same order.

    Tango's score interval (Statistics in Medicine 1998, 17:891) on the discordant mass, with n divided by
    the design effect of the per-case difference and Student's quantile, as in `rate`. Scores count by their
    parts: a case that scores 0.9 then 0.2 is 0.7 of a discordant one. With no discordant case at all n
    becomes the number of clusters, and the interval is ± z²/(K + z²), not nothing. A pair with either
    verdict None is left out and counted as missing.
    """
    check_level(level)
    if len(a) != len(b):
        raise InputError(f"The same cases must come in both runs; got {len(a)} and {len(b)} verdicts.")
    both = [i for i in range(len(a)) if a[i] is not None and b[i] is not None]
    missing = len(a) - len(both)
    if not both:
        return Estimate(None, -1.0, 1.0, 0, 0, missing, level)
    first, second = known([a[i] for i in both])[0], known([b[i] for i in both])[0]
    data = group(first - second, clusters if clusters is None else pick(clusters, both, len(a)))
    low, high, effect = _paired_interval(data, level)
    return Estimate(data.mean, low, high, data.n, data.clusters, missing, level, describe(effect))


def _paired_interval(data: Grouped, level: float) -> tuple[float, float, float]:
    """Low, high and the design effect of a mean of differences in [-1, 1]."""
    d = data.mean
    discordant = float(np.abs(data.values).mean())
    variance = discordant - d * d
    if variance <= 0.0:
        n, z, effect = float(data.clusters), normal_quantile(level), data.n / data.clusters
    else:
        found = design(data, variance, rare=discordant * data.n)
        n, z, effect = data.n / found.effect, quantile(level, found.df), found.effect
    low, high = tango(d, discordant, n, z)
    return low, high, effect


def tango(d: float, discordant: float, n: float, z: float) -> tuple[float, float]:
    """Tango's interval for a mean difference d, where the share `discordant` of n pairs differ, at the quantile z."""
    up, down = (discordant + d) / 2, (discordant - d) / 2
    return min(-_tango_high(down, up, n, z), d), max(_tango_high(up, down, n, z), d)


def _tango_high(up: float, down: float, n: float, z: float) -> float:
    """The largest difference that the score test does not reject.

    `up` and `down` are the shares of cases that went 0 → 1 and 1 → 0 reading b to a. Under a difference δ
    the likeliest share of the second is q = (√(B² + 8·down·δ(1-δ)) - B)/4 with B = (2 - d)δ - up - down
    (Tango's eq. for q̂₂₁ divided by n), and δ is kept while n(δ - d)² ≤ z²(2q + δ(1-δ)). Found by
    bisection: the test is monotone in δ.
    """
    d = up - down

    def kept(delta: float) -> bool:
        b = (2 - d) * delta - up - down
        q = (math.sqrt(max(b * b + 8 * down * delta * (1 - delta), 0.0)) - b) / 4
        return n * (delta - d) ** 2 <= z * z * max(2 * q + delta * (1 - delta), 0.0)

    low, high = d, 1.0
    if kept(high):
        return high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) else (low, middle)
    return high
