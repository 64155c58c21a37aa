"""Whether people agree: Krippendorff's alpha over a queue's ratings, and how each person changed while rating.

A `Rating` is one person's answer to one item. Everything here reads ratings in any order, takes the last one
where a rater answered an item twice, and leaves "cannot tell" out as missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from statistics import median

import krippendorff
import numpy as np
from numpy.typing import NDArray

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats
from gadfly.stats._difference import difference
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import check_level, proportion, rate

__all__ = ["Drift", "Rating", "alpha", "counted", "drift"]

REDRAWS = 4_000
"""Draws behind alpha's interval; its ends then move by about 0.005 from seed to seed, which is why one is fixed."""


@dataclass(frozen=True, slots=True)
class Rating:
    """One person's answer to one item.

    `score` is 1.0 for fails, 0.0 for passes, None for cannot tell; `alpha` takes any set of values (a
    comparison's 0, ½ and 1), what estimates errors takes only 0 and 1. `seconds` of 0 were not measured.
    """

    item: str
    rater: str
    score: float | None
    seconds: float = 0.0
    at: datetime | None = None


def alpha(ratings: Iterable[Rating], level: float = 0.95) -> Estimate:
    """Krippendorff's alpha for nominal values: 1 is full agreement, 0 what chance gives, below 0 is discord.

    1 - D_observed/D_expected over the items with two answers or more (Krippendorff 2011, "Computing
    Krippendorff's Alpha-Reliability"), missing answers allowed. `n` and `clusters` count those items,
    `missing` the answers "cannot tell". Where alpha is undefined (no item answered twice, or every answer the
    same) the point is None, the interval [-1, 1], and `correction` says why.

    The interval is Rubin's Bayesian bootstrap over items (Annals of Statistics 1981, 9:130), with one item of
    each kind added: one on which two people agree for every value, and one on which two disagree. Without
    them thirty items of full agreement would give [1, 1]. It covers 95 to 96 % in six settings (30 to 200 items,
    alpha from 0 to 0.96; benchmarks/raters.py), where the ordinary percentile bootstrap covered 52 to 95 %.
    """
    check_level(level)
    table = counted(ratings)
    missing = sum(score is None for item in table.values() for score in item.values())
    known = [[score for score in item.values() if score is not None] for item in table.values()]
    pairable = [scores for scores in known if len(scores) > 1]
    values = sorted({score for scores in pairable for score in scores})
    if len(values) < 2:
        why = "every answer was the same" if pairable else "no item was answered by two people"
        return Estimate(None, -1.0, 1.0, len(pairable), len(pairable), missing, level, why)
    counts = np.array([[scores.count(value) for value in values] for scores in pairable])
    point = float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
    draws = _alpha_draws(counts, np.random.default_rng(0))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    n = len(pairable)
    return Estimate(point, min(float(low), point), max(float(high), point), n, n, missing, level)


