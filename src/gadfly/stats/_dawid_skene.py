"""Who errs, and which way: each rater's sensitivity and specificity, from gold and from what the others said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.stats._agreement import Rating
from gadfly.stats._clusters import Floats
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import check_level
from gadfly.stats._rater_error import yes_or_no

__all__ = ["Confusion", "dawid_skene"]

PRIOR_WRONG, PRIOR_RIGHT = 1.0, 3.0
"""Each rater's two errors start from these votes: a quarter wrong, so a rater of whom little is known is not
thought perfect, and "fails" means fails (without it the two classes could swap names)."""
BURN_IN, DRAWS = 500, 2_000


@dataclass(frozen=True, slots=True)
class Confusion:
    """One rater's confusion matrix, as its two free numbers.

    `sensitivity` = P(says fails | fails), `specificity` = P(says passes | passes). The `n` of each counts the
    rater's votes on items of that class, an expectation where the truth is inferred; `n` here all their votes
    that told: on items of known truth or answered by others too. Without any, neither has a point.
    """

    rater: str
    sensitivity: Estimate
    specificity: Estimate
    n: int


def dawid_skene(
    ratings: Iterable[Rating],
    gold: Mapping[str, bool] | None = None,
    resolved: Mapping[str, bool] | None = None,
    *,
    level: float = 0.95,
) -> dict[str, Confusion]:
    """Every rater's error rates under Dawid & Skene's model (1979), by name in order.

    An item fails with probability π; its votes are independent given the truth; each rater has two error rates.
    `gold` and `resolved` are known truths, True for fails, and differ as in `rater_error`: gold says nothing of π.

    Point and interval are the posterior's mean and quantiles by Gibbs sampling (Kim & Ghahramani 2012, "Bayesian
    Classifier Combination"), not the maximum by EM that crowd-kit offers: a rater who caught three failures of
    three has at that maximum an error of exactly 0 and no interval, and the EM takes its inferred truths for
    certain when it counts. The seed is fixed: same ratings, same figures. Simulated coverage is in
    `benchmarks/raters.py`. Raters who err together (the same misreading) look better here than they are.
    """
    check_level(level)
    answered = yes_or_no(ratings)
    everyone = sorted({rater for answers in answered.values() for rater in answers})
    known = {**(resolved or {}), **(gold or {})}
    told = {item: answers for item, answers in sorted(answered.items()) if item in known or len(answers) > 1}
    seen = {rater for answers in told.values() for rater in answers}
    raters = [rater for rater in everyone if rater in seen]
    nothing = Estimate(None, 0.0, 1.0, 0, 0, level=level, correction="nobody else rated the same items")
    found = {rater: Confusion(rater, nothing, nothing, 0) for rater in everyone}
    if raters:
        votes = _votes(told, raters, known, gold or {})
        sampled = _sample(votes, np.random.default_rng(0))
        for index, rater in enumerate(raters):
            found[rater] = _confusion(rater, index, votes, sampled, level)
    return found


@dataclass(frozen=True, slots=True)
class _Votes:
    """V votes on N items by R raters: `item_V`, `rater_V`, `fails_V`; `truth_N` is 1, 0, or NaN for unknown;
    `drawn_N` says which items tell of the prevalence (all but gold).
    """

    item_V: NDArray[np.intp]
    rater_V: NDArray[np.intp]
    fails_V: NDArray[np.bool_]
    truth_N: Floats
    drawn_N: NDArray[np.bool_]
    raters: int


@dataclass(frozen=True, slots=True)
class _Sampled:
    """D draws of R raters' two errors, and how likely each of the N items fails."""

    miss_D_R: Floats
    alarm_D_R: Floats
    failing_N: Floats


def _votes(
    told: Mapping[str, Mapping[str, bool]],
    raters: list[str],
    known: Mapping[str, bool],
    gold: Mapping[str, bool],
) -> _Votes:
    place = {rater: index for index, rater in enumerate(raters)}
    rows = [
        (n, place[rater], fails)
        for n, answers in enumerate(told.values())
        for rater, fails in sorted(answers.items())
    ]
    item, rater, fails = np.array(rows, dtype=np.intp).T
    truth = np.array([float(known[name]) if name in known else np.nan for name in told])
    drawn = np.array([name not in gold for name in told])
    return _Votes(item, rater, fails.astype(bool), truth, drawn, len(raters))


def _sample(votes: _Votes, rng: np.random.Generator) -> _Sampled:
    """Gibbs: errors given truths, prevalence given truths, truths given both; started at the majority's answer."""
    unknown_N = np.isnan(votes.truth_N)
    share_N = np.bincount(votes.item_V, votes.fails_V) / np.bincount(votes.item_V)
    fails_N = np.where(unknown_N, share_N > 0.5, votes.truth_N == 1.0)
    misses, alarms, failing_N = [], [], np.zeros(len(fails_N))
    for step in range(BURN_IN + DRAWS):
        miss_R, alarm_R = _errors(votes, fails_N, rng)
        drawn = fails_N[votes.drawn_N]
        prevalence = rng.beta(0.5 + drawn.sum(), 0.5 + (~drawn).sum())
        log_odds_V = np.where(
            votes.fails_V,
            (np.log1p(-miss_R) - np.log(alarm_R))[votes.rater_V],
            (np.log(miss_R) - np.log1p(-alarm_R))[votes.rater_V],
        )
        odds_N = np.bincount(votes.item_V, log_odds_V) + special.logit(prevalence)
        chance_N = np.where(unknown_N, special.expit(odds_N), votes.truth_N)
        fails_N = rng.random(len(chance_N)) < chance_N
        if step >= BURN_IN:
            misses.append(miss_R)
            alarms.append(alarm_R)
            failing_N += chance_N / DRAWS
    return _Sampled(np.array(misses), np.array(alarms), failing_N)


def _errors(votes: _Votes, fails_N: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """One draw of every rater's miss and false alarm, given which items fail, away from 0 and 1."""
    failing_V = fails_N[votes.item_V]

    def beta(of_V: NDArray[np.bool_], wrong_V: NDArray[np.bool_]) -> Floats:
        wrong = np.bincount(votes.rater_V, of_V & wrong_V, votes.raters)
        right = np.bincount(votes.rater_V, of_V & ~wrong_V, votes.raters)
        return np.clip(rng.beta(PRIOR_WRONG + wrong, PRIOR_RIGHT + right), 1e-9, 1 - 1e-9)

    return beta(failing_V, ~votes.fails_V), beta(~failing_V, votes.fails_V)


def _confusion(rater: str, index: int, votes: _Votes, sampled: _Sampled, level: float) -> Confusion:
    mine = votes.item_V[votes.rater_V == index]
    n, fails = len(mine), round(float(sampled.failing_N[mine].sum()))

    def estimate(errors_D: Floats, of: int) -> Estimate:
        low, high = np.quantile(1 - errors_D, [(1 - level) / 2, (1 + level) / 2])
        return Estimate(float(1 - errors_D.mean()), float(low), float(high), of, of, level=level)

    miss_D, alarm_D = sampled.miss_D_R[:, index], sampled.alarm_D_R[:, index]
    return Confusion(rater, estimate(miss_D, fails), estimate(alarm_D, n - fails), n)
