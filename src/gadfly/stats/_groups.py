"""Rates over a handful of groups that each came many times: eight wordings of one scenario, eight times each.

`rate` and `paired_difference` are made for many questions of which a few came twice. Where K groups carry everything,
how much the groups differ is itself estimated from K numbers: that is what Student's quantile with K - 1 degrees of
freedom is for, and the presumption that repeats agree, which keeps `rate` safe with one failure among a thousand
questions, makes it needlessly wide here (figures for both in benchmarks/results/pressure_coverage.json).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats, group
from gadfly.stats._difference import tango
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import Verdict, check_level, known, normal_quantile, pick, quantile, wilson

__all__ = ["difference_by_group", "rate_by_group"]

Labels = NDArray[np.intp]

PRIOR = 0.1
"""What the presumption that a group always answers alike weighs, in failures seen."""


@dataclass(frozen=True)
class _Sample:
    """What was seen: `values` (N,), `weights` (N,) that add up to 1, `strata` (N,) and `groups` (N,) as numbers."""

    values: Floats
    weights: Floats
    strata: Labels
    groups: Labels
    count: int

    @property
    def mean(self) -> float:
        return float(self.means().mean())

    def means(self) -> Floats:
        """Each stratum's mean, which is exact where all values are the same."""
        first = self.values[np.unique(self.strata, return_index=True)[1]]
        whole = np.bincount(self.strata, self.weights)
        return np.asarray(
            first + np.bincount(self.strata, self.weights * (self.values - first[self.strata])) / whole
        )

    def residuals(self) -> Floats:
        """Each value less its stratum's mean."""
        return np.asarray(self.values - self.means()[self.strata])


def rate_by_group(
    verdicts: Sequence[Verdict],
    groups: Sequence[Hashable],
    strata: Sequence[Hashable] | None = None,
    *,
    weights: Sequence[float] | None = None,
    level: float = 0.95,
) -> Estimate:
    """The mean of verdicts that came in few groups, over *groups like these*.

    With `strata` (the cells of a sweep) it is the mean of the strata's means, each weighing the same, where a group
    runs through all of them. `weights` (> 0) say how much a verdict counts within its stratum. Wilson's interval with n
    divided by the design effect of `_effect` and Student's quantile. Where all verdicts are alike, n becomes the number
    of groups, as in `rate`. `None` is left out and counted as missing; no verdict at all gives no point and [0, 1].
    """
    check_level(level)
    sample, missing = _sample(verdicts, groups, strata, weights)
    n, p = len(sample.values), sample.mean if len(sample.values) else 0.0
    if n == 0:
        return Estimate(None, 0.0, 1.0, 0, 0, missing, level)
    one = float((sample.weights**2 * sample.residuals() ** 2).sum())
    if p <= 0.0 or p >= 1.0 or one <= 0.0:
        low, high = wilson(p, sample.count, normal_quantile(level))
        return Estimate(p, low, high, n, sample.count, missing, level, _words(n / sample.count))
    worth = float(p * (1 - p) / one)
    effect, df = _effect(sample, one, min(p, 1 - p) * n)
    low, high = wilson(p, worth / effect, quantile(level, df))
    return Estimate(p, low, high, n, sample.count, missing, level, _words(effect))


def difference_by_group(
    a: Sequence[Verdict], b: Sequence[Verdict], groups: Sequence[Hashable], *, level: float = 0.95
) -> Estimate:
    """Rate of `a` minus rate of `b` over the same cases in the same order, which came in few groups.

    Tango's score interval as in `paired_difference`, with the design effect and the quantile of `rate_by_group`.
    """
    check_level(level)
    if len(a) != len(b):
        raise InputError(f"The same cases must come in both runs; got {len(a)} and {len(b)} verdicts.")
    both = [i for i in range(len(a)) if a[i] is not None and b[i] is not None]
    missing = len(a) - len(both)
    if not both:
        return Estimate(None, -1.0, 1.0, 0, 0, missing, level)
    values = known([a[i] for i in both])[0] - known([b[i] for i in both])[0]
    sample = _weighed(values, pick(groups, both, len(a)), None, np.ones(len(both)))
    d, discordant = sample.mean, float(np.abs(values).mean())
    one = float((sample.weights**2 * sample.residuals() ** 2).sum())
    if one <= 0.0:
        n, z, effect = float(sample.count), normal_quantile(level), len(values) / sample.count
    else:
        effect, df = _effect(sample, one, discordant * len(values))
        n, z = len(values) / effect, quantile(level, df)
    low, high = tango(d, discordant, n, z)
    return Estimate(d, low, high, len(values), sample.count, missing, level, _words(effect))