def _alpha_draws(counts_N_V: NDArray[np.int_], rng: np.random.Generator) -> Floats:
    """Alpha under random weights of the items, N items with the count of each of V values.

    Alpha needs of an item only its counts and m·D = (m² - Σ counts²)/(m - 1), so a draw is one product of
    weights with these, and items alike share one weight, Gamma distributed with their number as its shape.
    """
    values = counts_N_V.shape[1]
    kinds, times = np.unique(counts_N_V, axis=0, return_counts=True)
    pairs = list(combinations(range(values), 2))
    agreeing = 2.0 * np.eye(values)
    split = np.array([np.eye(values)[a] + np.eye(values)[b] for a, b in pairs])
    shape = np.concatenate([times, np.ones(values), np.full(len(pairs), 1.0 / len(pairs))])
    counts = np.vstack([kinds, agreeing, split])
    m = counts.sum(axis=1)
    disagreeing = (m**2 - (counts**2).sum(axis=1)) / (m - 1)
    weights = rng.gamma(shape, size=(REDRAWS, len(shape)))
    weights *= len(counts_N_V) / weights.sum(axis=1, keepdims=True)
    totals, observed = weights @ counts, weights @ disagreeing
    n = totals.sum(axis=1)
    expected = n**2 - (totals**2).sum(axis=1)
    return np.asarray(1.0 - (n - 1.0) * observed / expected, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Drift:
    """How one rater's answers moved from the first half of their items to the second, in the order answered.

    `flagged` and `agreed` are (first half, second half): the share answered "fails", and the mean share of
    the others' answers to the same items that were theirs. The changes are second minus first. `flagged` also
    moves when the items do (a queue that asks the likeliest failures first); `agreed` is then the one to
    trust. `seconds` are medians, None where no time was measured. `gold` is the share of gold items answered
    as known.
    """

    rater: str
    n: int
    flagged: tuple[Estimate, Estimate]
    flagged_change: Estimate
    agreed: tuple[Estimate, Estimate]
    agreed_change: Estimate
    seconds: tuple[float | None, float | None]
    gold: Estimate


def drift(
    ratings: Iterable[Rating], gold: Mapping[str, bool] | None = None, *, level: float = 0.95
) -> dict[str, Drift]:
    """Each rater's first half against their second, by name in order; `gold` is what is known of an item.

    The order is by `at`, ratings without one first, in the order given. An odd one out belongs to the second
    half. Gold left unanswered as "cannot tell" is `gold.missing`.
    """
    check_level(level)
    table, by_rater = _by_rater(ratings)
    return {rater: _drift(rater, by_rater[rater], table, gold or {}, level) for rater in sorted(by_rater)}


def _drift(
    rater: str,
    mine: Sequence[Rating],
    table: Mapping[str, Mapping[str, float | None]],
    gold: Mapping[str, bool],
    level: float,
) -> Drift:
    half = len(mine) // 2
    halves = mine[:half], mine[half:]
    flags = [[rating.score for rating in part] for part in halves]
    agreements = [[_agreement(rating, table[rating.item]) for rating in part] for part in halves]
    known = [(rating.score, gold[rating.item]) for rating in mine if rating.item in gold]
    told = [(score, truth) for score, truth in known if score is not None]
    right = sum(score == truth for score, truth in told)
    return Drift(
        rater,
        len(mine),
        (rate(flags[0], level=level), rate(flags[1], level=level)),
        difference(flags[1], flags[0], level=level),
        (rate(agreements[0], level=level), rate(agreements[1], level=level)),
        difference(agreements[1], agreements[0], level=level),
        (_median_seconds(halves[0]), _median_seconds(halves[1])),
        proportion(right, len(told), missing=len(known) - len(told), level=level),
    )


def _agreement(rating: Rating, answers: Mapping[str, float | None]) -> float | None:
    """The share of the others' answers to this item that equal this one; None where nobody else could tell."""
    others = [score for rater, score in answers.items() if rater != rating.rater and score is not None]
    if rating.score is None or not others:
        return None
    return sum(score == rating.score for score in others) / len(others)


def _median_seconds(ratings: Iterable[Rating]) -> float | None:
    measured = [rating.seconds for rating in ratings if rating.seconds > 0]
    return median(measured) if measured else None


def _by_rater(
    ratings: Iterable[Rating],
) -> tuple[dict[str, dict[str, float | None]], dict[str, list[Rating]]]:
    """item → rater → score, and each rater's last rating of every item in the order of time."""
    kept = {(rating.rater, rating.item): rating for rating in ratings}
    by_rater: dict[str, list[Rating]] = {}
    for rating in sorted(kept.values(), key=lambda rating: rating.at.timestamp() if rating.at else -math.inf):
        by_rater.setdefault(rating.rater, []).append(rating)
    return counted(kept.values()), by_rater


def counted(ratings: Iterable[Rating]) -> dict[str, dict[str, float | None]]:
    """item → rater → score, the last rating of an item by a rater counting; a score outside [0, 1] is refused."""
    table: dict[str, dict[str, float | None]] = {}
    for rating in ratings:
        if rating.score is not None and not 0.0 <= rating.score <= 1.0:
            raise InputError(
                f"{rating.rater!r} rated item {rating.item!r} {rating.score}; give a score in [0, 1] or None."
            )
        table.setdefault(rating.item, {})[rating.rater] = rating.score
    return table
