"""Answering only when sure enough: what risk that leaves, and the threshold that keeps a stated one.

A question is attempted when the confidence in its answer reaches a threshold. The *risk* is then the rate of losses
(wrong, unsupported) among the questions attempted, the *coverage* the share attempted. Questions are the unit: one
confidence and one loss each. Axes: N questions, G groups of equal confidence, B resamples.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats, group
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import Verdict, check_level, known, normal_quantile, pick, quantile, rate, wilson

__all__ = [
    "RiskCoverage",
    "RiskPoint",
    "Threshold",
    "attempted_difference",
    "risk_coverage",
    "risk_threshold",
]

Confidence = float | None
"""How sure of an answer, on any scale that grows with it; None where nobody could tell, which is never attempted."""

STEPS = 20
"""Thresholds that are tried at most, from the safest down."""
ALLOWED = 5
"""Losses that the first threshold tried may let through, where there are questions enough."""
RESAMPLES = 2_000
POINTS = 60
"""Points of a risk-coverage curve at most."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A question is attempted when the confidence in its answer is at least `value`; None: none is.

    `attempted` and `seen` are the share attempted and the rate of losses among them on the very questions that set the
    threshold, so `seen` lies below `risk` by what the promise costs. `n` counts the questions it was set on, `missing`
    those without a confidence or a loss. `sentence` says what is promised, and why it is nothing where it is nothing.
    """

    value: float | None
    risk: float
    assurance: float
    attempted: Estimate
    seen: Estimate
    n: int
    missing: int
    sentence: str


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One threshold: the share of the questions attempted, and the rate of losses among them."""

    threshold: float
    coverage: float
    risk: Estimate


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The curve from the most confident answer down, and the area under it.

    `area` is the mean risk over all coverages (AURC, Geifman, Uziel & El-Yaniv 2019, arXiv 1805.08206): 0 is perfect,
    and confidence that knows nothing has `whole`, the risk when all are attempted. `n` counts the questions with a
    confidence and a loss, `missing` the others.
    """

    points: tuple[RiskPoint, ...]
    area: Estimate
    whole: Estimate
    n: int
    missing: int


def risk_threshold(
    confidences: Sequence[Confidence],
    losses: Sequence[Verdict],
    risk: float,
    *,
    assurance: float = 0.95,
) -> Threshold:
    """The lowest threshold found at which, with probability `assurance` over the questions it is set on, the rate of
    losses among the questions attempted *in future* is at most `risk`.

    Learn then test (Angelopoulos, Bates, Candès, Jordan & Lei 2021, arXiv 2110.01052) in fixed sequence: up to `STEPS`
    thresholds, the confidences at ranks chosen by the number of questions alone, are tested from the safest down
    against "the risk here is above `risk`", each at 1 - assurance, until one test fails to reject. The test is the
    exact binomial tail of the losses at or above the threshold; for losses that are no yes or no, Hoeffding-Bentkus.
    The first rank is the largest, up to a quarter of the questions, at which at most `ALLOWED` losses can still reject.
    Testing conditional on rank is exact where risk falls as confidence rises, or where confidence has few values; for
    other shapes see benchmarks/results/declining.json.

    Not MAPIE's (1.6) precision control, which promises the same: its thresholds are a grid on [0, 1] fixed beforehand,
    whose sparse top ends the fixed sequence at once, and Bonferroni-Holm over the grid costs half of what can be
    answered: 17 % attempted at risk 10 % where this attempts 38 %, of 500 simulated questions.

    Questions without a confidence or a loss (None) are left out and counted; the promise is about those that can be
    judged. Raises `InputError` for a risk or assurance outside (0, 1), or sequences of unequal length.
    """
    check_level(assurance)
    if not 0.0 < risk < 1.0:
        raise InputError(f"A risk lies between 0 and 1, such as 0.1; got {risk}.")
    scores_N, losses_N, _ = _pairs(confidences, losses)
    order = np.argsort(-scores_N, kind="stable")
    scores_N, losses_N = scores_N[order], losses_N[order]
    best = 0
    for rank in _ranks(len(scores_N), risk, 1 - assurance):
        counted = int(np.searchsorted(-scores_N, -scores_N[rank - 1], side="right"))
        if _p_value(losses_N[:counted], risk) > 1 - assurance:
            break
        best = counted
    return _threshold(scores_N, losses_N, best, len(confidences), (risk, assurance))


def risk_coverage(
    confidences: Sequence[Confidence],
    losses: Sequence[Verdict],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> RiskCoverage:
    """The risk at each coverage, with an interval for each taken by itself, and the area.

    Answers of equal confidence are attempted together; in the area they come in random order, integrated exactly. The
    area's interval is Wilson's on as many answers as have the area's bootstrap variance, with Student's quantile at a
    quarter of the questions, for the few at the top weigh most. It held the truth in 92 to 98 % of 400 draws of 50 to
    200 questions, except 91 % where confidence knows nothing (the percentile bootstrap: 83 to 95 %). Those sharing a
    cluster (the same question) are drawn together. Questions without a confidence or a loss are left out and counted;
    fewer than two distinct ones among the others give no points.
    """
    check_level(level)
    scores_N, losses_N, kept = _pairs(confidences, losses)
    named = list(range(len(kept))) if clusters is None else pick(clusters, kept, len(confidences))
    n, missing, distinct = len(scores_N), len(confidences) - len(scores_N), len(set(named))
    whole = rate([float(loss) for loss in losses_N], named, missing=missing, level=level)
    if distinct < 2:
        return RiskCoverage((), Estimate(None, 0.0, 1.0, n, distinct, missing, level), whole, n, missing)
    order = np.argsort(-scores_N, kind="stable")
    scores_N, losses_N, named = scores_N[order], losses_N[order], [named[i] for i in order]
    ends_G = np.flatnonzero(np.append(np.diff(scores_N) != 0, True)) + 1
    points = tuple(
        RiskPoint(
            float(scores_N[at - 1]), float(at / n), rate(losses_N[:at].tolist(), named[:at], level=level)
        )
        for at in _thinned(ends_G)
    )
    starts_G = np.concatenate([[0], ends_G[:-1]])
    point = float(_area(np.ones((1, n)), losses_N, starts_G)[0])
    variance = float(_area(_resampled(n, named, seed), losses_N, starts_G).var())
    worth = min(point * (1 - point) / variance, distinct) if variance > 0 else distinct / 2
    low, high = wilson(point, worth, quantile(level, max(distinct / 4, 2.0)))
    area = Estimate(point, low, high, n, distinct, missing, level, _repeated(n, distinct))
    return RiskCoverage(points, area, whole, n, missing)


def attempted_difference(
    a: tuple[Sequence[Confidence], Sequence[Verdict]],
    b: tuple[Sequence[Confidence], Sequence[Verdict]],
    share: float,
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Rate of `a` less rate of `b`, each over the share of the questions that it is most confident of.

    Both are (confidences, verdicts) on the same questions in the same order; what the two attempt may differ. The
    interval is the percentile bootstrap over questions, those sharing a cluster together, thresholds set anew in each
    resample, and never narrower than what no difference at all would have. Equal confidences come in an order drawn by
    `seed`. An attempted question without a verdict is missing on its side. No verdict on a side, or no question: no
    point and [-1, 1].
    """
    check_level(level)
    n = len(a[0])
    if {len(part) for part in (*a, *b)} != {n}:
        raise InputError("The same questions must come on both sides, each with a confidence and a verdict.")
    if not 0.0 < share <= 1.0:
        raise InputError(f"A share attempted lies in (0, 1]; got {share}.")
    if not n:
        return Estimate(None, -1.0, 1.0, 0, 0, 0, level)
    sides = [_ranked(*side, seed) for side in (a, b)]
    whole, resampled = np.ones((1, n)), _resampled(n, clusters, seed)
    distinct = n if clusters is None else len(set(clusters))
    missing = sum(side.missing(share) for side in sides)
    pair = [float(side.rate(whole, share)[0]) for side in sides]
    if any(map(math.isnan, pair)):
        return Estimate(None, -1.0, 1.0, 0, 0, missing, level)
    d = pair[0] - pair[1]
    each_B = sides[0].rate(resampled, share) - sides[1].rate(resampled, share)
    low, high = np.nanquantile(each_B, [(1 - level) / 2, (1 + level) / 2])
    low, high = _never_nothing(d, float(low), float(high), distinct, level)
    said = _repeated(n, distinct)
    return Estimate(d, max(low, -1.0), min(high, 1.0), n, distinct, missing, level, said)


