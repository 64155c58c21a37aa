"""Whether probabilities mean what they say: Brier score and its parts, calibration error and slope, recalibration.

Axes: N probabilities with an outcome, K clusters, B bins, R resamples; Q quantities.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats, Grouped, group
from gadfly.stats._estimate import Estimate
from gadfly.stats._logistic import logistic
from gadfly.stats._platt import platt
from gadfly.stats._profile import profile
from gadfly.stats._rate import Verdict, check_level, known, pick, rate
from gadfly.stats._sandwich import average, contrasts

__all__ = ["Reliability", "ReliabilityBin", "calibration_slope", "recalibrated", "reliability"]

Ints = NDArray[np.intp]

BINS = 10
RESAMPLES = 1_000
LEAST = 1e-6
EVEN = 1e-9
"""Log-odds that differ from 0 by no more differ by rounding."""
"""A probability nearer to 0 or 1 counts as this near: a loss of at most 13.8, a logit of at most that."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Cases of like probability: the mean probability said, and how often it happened."""

    said: float
    seen: Estimate


@dataclass(frozen=True, slots=True)
class Reliability:
    """How good probabilities were. `brier` is the mean of (p - y)², 0 best; ¼ is what always saying ½ gets.

    brier = calibration - resolution + uncertainty + within: how far the bins' means lie from what they say (0 best),
    how far what happened differs between bins (high best), y's own variance whoever judges, and what is left inside of
    bins (Murphy 1973, J. Applied Meteorology 12:595; Stephenson, Coelho & Jolliffe 2008 for the last, 0 where all in a
    bin said the same). `error` is the expected calibration error, the mean over cases of |said - seen| of their bins.
    Points are plug-in values, so calibration and error are high by chance alone, the error by about √(B·p(1 - p)/N);
    their intervals take that back. `bins`, from low to high, are a reliability diagram.
    """

    brier: Estimate
    calibration: Estimate
    resolution: Estimate
    uncertainty: Estimate
    within: Estimate
    error: Estimate
    log_loss: Estimate
    bins: tuple[ReliabilityBin, ...]


def reliability(
    probabilities: Sequence[Verdict],
    outcomes: Sequence[Verdict],
    clusters: Sequence[Hashable] | None = None,
    *,
    bins: int = BINS,
    seed: int = 0,
    level: float = 0.95,
) -> Reliability:
    """How well probabilities of something match whether it happened (1 or 0; a share counts by its parts).

    Up to `bins` bins of as many cases each, by rank; equal probabilities stay together. Intervals are over clusters
    like these: Student's with Bell & McCaffrey's correction for Brier score (as `bounded_mean`, had one more been all 0
    or all 1) and log loss, in nats; `rate` for what was seen in a bin; for the other parts the basic bootstrap over
    whole clusters, whose reflection takes back the bias of the plug-in, though never past the point itself; an error
    that chance alone would explain has an interval from 0.

    Where either is None the pair is left out and counted as missing. No pair gives no points, no bins, and intervals
    of all that is possible; fewer than two clusters give such intervals too. Raises `InputError` for values outside
    [0, 1], sequences of unequal length, or fewer than one bin.
    """
    check_level(level)
    p_N, y_N, data, missing = _pairs(probabilities, outcomes, clusters)
    if bins < 1:
        raise InputError(f"{bins} bins hold nothing; give one or more.")
    counts = (data.n, data.clusters, missing, level)
    if not data.n:
        *nothing, endless = (Estimate(None, 0.0, top, *counts) for top in (1, 1, 1, 0.25, 1, 1, math.inf))
        brier, calibration, resolution, uncertainty, within, error = nothing
        return Reliability(brier, calibration, resolution, uncertainty, within, error, endless, ())
    bins_N = np.searchsorted(np.quantile(p_N, np.linspace(0, 1, bins + 1)[1:-1]), p_N, side="right")
    squares_N, losses_N = (p_N - y_N) ** 2, _log_losses(p_N, y_N)
    parts = _parts(_sums(p_N, y_N, squares_N, bins_N, data), data, seed, level)
    calibration, resolution, uncertainty, within, error = (
        Estimate(point, low, high, *counts) for point, low, high in parts
    )
    brier, log_loss = (
        Estimate(point, low, high, *counts)
        for point, low, high in (_mean(squares_N, data, level, 1.0), _mean(losses_N, data, level, math.inf))
    )
    diagram = tuple(_bin(p_N, y_N, data, np.flatnonzero(bins_N == b), level) for b in np.unique(bins_N))
    return Reliability(brier, calibration, resolution, uncertainty, within, error, log_loss, diagram)


