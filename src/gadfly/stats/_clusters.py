"""How much the answers to one question resemble each other, and what that costs.

A question asked fifty times is not fifty facts. Everything here turns observations grouped by question into
one number, the design effect: the factor by which the variance of a mean exceeds what as many independent
observations would give (Kish 1965, §5.4). n / design effect is the effective sample size the intervals are
built on.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grouped", "design", "group"]

Floats = NDArray[np.float64]

PRIOR_FAILURES = 0.5
"""What the presumption that duplicates agree weighs, in failures seen: see `design`."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """N observations in K clusters.

    `values` (N,); `labels` (N,), each in 0..K-1, say which cluster an observation belongs to; `sizes` (K,),
    all ≥ 1.
    """

    values: Floats
    labels: NDArray[np.intp]
    sizes: Floats

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def clusters(self) -> int:
        return len(self.sizes)

    @property
    def mean(self) -> float:
        """Mean over observations: Σ values / Σ sizes, the ratio estimator."""
        return float(self.values.mean())

    def totals(self, quantity: Floats) -> Floats:
        """Sum of something within each cluster."""
        return np.asarray(np.bincount(self.labels, quantity, self.clusters), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Design:
    """The design effect (≥ 1) and the degrees of freedom behind it (infinite where nothing was estimated)."""

    effect: float
    df: float


def group(values: Floats, clusters: Sequence[Hashable] | None) -> Grouped:
    """Pair each value with its cluster; `None` makes every observation its own."""
    if clusters is None:
        labels = np.arange(len(values), dtype=np.intp)
    else:
        seen: dict[Hashable, int] = {}
        labels = np.fromiter((seen.setdefault(c, len(seen)) for c in clusters), np.intp, len(values))
    sizes = np.bincount(labels).astype(np.float64) if len(values) else np.zeros(0)
    return Grouped(values, labels, sizes)


def design(data: Grouped, variance: float, rare: float) -> Design:
    """The design effect of a mean over clustered observations.

    `variance` is that of one observation under independence (p(1 - p) for a rate). `rare` counts how many
    observations differ from the common answer: what there is to learn the correlation from.

    Two estimates of the effect are at hand, and each fails alone (figures in
    benchmarks/results/coverage.json):

    - *model*: 1 + ρ(Σm²/n - 1), m the cluster sizes (Kish; Rao & Scott 1992), ρ the one-way
      analysis-of-variance estimate of the intraclass correlation (Ridout, Demétrio & Firth 1999, Biometrics
      55:137). Steady, but wrong when one huge cluster departs from the rest.
    - *linearised*: K/(K-1) Σ(Σ residuals in a cluster)² / (n·variance), the survey sampler's
      ratio-estimator variance (Korn & Graubard 1998, Survey Methodology 24:193). Assumes no common ρ, but
      falls far short when few clusters carry the weight: it is then a variance estimated from two or three
      numbers.

    We take the model, raised half-way to the linearised where that is larger. ρ itself is first shrunk
    towards 1 (duplicates agree), (rare·ρ + ½)/(rare + ½), because with one or two failures ρ̂ is nearly
    always 0 whatever ρ is. The excess effect - 1 is what was estimated from K clusters, so Satterthwaite's
    rule gives the whole df = (K-1)(effect/(effect-1))²: infinite without duplicates, K-1 when duplicates
    are all that matters.

    Never below 1: questions do not repel each other, so a smaller figure is noise, and a bounded score must
    not promise more than as many yes-or-no answers would. One cluster tells nothing of ρ, which is then 1.
    """
    n, k = data.n, data.clusters
    inflation = float((data.sizes**2).sum()) / n - 1.0
    if k == n:
        return Design(1.0, math.inf)
    if k == 1 or variance <= 0.0:
        return Design(1.0 + inflation, math.inf)
    residuals = data.totals(data.values - data.mean)
    correlation = _intraclass_correlation(data, residuals)
    correlation = (rare * correlation + PRIOR_FAILURES) / (rare + PRIOR_FAILURES)
    model = 1.0 + correlation * inflation
    linearised = k / (k - 1) * float((residuals**2).sum()) / (n * variance)
    effect = (model + max(model, linearised)) / 2
    return Design(effect, (k - 1) * (effect / (effect - 1)) ** 2 if effect > 1.0 else math.inf)


def _intraclass_correlation(data: Grouped, residuals: Floats) -> float:
    """The analysis-of-variance estimate, cut to [0, 1]: (MSB - MSW) / (MSB + (m₀ - 1)·MSW)."""
    n, k = data.n, data.clusters
    between = float((residuals**2 / data.sizes).sum())
    total = float(((data.values - data.mean) ** 2).sum())
    msb, msw = between / (k - 1), max(total - between, 0.0) / (n - k)
    typical_size = (n - float((data.sizes**2).sum()) / n) / (k - 1)
    scale = msb + (typical_size - 1) * msw
    return min(max((msb - msw) / scale, 0.0), 1.0) if scale > 0 else 0.0