def _effect(sample: _Sample, one: float, rare: float) -> tuple[float, float]:
    """The design effect of a weighted mean over grouped values, and its degrees of freedom.

    `one` is the variance had every value been independent, `rare` how many values differ from the common answer. The
    linearised effect K/(K-1) Σ(Σ weighted residuals in a group)² / `one` is not cut at 1: over K groups alone it is an
    unbiased guess with (K-1) degrees of freedom, and cutting it would make every interval too wide where groups are
    alike. Some things temper it.

    - Of a variance in which a group has m values, at most the part b = (m-1)/m can come from the group; the rest is
      known. So effect = 1 - b + b·linearised, with (K-1)(effect/(b·linearised))² degrees of freedom (Satterthwaite):
      once each gives the plain interval. m is that of weights, Σ(Σ weights in a group)²/Σ weights².
    - With one or two failures the linearised effect is near 1 whatever the groups do, so it is first drawn towards m,
      by `PRIOR` failures' worth.
    - Where groups are of very different weight, the heavy ones decide: K is Kish's number, 1/Σ(Σ weights in a group)².
    - One group tells nothing of what others do: the effect is then m.
    """
    within = np.bincount(sample.groups, sample.weights)
    m = float((within**2).sum() / (sample.weights**2).sum())
    if sample.count == 1 or m <= 1.0 + 1e-12:
        return (m, math.inf)
    k = max(1 / float((within**2).sum()), 1.5)
    totals = np.bincount(sample.groups, sample.weights * sample.residuals())
    linearised = k / (k - 1) * float((totals**2).sum()) / one
    linearised = (rare * linearised + PRIOR * m) / (rare + PRIOR)
    share = (m - 1) / m
    effect = 1 - share + share * linearised
    return effect, (k - 1) * (effect / (share * linearised)) ** 2 if linearised > 0 else math.inf


def _sample(
    verdicts: Sequence[Verdict],
    groups: Sequence[Hashable],
    strata: Sequence[Hashable] | None,
    weights: Sequence[float] | None,
) -> tuple[_Sample, int]:
    values, kept = known(verdicts)
    inside = None if strata is None else pick(strata, kept, len(verdicts))
    counted = (
        np.ones(len(kept)) if weights is None else np.array([weights[i] for i in kept], dtype=np.float64)
    )
    among = pick(groups, kept, len(verdicts))
    return _weighed(values, among, inside, counted), len(verdicts) - len(values)


def _weighed(
    values: Floats, groups: Sequence[Hashable], strata: Sequence[Hashable] | None, counted: Floats
) -> _Sample:
    """The sample in which every stratum weighs the same, and in it every value as it is to be counted."""
    among = group(values, groups)
    cells = group(values, strata if strata is not None else [0] * len(values))
    whole = np.bincount(cells.labels, counted) if len(values) else np.ones(1)
    weights = counted / (cells.clusters * whole[cells.labels]) if len(values) else np.zeros(0)
    return _Sample(values, weights, cells.labels, among.labels, among.clusters)


def _words(effect: float) -> str:
    """What the estimate was corrected for, in words; empty where groups agree more than chance would have it."""
    return "" if effect <= 1.0 else f"few groups, each of them repeatedly (design effect {effect:.2f})"