def recalibrated(
    probabilities: Sequence[Verdict],
    outcomes: Sequence[Verdict],
    clusters: Sequence[Hashable] | None = None,
    *,
    folds: int = 5,
    method: Literal["platt", "temperature"] = "platt",
) -> list[float | None]:
    """Each probability through a sigmoid on its logit that was fitted without the outcomes of its own cluster.

    Clusters are dealt to `folds` folds, at most one a cluster, always alike for the same order of names; what is made
    for a fold is fitted on all others (see `platt`; `temperature` only stretches, and leaves ½ alone). A probability
    whose own outcome is None gets one too; None stays None. Raises `InputError` for fewer than two folds, or where the
    pairs known are in fewer than two clusters: nothing is then left to fit on.
    """
    p_N, y_N, data, _ = _pairs(probabilities, outcomes, clusters)
    if folds < 2 or data.clusters < 2:
        raise InputError(f"Recalibrating takes two folds and two clusters; got {folds} and {data.clusters}.")
    rows = [i for i, p in enumerate(probabilities) if p is not None]
    said = known([probabilities[i] for i in rows])[0]
    names = list(range(len(probabilities))) if clusters is None else list(clusters)
    placed = [i for i in rows if outcomes[i] is not None]
    dealt = _dealt([names[i] for i in placed], min(folds, data.clusters))
    fold_N = np.array([dealt[names[i]] for i in placed])
    logits_N, found = _logits(p_N), np.empty(len(rows))
    own = np.array([dealt.get(names[i], 0) for i in rows])  # no fit saw a cluster without outcomes
    for fold in range(min(folds, data.clusters)):
        kept = fold_N != fold
        sigmoid = platt(logits_N[kept, None], y_N[kept], np.ones(int(kept.sum())), offset=method == "platt")
        found[own == fold] = sigmoid.members(_logits(said[own == fold]))
    made = dict(zip(rows, found.tolist(), strict=True))
    return [made.get(i) for i in range(len(probabilities))]


def calibration_slope(
    probabilities: Sequence[Verdict],
    outcomes: Sequence[Verdict],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """What the log-odds of probabilities must be multiplied by to come true: above 1 where they say too little, below
    where too much, and below 0 where they say the opposite.

    The slope of a logistic regression of outcomes (1 or 0) on log-odds (Cox 1958, Biometrika 45:562) without an
    intercept, so that one half stays one half: the inverse temperature of Guo et al. (2017, arXiv 1706.04599). Fit and
    interval are those of `slope`, over clusters. Pairs of which either is None are missing. Without a probability other
    than one half there is no point, and the interval is (-∞, ∞). Raises `InputError` as `reliability` does.
    """
    check_level(level)
    p_N, y_N, data, missing = _pairs(probabilities, outcomes, clusters)
    odds_N = _logits(p_N)
    unit = float(np.sqrt((odds_N**2).mean())) if data.n else 0.0
    if unit < EVEN:
        return Estimate(None, -math.inf, math.inf, data.n, data.clusters, missing, level)
    fit = logistic(odds_N[:, None] / unit, y_N, data.labels)
    point, low, high = (one / unit for one in profile(fit, np.ones((1, 1)), level).ends()[0])
    return Estimate(point, low, high, data.n, data.clusters, missing, level)


def _pairs(
    probabilities: Sequence[Verdict], outcomes: Sequence[Verdict], clusters: Sequence[Hashable] | None
) -> tuple[Floats, Floats, Grouped, int]:
    """Probabilities and outcomes where both are known, how they are grouped, and how many pairs are missing."""
    if len(probabilities) != len(outcomes):
        raise InputError(
            f"{len(probabilities)} probabilities came with {len(outcomes)} outcomes; give one for each."
        )
    kept = [i for i, p in enumerate(probabilities) if p is not None and outcomes[i] is not None]
    p_N, y_N = known([probabilities[i] for i in kept])[0], known([outcomes[i] for i in kept])[0]
    data = group(y_N, None if clusters is None else pick(clusters, kept, len(outcomes)))
    return p_N, y_N, data, len(outcomes) - len(kept)


def _dealt(names: Sequence[Hashable], folds: int) -> dict[Hashable, int]:
    """A fold for each name, in an order drawn once and for all: names often come sorted by how hard they are."""
    distinct = list(dict.fromkeys(names))
    order = np.random.default_rng(0).permutation(len(distinct))
    return {distinct[place]: i % folds for i, place in enumerate(order)}


def _logits(p_N: Floats) -> Floats:
    return np.asarray(special.logit(np.clip(p_N, LEAST, 1 - LEAST)))


def _log_losses(p_N: Floats, y_N: Floats) -> Floats:
    clipped_N = np.clip(p_N, LEAST, 1 - LEAST)
    return np.asarray(-(y_N * np.log(clipped_N) + (1 - y_N) * np.log1p(-clipped_N)))


def _mean(values_N: Floats, data: Grouped, level: float, top: float) -> tuple[float, float, float]:
    """A mean of losses in [0, top] with its interval: on the log scale where there is no top; else as far as one more
    cluster, all 0 or all `top`, would let it reach, as in `bounded_mean`.
    """
    point = float(values_N.mean())
    if not math.isinf(top):
        return (
            point,
            _one_more(values_N, data, level, 0.0, -1),
            min(_one_more(values_N, data, level, top, 1), top),
        )
    if data.clusters < 2 or np.ptp(values_N) == 0.0:
        return point, 0.0, top
    margin = _margin(values_N, data.labels, level)
    return point, point * math.exp(-margin / point), point * math.exp(margin / point)


def _one_more(values_N: Floats, data: Grouped, level: float, value: float, sign: int) -> float:
    """An end of the interval had one more cluster of the usual size been all `value`; at least 0."""
    size = max(1, round(data.n / data.clusters))
    longer = np.concatenate([values_N, np.full(size, value)])
    labels = np.concatenate([data.labels, np.full(size, data.clusters)])
    return max(0.0, float(longer.mean()) + sign * _margin(longer, labels, level))


def _margin(values_N: Floats, labels_N: Ints, level: float) -> float:
    if len(values_N) < 2 or values_N.std(ddof=1) == 0.0:  # or so close that their spread is no number
        return 0.0
    return float(contrasts(average(values_N, labels_N), np.ones((1, 1))).margins(level)[0])


def _sums(p_N: Floats, y_N: Floats, squares_N: Floats, bins_N: Ints, data: Grouped) -> Floats:
    """(K, 4, B): of each cluster in each bin how many cases, and the sums of p, y and (p - y)²."""
    sums_K_4_B = np.zeros((data.clusters, 4, int(bins_N.max()) + 1))
    for place, values in enumerate((np.ones(data.n), p_N, y_N, squares_N)):
        np.add.at(sums_K_4_B[:, place], (data.labels, bins_N), values)
    return sums_K_4_B


def _parts(sums_K_4_B: Floats, data: Grouped, seed: int, level: float) -> list[tuple[float, float, float]]:
    """Point, low and high of calibration, resolution, uncertainty, within and error."""
    k = data.clusters
    point_Q = _quantities(sums_K_4_B.sum(0)[None])[0]
    tops_Q = np.array([1.0, 1.0, 0.25, 1.0, 1.0])
    floors_Q = np.array([0.0, 0.0, 0.0, -1.0, 0.0])
    if k < 2:
        return list(zip(point_Q.tolist(), floors_Q.tolist(), tops_Q.tolist(), strict=True))
    weights_R_K = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), RESAMPLES)
    drawn_R_Q = _quantities(np.tensordot(weights_R_K, sums_K_4_B, 1))
    low_Q, high_Q = np.quantile(drawn_R_Q, ((1 - level) / 2, (1 + level) / 2), axis=0)
    lows_Q = np.clip(2 * point_Q - high_Q, floors_Q, point_Q)
    if point_Q[-1] <= np.quantile(_by_chance(weights_R_K, sums_K_4_B), (1 + level) / 2):
        lows_Q[-1] = 0.0
    highs_Q = np.clip(2 * point_Q - low_Q, point_Q, np.maximum(tops_Q, point_Q))
    return list(zip(point_Q.tolist(), lows_Q.tolist(), highs_Q.tolist(), strict=True))