# --- the threshold


def _pairs(confidences: Sequence[Confidence], losses: Sequence[Verdict]) -> tuple[Floats, Floats, list[int]]:
    """The questions that have both, as arrays (N,), and their places."""
    if len(confidences) != len(losses):
        raise InputError(f"{len(confidences)} confidences came with {len(losses)} losses; give one for each.")
    kept = [i for i, pair in enumerate(zip(confidences, losses, strict=True)) if None not in pair]
    scores_N = np.array([confidences[i] for i in kept], dtype=np.float64)
    if not np.isfinite(scores_N).all():
        raise InputError("A confidence is a finite number or None.")
    return scores_N, known([losses[i] for i in kept])[0], kept


def _ranks(n: int, risk: float, alpha: float) -> list[int]:
    """How many of the most confident answers each test looks at, the fewest first; none where none could reject."""
    first = 0
    for losses in range(ALLOWED + 1):
        needed = _needed(losses, risk, alpha)
        if losses == 0 or needed <= n / 4:
            first = needed
    if first > n:
        return []
    return sorted({round(float(step)) for step in np.linspace(first, n, STEPS)})


def _binomial(k: int, n: int, p: float) -> float:
    """P(Binomial(n, p) ≤ k)."""
    return 1.0 if k >= n else float(special.bdtr(k, n, p))


