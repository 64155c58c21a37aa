"""From an ensemble's logits to probabilities one can use, and to a threshold that keeps a promise.

Everything here works on *out-of-fold* logits: what heads that never saw an example's question say of it.

Weights are inverse inclusion probabilities. Where they or the groups differ, a mean over n examples carries less
than n examples' worth; `worth` says how much, and the exact binomial bound is taken at that number, as survey
samplers do (Korn & Graubard 1998, Survey Methodology 24:193). With equal weights and distinct questions that *is*
the exact bound.

Axes: N examples, M members.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.judges._heads import Ints, Labelled
from gadfly.stats import Estimate, Platt, platt, rate

__all__ = ["Bin", "Platt", "Promise", "auroc", "calibrate", "calibration_error", "curve", "promise", "share"]

Floats = NDArray[np.float64]

BINS = 10
RESAMPLES = 500
LEAST = 0.5
"""A promise to find less than this is none: the threshold is then 0."""


def calibrate(logits_N_M: Floats, data: Labelled) -> Platt:
    """The sigmoid whose *mean over members* has the least weighted log loss against the labels; see `stats.platt`."""
    return platt(logits_N_M, data.labels_N, data.weights_N)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a threshold promises: with `confidence`, the share of what people flag that scores at or above it is at
    least `recall`. `asked` is what was wanted; `sentence` says what came of it, and why when it is less.
    """

    threshold: float
    recall: float
    asked: float
    confidence: float
    sentence: str


def promise(scores_N: Floats, data: Labelled, asked: float, confidence: float) -> Promise:
    """The highest threshold that keeps the promise, from the out-of-fold scores of what people flag.

    An order statistic: with k - 1 flagged examples below it, the miss rate has the exact upper bound of Clopper &
    Pearson at `confidence` (a one-sided tolerance bound, free of any distribution: Wilks 1941). At 95 % and 95 %
    that takes 59 flagged examples, none missed. With fewer, the lowest flagged score stays the threshold and the
    recall it can promise, (1 - confidence)^(1/n), is stated; below one half nothing is promised and the threshold
    is 0.
    """
    flagged = np.flatnonzero(data.flagged)
    order = flagged[np.argsort(scores_N[flagged], kind="stable")]
    weights, groups, scores = data.weights_N[order], data.groups_N[order], scores_N[order]
    threshold, kept = float(scores[0]), 1 - miss_bound(np.zeros(len(order)), weights, groups, confidence)
    for k in np.flatnonzero(np.diff(scores) > 0) + 1:
        bound = miss_bound((np.arange(len(order)) < k).astype(float), weights, groups, confidence)
        if bound > 1 - asked:
            break
        threshold, kept = float(scores[k]), 1 - bound
    n, sure = len(order), f"{_percent(confidence)} sure"
    if kept >= asked:
        return Promise(
            threshold,
            asked,
            asked,
            confidence,
            f"Misses at most {_percent(1 - asked)} of what people flag, {sure}.",
        )
    needed = math.ceil(math.log1p(-confidence) / math.log(asked))
    short = (
        f"{n} flagged examples (worth {worth(np.zeros(n), weights, groups):.0f} independent ones) are too few"
    )
    short += f" to promise at most {_percent(1 - asked)} missed, {sure}: that takes {needed}."
    if kept < LEAST:
        return Promise(0.0, 1.0, asked, confidence, f"{short} The threshold is 0, so everything is flagged.")
    return Promise(
        threshold,
        kept,
        asked,
        confidence,
        f"Misses at most {_percent(1 - kept)} of what people flag, {sure}; {short}",
    )


def miss_bound(missed_N: Floats, weights_N: Floats, groups_N: Ints, confidence: float) -> float:
    """Upper bound on the share missed: Clopper & Pearson's at what the examples are worth."""
    n = worth(missed_N, weights_N, groups_N)
    missed = float(weights_N @ missed_N / weights_N.sum()) * n
    return float(special.betaincinv(missed + 1, max(n - missed, 1e-9), confidence))


def worth(values_N: Floats, weights_N: Floats, groups_N: Ints) -> float:
    """How many independent, equally weighted examples tell as much about a weighted share.

    The lesser of Kish's (ΣW)²/ΣW² over the groups' weights W, which takes a group for one fact, and of p(1 - p)
    over the linearised variance of the weighted mean, which sees large weights among the rarer answer.
    """
    _, codes = np.unique(groups_N, return_inverse=True)
    totals = np.bincount(codes, weights_N)
    kish = float(totals.sum() ** 2 / (totals**2).sum())
    p = float(weights_N @ values_N / weights_N.sum())
    variance = float((np.bincount(codes, weights_N * (values_N - p)) ** 2).sum() / weights_N.sum() ** 2)
    return min(kish, p * (1 - p) / variance) if variance > 0 and 0 < p < 1 else kish