def _by_chance(weights_R_K: Ints, sums_K_4_B: Floats) -> Floats:
    """(R,): calibration errors there would be were no bin's true gap other than 0.

    An absolute value cannot resample to 0, so the bootstrap alone would never call anyone calibrated.
    """
    gap_K_B = sums_K_4_B[:, 1] - sums_K_4_B[:, 2]
    centred_K_B = gap_K_B - gap_K_B.mean(0)
    return np.asarray(np.abs(weights_R_K @ centred_K_B).sum(1) / sums_K_4_B[:, 0].sum())


def _quantities(sums_R_4_B: Floats) -> Floats:
    """(R, 5): calibration, resolution, uncertainty, within and error of bins with these sums."""
    n_R_B, p_R_B, y_R_B, squares_R_B = np.moveaxis(sums_R_4_B, 1, 0)
    n_R, count_R_B = n_R_B.sum(1), np.maximum(n_R_B, 1e-300)
    base_R = y_R_B.sum(1) / n_R
    gap_R_B, seen_R_B = (p_R_B - y_R_B) / count_R_B, y_R_B / count_R_B
    share_R_B = n_R_B / n_R[:, None]
    calibration_R = (share_R_B * gap_R_B**2).sum(1)
    resolution_R = (share_R_B * (seen_R_B - base_R[:, None]) ** 2).sum(1)
    uncertainty_R = base_R * (1 - base_R)
    within_R = squares_R_B.sum(1) / n_R - calibration_R + resolution_R - uncertainty_R
    error_R = (share_R_B * np.abs(gap_R_B)).sum(1)
    return np.stack([calibration_R, resolution_R, uncertainty_R, within_R, error_R], axis=1)


def _bin(p_N: Floats, y_N: Floats, data: Grouped, rows: Ints, level: float) -> ReliabilityBin:
    seen = rate(y_N[rows].tolist(), data.labels[rows].tolist(), level=level)
    return ReliabilityBin(float(p_N[rows].mean()), seen)
