"""A judge's rate put right by people's labels: cheap scores on every case, dear labels on a few.

The estimator is the survey sampler's generalised regression estimator on draws without replacement, which for
uniform drawing is power-tuned prediction-powered inference:

- labels are regressed on scores, g(f) = c + λf, weighted by how rarely an item was drawn (Särndal, Swensson &
  Wretman 1992, ch. 6; λ is the tuning of PPI++, Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453: a useless
  judge gets λ ≈ 0 and costs nothing);
- what g gets wrong, e = y - g, is summed from the draws: Z_t = Σ_{s<t} e_s + e_t/q_t has the run's total of e
  as its mean given all that came before, whatever the choosing policy did with it (Des Raj 1956, JASA 51:269;
  active inference, Zrnic & Candès 2024, arXiv 2403.03208). With R cases left its variance is as R(R - 1), so that is
  how the Z_t are weighted; under uniform drawing this reaches the variance of a sample without replacement, and the
  labels' own rate when all is labelled (cf. LURE, Farquhar, Gal & Rainforth 2021, arXiv 2101.11665);
- rate = mean of g over all cases + weighted mean of Z_t / N.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gadfly.stats._clusters import Floats, Grouped, design, group
from gadfly.stats._draws import Draw, Sample, sample
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import Verdict, check_level, normal_quantile, pick, quantile
from gadfly.stats._rater_error import RaterError

__all__ = ["RATERS_ERR", "corrected_rate", "corrected_within"]

RATERS_ERR = "raters' errors"
"""How `Estimate.correction` says that people's own errors were taken out."""

UNSEEN = 1.0
"""What the presumption of errors not seen yet weighs, in errors: see `_spread`."""
GUESSED = 5.0
"""What the judge's opinion of how alike answers to one question are weighs, in labels: see `_effect`."""


def corrected_rate(
    scores: Sequence[Verdict],
    draws: Sequence[Draw],
    clusters: Sequence[Hashable] | None = None,
    *,
    error: RaterError | None = None,
    level: float = 0.95,
) -> Estimate:
    """The rate of failures among cases like a run's, from a judge's score (or verdict) on all of its N cases
    and people's labels on the ones drawn.

    `clusters` names each case's question, as in `rate`. Labels of None, whether nobody could tell or nobody has been
    asked yet, are left out and counted as missing, which takes them to fail as often as others with their score. With
    `error`, the rate is that of the truth
    behind the votes instead of that of the votes: (rate - false alarm) / (1 - miss - false alarm) (Rogan &
    Gladen 1978), the uncertainty of both error rates joined to the interval by MOVER (Zou & Donner 2008,
    Statistics in Medicine 27:1693). `n` counts the labels. Fewer than three give no correction: the point is
    None and the interval [0, 1].

    The interval inverts |rate - r| ≤ t·√V(r): see `_spread`. Simulated coverage:
    benchmarks/results/correction.json.
    """
    check_level(level)
    drawn = sample(scores, draws)
    if drawn.n < 3:
        return Estimate(None, 0.0, 1.0, drawn.n, drawn.n, drawn.missing, level, "too few labels")
    fit = _regress(drawn)
    names = clusters if clusters is None else pick(clusters, range(len(scores)), len(scores))
    variance = _spread(drawn, fit, _effect(drawn, fit, names))
    t = quantile(level, drawn.n - fit.columns)
    low, high = _inverted(fit.rate, variance, t)
    point, words = fit.rate, f"judge's errors, by {drawn.n:,} labels on {len(scores):,} cases"
    if error is not None:
        point, low, high = _truth((point, low, high), error, normal_quantile(level))
        words += f"; {RATERS_ERR}, by {error.n_items:,} items"
    return Estimate(point, low, high, drawn.n, drawn.n, drawn.missing, level, words)