def _needed(losses: int, risk: float, alpha: float) -> int:
    """The fewest answers among which so many losses reject a risk above `risk` at `alpha`.

    P(Binomial(k, risk) ≤ losses) falls with k, so k is found by doubling, then halving.
    """
    high = losses + 1
    while _binomial(losses, high, risk) > alpha:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _binomial(losses, middle, risk) > alpha else (low, middle)
    return high


def _p_value(losses_N: Floats, risk: float) -> float:
    """How likely so few losses are where the risk is `risk`: exact for yes or no, else Hoeffding-Bentkus."""
    n, total = len(losses_N), float(losses_N.sum())
    if np.isin(losses_N, (0.0, 1.0)).all():
        return _binomial(round(total), n, risk)
    share = min(total / n, risk)
    gap = (share * math.log(share / risk) if share else 0.0) + (1 - share) * math.log(
        (1 - share) / (1 - risk)
    )
    bentkus = math.e * _binomial(math.ceil(total - 1e-9), n, risk)
    return min(math.exp(-n * gap), bentkus, 1.0)


def _threshold(
    scores_N: Floats, losses_N: Floats, best: int, asked: int, promised: tuple[float, float]
) -> Threshold:
    """The record, and what it says in words."""
    risk, assurance = promised
    n = len(scores_N)
    said = f"{100 * risk:.3g} %, {100 * assurance:.3g} % sure"
    if best:
        sentence = f"Of what is attempted, at most {said}, is a loss."
    elif n < (needed := _needed(0, risk, 1 - assurance)):
        sentence = (
            f"Declines everything: {n:,} judged questions are too few to promise at most {said}. That takes {needed:,} "
            "without a loss."
        )
    else:
        sentence = (
            f"Declines everything: even the most confident answers to {n:,} judged questions lose too often to "
            f"promise at most {said}. Allow more risk, or find a confidence that tells right from wrong."
        )
    return Threshold(
        value=float(scores_N[best - 1]) if best else None,
        risk=risk,
        assurance=assurance,
        attempted=rate([i < best for i in range(n)], missing=asked - n),
        seen=rate(losses_N[:best].tolist()),
        n=n,
        missing=asked - n,
        sentence=sentence,
    )


# --- curves and resamples