def share(values: Floats, data: Labelled, level: float = 0.95) -> Estimate:
    """A weighted mean of values in [0, 1] with its interval: `stats.rate` with equal weights, else the exact bound
    at what the examples are worth. Nothing gives no point and [0, 1].
    """
    n, groups = len(values), len(np.unique(data.groups_N))
    if not n or np.allclose(data.weights_N, data.weights_N[0]):
        return rate([float(v) for v in values], data.groups_N.tolist(), level=level)
    p = round(float(data.weights_N @ values / data.weights_N.sum()), 12)  # a sum of weights is not quite 1
    real = worth(values, data.weights_N, data.groups_N)
    tail, hits = (1 - level) / 2, p * real
    low = float(special.betaincinv(hits, real - hits + 1, tail)) if hits > 0 else 0.0
    high = float(special.betaincinv(hits + 1, real - hits, 1 - tail)) if hits < real else 1.0
    return Estimate(p, low, high, n, groups, 0, level, f"unequal sampling (worth {real:.0f})")


def auroc(scores_N: Floats, data: Labelled, seed: int) -> Estimate:
    """The chance that a flagged example scores above one that is not, ties half; resampled by group.

    Where the classes part completely resampling sees no doubt, and the interval is that of as many pairs as the
    smaller class has.
    """
    point = _area(scores_N, data.flagged, data.weights_N)
    if point >= 1.0 or point <= 0.0:
        pairs = int(min(data.flagged.sum(), (~data.flagged).sum()))
        bound = rate([point] * pairs)
        low, high = bound.low, bound.high
    else:
        low, high = _resampled(lambda w: _area(scores_N, data.flagged, w), data, seed)
    return _estimate(point, low, high, data)


def calibration_error(scores_N: Floats, data: Labelled, seed: int) -> Estimate:
    """Expected calibration error over ten bins of as many examples each; 0 is perfect, and few labels alone give
    about √(p(1 - p)·BINS/n). The interval is the basic bootstrap's, whose reflection takes back the upward bias.
    """
    bins = _bins(scores_N)

    def error(weights_N: Floats) -> float:
        gaps = np.bincount(bins, weights_N * (scores_N - data.labels_N), BINS)
        return float(np.abs(gaps).sum() / weights_N.sum())

    point = error(data.weights_N)
    low, high = _resampled(error, data, seed)
    return _estimate(point, max(2 * point - high, 0.0), max(2 * point - low, point), data)


@dataclass(frozen=True, slots=True)
class Bin:
    """Examples of like score: the mean score said, and the share of people's votes that flagged them."""

    said: float
    seen: Estimate


def curve(scores_N: Floats, data: Labelled) -> tuple[Bin, ...]:
    """Up to ten bins of as many examples each, by score."""
    bins = _bins(scores_N)
    rows = [np.flatnonzero(bins == b) for b in np.unique(bins)]
    return tuple(
        Bin(float(np.average(scores_N[r], weights=data.weights_N[r])), share(data.labels_N[r], data[r]))
        for r in rows
    )


def _bins(scores_N: Floats) -> Ints:
    """Which tenth by rank each score is in; equal scores stay together."""
    edges = np.quantile(scores_N, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, scores_N, side="right")


def _area(scores_N: Floats, flagged: NDArray[np.bool_], weights_N: Floats) -> float:
    """Weighted area under the ROC curve; one half when a class has no weight."""
    _, ranks = np.unique(scores_N, return_inverse=True)
    yes, no = np.bincount(ranks, weights_N * flagged), np.bincount(ranks, weights_N * ~flagged)
    pairs = float(yes.sum() * no.sum())
    return float(yes @ (np.cumsum(no) - no / 2)) / pairs if pairs else 0.5


def _resampled(statistic: Callable[[Floats], float], data: Labelled, seed: int) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles over resamples of whole groups."""
    names, codes = np.unique(data.groups_N, return_inverse=True)
    rng, even = np.random.default_rng(seed), np.full(len(names), 1 / len(names))
    values = [statistic(data.weights_N * rng.multinomial(len(names), even)[codes]) for _ in range(RESAMPLES)]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _estimate(point: float, low: float, high: float, data: Labelled) -> Estimate:
    """An interval that holds its point, with what it was corrected for."""
    unequal = not np.allclose(data.weights_N, data.weights_N[0])
    low, high = min(max(low, 0.0), point), max(min(high, 1.0), point)
    n, groups = len(data.labels_N), len(np.unique(data.groups_N))
    return Estimate(point, low, high, n, groups, correction="unequal sampling" if unequal else "")


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"