def corrected_within(
    part: Sequence[Verdict],
    scores: Sequence[Verdict],
    draws: Sequence[Draw],
    clusters: Sequence[Hashable] | None = None,
    *,
    error: RaterError | None = None,
    level: float = 0.95,
) -> Estimate:
    """The rate, among all cases, of those that lie in a known part and *pass*: of false claims, those that their quotes
    show.

    `part` is 1 where a case lies in it, 0 where it does not, None where that is not known: such a case tells nothing.
    The others as in `corrected_rate`, which this is of the product, with the raters' errors read the other way about
    and within the part only. Missing labels are taken to be as common within the part as outside of it: where "cannot
    tell" is said more often within, the rate comes out low.
    """

    def both(index: int, failure: Verdict) -> float | None:
        within = part[index]
        return None if within is None or failure is None else within * (1 - failure)

    known = [float(within) for within in part if within is not None]
    share = sum(known) / len(known) if known else 0.0
    return corrected_rate(
        [both(index, score) for index, score in enumerate(scores)],
        [replace(draw, label=both(draw.index, draw.label)) for draw in draws],
        clusters,
        error=error.opposite_within(share) if error is not None else None,
        level=level,
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """`guesses_N` = g of every case; `residuals_T`; `totals_T` = Z_t / N; `weights_T` sum to 1."""

    guesses_N: Floats
    residuals_T: Floats
    totals_T: Floats
    weights_T: Floats
    columns: int

    @property
    def rate(self) -> float:
        """The estimate, cut to [0, 1]."""
        return min(max(float(self.guesses_N.mean() + self.weights_T @ self.totals_T), 0.0), 1.0)


def _regress(drawn: Sample) -> _Fit:
    design_NK = drawn.columns()
    root_T = np.sqrt(drawn.relative_T)
    used_TK = design_NK[drawn.index_T] * root_T[:, None]
    coefficients_K = np.linalg.lstsq(used_TK, drawn.labels_T * root_T, rcond=None)[0]
    guesses_N = design_NK @ coefficients_K
    residuals_T = drawn.labels_T - guesses_N[drawn.index_T]
    before_T = np.cumsum(residuals_T) - residuals_T
    totals_T = (before_T + residuals_T * drawn.relative_T * drawn.left_T) / len(guesses_N)
    weights_T = 1 / drawn.spread
    return _Fit(guesses_N, residuals_T, totals_T, weights_T / weights_T.sum(), design_NK.shape[1])


def _effect(drawn: Sample, fit: _Fit, clusters: Sequence[Hashable] | None) -> float:
    """The design effect of the run's own questions: 1 + ρ(Σm²/N - 1), m how many cases share a question.

    How alike answers to one question are, ρ, is read twice. From the labels, where some share a question; and from
    the guesses on every case. A judge that errs case by case makes answers look less alike than they are, by the
    share R² of the labels' variance that it explains, so that reading is divided by R² (and is 1 where nothing is
    explained). The first weighs what there is to learn it from, the second `GUESSED` labels.
    """
    if clusters is None:
        return 1.0
    run = group(fit.guesses_N, clusters)
    asked = group(drawn.labels_T, [clusters[i] for i in drawn.index_T])
    share = drawn.relative_T / drawn.relative_T.sum()
    varies = float(share @ (drawn.labels_T - share @ drawn.labels_T) ** 2)
    explained = 1 - float(share @ fit.residuals_T**2) / varies if varies > 0 else 0.0
    guessed = min(_likeness(run) / explained, 1.0) if explained > 0 else 1.0
    repeats = min(asked.n - asked.clusters, asked.clusters - 1, asked.n * min(asked.mean, 1 - asked.mean))
    told = _likeness(asked) if repeats > 0 else 0.0
    likeness = (max(repeats, 0.0) * told + GUESSED * guessed) / (max(repeats, 0.0) + GUESSED)
    return 1 + likeness * (_repetition(run) - 1)


def _repetition(data: Grouped) -> float:
    """Σm²/n: the design effect were all answers to one question the same."""
    return float((data.sizes**2).sum()) / data.n


def _likeness(data: Grouped) -> float:
    """How alike answers to one question are, in [0, 1], as `design` reads it; 1 where nothing comes twice."""
    variance, repetition = float(data.values.var()), _repetition(data)
    if repetition <= 1.0:
        return 1.0
    rare = max(min(data.mean, 1 - data.mean) * data.n, 0.0)
    return min((design(data, variance, rare).effect - 1) / (repetition - 1), 1.0)


def _spread(drawn: Sample, fit: _Fit, effect: float) -> Callable[[float], float]:
    """V(r), the variance of the estimate were the true rate r.

    Two parts. Over draws: V̂ = Σ w_t² (Z_t - Z̄)² · n/(n - K), valid because the Z_t are uncorrelated. Over
    runs: the run's own cases are a sample too, r(1 - r) · design effect / N.

    V̂ changes with r, which is why Wilson's interval is not symmetric: for n yes-or-no answers p(1 - p) moves
    by δ(1 - 2p) - δ² when p moves by δ, and 1 - 2p is the third moment of an answer over its second. We take
    that slope from the moments of e, and count `UNSEEN` further errors, towards wherever r lies: with no error
    seen among n labels this gives t²/(n + t²) to either side, with a useless judge it gives Wilson.
    """
    n, w, d = drawn.n, fit.weights_T, fit.weights_T @ fit.totals_T
    seen = float(w**2 @ (fit.totals_T - d) ** 2) * n / max(n - fit.columns, 1)
    unit = float((w * drawn.relative_T * drawn.left_T / len(fit.guesses_N)) ** 2 @ np.ones(n))
    share = drawn.relative_T / drawn.relative_T.sum()
    second = float(share @ fit.residuals_T**2) + UNSEEN / n
    third = float(share @ fit.residuals_T**3)
    up, down = (third + UNSEEN / n) / second, (third - UNSEEN / n) / second
    rate, cases = fit.rate, len(fit.guesses_N)

    def variance(r: float) -> float:
        delta = r - rate
        over_draws = seen + unit * ((up if delta > 0 else down) * delta - delta * delta)
        return max(over_draws, 0.0) + effect * r * (1 - r) / cases

    return variance


def _inverted(rate: float, variance: Callable[[float], float], t: float) -> tuple[float, float]:
    """The rates r with |rate - r| ≤ t·√V(r): the connected piece around the estimate, by bisection."""

    def end(inside: float, outside: float) -> float:
        if (outside - rate) ** 2 <= t * t * variance(outside):
            return outside
        for _ in range(50):
            middle = (inside + outside) / 2
            kept = (middle - rate) ** 2 <= t * t * variance(middle)
            inside, outside = (middle, outside) if kept else (inside, middle)
        return inside

    return end(rate, 0.0), end(rate, 1.0)


def _truth(votes: tuple[float, float, float], error: RaterError, z: float) -> tuple[float, float, float]:
    """Point, low and high of the truth from those of the votes, the error rates' own uncertainty included.

    d truth / d miss = truth/J and d truth / d false alarm = -(1 - truth)/J, with J = 1 - miss - false alarm;
    MOVER joins that variance to each arm in quadrature.
    """
    informative = 1 - error.miss - error.false_alarm
    point, low, high = ((v - error.false_alarm) / informative for v in votes)
    held = min(max(point, 0.0), 1.0)
    slope = np.array([held, held - 1]) / informative
    own = z * math.sqrt(max(float(slope @ np.array(error.covariance) @ slope), 0.0))
    low, high = point - math.hypot(point - low, own), point + math.hypot(high - point, own)
    return held, min(max(low, 0.0), held), max(min(high, 1.0), held)