def _thinned(ends_G: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most `POINTS` ends of groups, evenly over the coverages; the last is always there."""
    if len(ends_G) <= POINTS:
        return ends_G
    wanted = np.linspace(ends_G[0], ends_G[-1], POINTS)
    return np.unique(ends_G[np.minimum(np.searchsorted(ends_G, wanted), len(ends_G) - 1)])


def _resampled(n: int, clusters: Sequence[Hashable] | None, seed: int) -> Floats:
    """How often each question came, (B, N); those of one cluster come together."""
    grouped = group(np.zeros(n), clusters)
    k = grouped.clusters
    drawn_B_K = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), RESAMPLES).astype(np.float64)
    return np.asarray(drawn_B_K[:, grouped.labels])


def _repeated(n: int, distinct: int) -> str:
    """What an estimate was corrected for, in words; empty where no question came twice."""
    return "duplicate questions" if distinct < n else ""


def _area(weights_B_N: Floats, losses_N: Floats, starts_G: NDArray[np.intp]) -> Floats:
    """(B,): the mean over coverages of the risk, questions in order of confidence.

    A group of weight w and mean loss m that follows weight W and losses S adds ∫ (S + mx)/(W + x) dx over (0, w), which
    is mw + (S - mW)·ln(1 + w/W).
    """
    weight_B_G = np.add.reduceat(weights_B_N, starts_G, axis=1)
    loss_B_G = np.add.reduceat(weights_B_N * losses_N, starts_G, axis=1)
    before_B_G, lost_B_G = weight_B_G.cumsum(1) - weight_B_G, loss_B_G.cumsum(1) - loss_B_G
    mean_B_G = loss_B_G / np.maximum(weight_B_G, 1.0)
    grown_B_G = np.where(before_B_G > 0, weight_B_G / np.maximum(before_B_G, 1.0), 0.0)
    each_B_G = loss_B_G + (lost_B_G - mean_B_G * before_B_G) * np.log1p(grown_B_G)
    return np.asarray(each_B_G.sum(1) / weights_B_N.sum(1))


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One side: the questions from the most confident down (`order_N`), those with a confidence, their verdicts."""

    order_N: NDArray[np.intp]
    sure_N: Floats
    told_N: Floats
    verdict_N: Floats

    def rate(self, weights_B_N: Floats, share: float) -> Floats:
        """(B,): the mean verdict over the first share of the weight; NaN where none of it has a verdict."""
        weights_B_N = weights_B_N[:, self.order_N]
        limit_B = share * weights_B_N.sum(1, keepdims=True)
        before_B_N = weights_B_N.cumsum(1) - weights_B_N
        taken_B_N = np.clip(limit_B - before_B_N, 0.0, weights_B_N) * self.sure_N * self.told_N
        with np.errstate(invalid="ignore"):
            return np.asarray((taken_B_N @ self.verdict_N) / taken_B_N.sum(1))

    def missing(self, share: float) -> int:
        """Attempted questions without a verdict."""
        attempted = math.ceil(share * len(self.order_N) - 1e-9)
        return int((self.sure_N * (1 - self.told_N))[:attempted].sum())


def _ranked(confidences: Sequence[Confidence], verdicts: Sequence[Verdict], seed: int) -> _Ranked:
    n = len(confidences)
    shuffled = np.random.default_rng(seed).permutation(n)
    scores_N = np.array([-math.inf if c is None else c for c in confidences], dtype=np.float64)
    order_N = shuffled[np.argsort(-scores_N[shuffled], kind="stable")]
    known([verdict for verdict in verdicts if verdict is not None])
    return _Ranked(
        order_N,
        np.array([confidences[i] is not None for i in order_N], dtype=np.float64),
        np.array([verdicts[i] is not None for i in order_N], dtype=np.float64),
        np.array([float(verdicts[i] or 0.0) for i in order_N], dtype=np.float64),
    )


def _never_nothing(point: float, low: float, high: float, n: int, level: float) -> tuple[float, float]:
    """The interval around the point, where resampling saw no variation at all as wide as n like answers leave it."""
    if high - low > 1e-12:
        return min(low, point), max(high, point)
    z2 = normal_quantile(level) ** 2
    return point - z2 / (n + z2), point + z2 / (n + z2)
