"""A confidence sequence: an interval for a run's rate that holds after every label at once.

One may look after each label and stop when it is narrow enough; the chance that the truth ever lies outside is
at most 1 - level. It is a bet (Waudby-Smith & Ramdas 2024, JRSS-B 86:1, arXiv 2010.09686, §4: hedged capital
with predictable plug-in bets; for unequal, adaptive drawing Zrnic & Candès 2024 and Xu, Karampatziakis &
Mineiro 2024, arXiv 2406.10490): for every possible rate m a gambler starts with 1 and bets on whether the next
X_t falls above or below m. Were m true, X_t would have m as its mean given all before, whatever policy drew it,
so the gambler's capital would be a martingale and by Ville's inequality pass 1/α with probability at most α.
The m under which the gambler got rich are out, for good.

X_t = mean of g_t + (Σ_{s<t} e_s + e_t/q_t)/N, as in `_corrected`, except that g_t is regressed on the labels
before t alone. It concerns the run's own N cases, so it closes on their rate when all are labelled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats
from gadfly.stats._draws import Draw, Sample, sample
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import Verdict, check_level

__all__ = ["ConfidenceSequence", "confidence_sequence"]

GRID = 4_001
"""Rates at which the bets are kept; the interval reaches to the next one outside."""
TRUST = 4.0
"""What trusting the judge weighs, in labels, before there are any."""
BOLDNESS = 0.75
"""The largest share of the capital that one bet can lose."""


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """The interval after 0, 1, …, T labels: `low` and `high`, each (T + 1,) and never widening.

    `point` (T + 1,) is the estimate at each look, None without a label; `level` holds for all looks together.
    """

    point: tuple[float | None, ...]
    low: Floats
    high: Floats
    cases: int
    missing: int
    level: float

    def at(self, labels: int) -> Estimate:
        """The estimate after that many labels; -1 is the last."""
        n = labels if labels >= 0 else len(self.low) + labels
        words = f"judge's errors, by {n:,} labels on {self.cases:,} cases; valid at every look"
        low, high = float(self.low[n]), float(self.high[n])
        return Estimate(self.point[n], low, high, n, n, self.missing, self.level, words)

    def until(self, width: float) -> int | None:
        """How many labels it took for the interval to be no wider than `width`; None when it still is."""
        narrow = np.flatnonzero(self.high - self.low <= width)
        return int(narrow[0]) if len(narrow) else None


def confidence_sequence(
    scores: Sequence[Verdict], draws: Sequence[Draw], *, after: int = 0, level: float = 0.95
) -> ConfidenceSequence:
    """The rate of failures (of what people say fails) in a run's own cases, valid however often one looks.

    `scores` and `draws` as in `corrected_rate`; every draw must carry `lowest`, the bound on what a single
    label can weigh. Draws in the order drawn: a label that comes in late counts from its place in that
    order, and one that never comes is taken to be missing at random. No label gives [0, 1].

    A judge that learned from the first draws is no surprise to them: with `after`, their number, they count as known
    and no bet is made on them, so that the sequence holds for such a judge too (its looks then start at that label).
    """
    check_level(level)
    drawn = sample(scores, draws)
    if not np.isfinite(drawn.rarest_T).all():
        raise InputError("A confidence sequence needs every draw's lowest probability; one was not recorded.")
    payoff = _payoffs(drawn)
    learned = sum(draw.label is not None for draw in draws[:after])
    low, high = _bets(payoff, math.log(1 / (1 - level)), learned)
    known = np.concatenate([[0.0], np.cumsum(drawn.labels_T)]) / len(drawn.scores_N)
    other = np.concatenate([[0.0], np.cumsum(1 - drawn.labels_T)]) / len(drawn.scores_N)
    low, high = (np.clip(end, known, 1 - other) for end in (low, high))  # what is known beats any bet
    points = (None, *(float(p) for p in np.clip(payoff.running_T, low[1:], high[1:])))
    return ConfidenceSequence(points, low, high, len(drawn.scores_N), drawn.missing, level)


@dataclass(frozen=True, slots=True)
class _Payoffs:
    """`x_T` = X_t, each between `least_T` and `most_T` and with standard deviation about `spread_T` as known
    before it; `running_T` is their weighted mean so far.
    """

    x_T: Floats
    least_T: Floats
    most_T: Floats
    spread_T: Floats
    running_T: Floats


def _payoffs(drawn: Sample) -> _Payoffs:
    """X_t and its bounds: e lies between -max g and 1 - min g, and weighs at most `rarest` · left / N."""
    cases, design_NK = len(drawn.scores_N), drawn.columns()
    used_TK, mean_K = design_NK[drawn.index_T], design_NK.mean(axis=0)
    corners = np.stack([design_NK[drawn.scores_N.argmin()], design_NK[drawn.scores_N.argmax()]])
    coefficients_TK = _predictable(used_TK, drawn)
    at_corners = corners @ coefficients_TK.T
    guesses_T = (used_TK * coefficients_TK).sum(axis=1)
    # Labels before t summed under the coefficients of t: Σ y - (Σ columns) · coefficients.
    labels_before = np.cumsum(drawn.labels_T) - drawn.labels_T
    columns_before = np.cumsum(used_TK, axis=0) - used_TK
    base_T = (
        coefficients_TK @ mean_K + (labels_before - (columns_before * coefficients_TK).sum(axis=1)) / cases
    )
    weight_T, heaviest_T = drawn.left_T / cases * drawn.relative_T, drawn.left_T / cases * drawn.rarest_T
    residuals_T = drawn.labels_T - guesses_T
    x_T = base_T + weight_T * residuals_T
    squares = np.cumsum((drawn.relative_T * residuals_T) ** 2)
    second_T = (0.25 + squares - (drawn.relative_T * residuals_T) ** 2) / np.arange(1, drawn.n + 1)
    precision_T = 1 / drawn.spread
    return _Payoffs(
        x_T,
        base_T - heaviest_T * np.maximum(at_corners.max(axis=0), 0.0),
        base_T + heaviest_T * np.maximum(1 - at_corners.min(axis=0), 0.0),
        np.sqrt(second_T * drawn.spread) / cases,
        np.cumsum(precision_T * x_T) / np.cumsum(precision_T) if drawn.n else x_T,
    )


def _predictable(used_TK: Floats, drawn: Sample) -> Floats:
    """The regression of labels on scores before each draw: ridge, towards the judge as it is (c = 0, λ = 1)."""
    columns = used_TK.shape[1]
    prior = np.array([0.0, 1.0]) if columns == 2 else np.array([0.5])
    gram = np.cumsum(drawn.relative_T[:, None, None] * used_TK[:, :, None] * used_TK[:, None, :], axis=0)
    moment = np.cumsum((drawn.relative_T * drawn.labels_T)[:, None] * used_TK, axis=0)
    gram = np.concatenate([np.zeros((1, columns, columns)), gram])[: drawn.n] + TRUST * np.eye(columns)
    moment = np.concatenate([np.zeros((1, columns)), moment])[: drawn.n] + TRUST * prior
    return np.asarray(np.linalg.solve(gram, moment[:, :, None])[:, :, 0])


def _bets(payoff: _Payoffs, bar: float, after: int) -> tuple[Floats, Floats]:
    """Low and high after each label: the rates whose gamblers, half on each side, are below 1/α. No bet on the first
    `after` labels.
    """
    grid_M = np.linspace(0.0, 1.0, GRID)
    step = 1 / (GRID - 1)
    up_M, down_M = np.zeros(GRID), np.zeros(GRID)
    low, high = np.zeros(len(payoff.x_T) + 1), np.ones(len(payoff.x_T) + 1)
    for t in range(after + 1, len(payoff.x_T) + 1):
        x, bets = payoff.x_T[t - 1], t - after
        size = math.sqrt(2 * (bar + math.log(2)) / (bets * math.log(bets + 1))) / max(
            payoff.spread_T[t - 1], 1e-9
        )
        room_down = np.maximum(grid_M - payoff.least_T[t - 1], 1e-12)
        room_up = np.maximum(payoff.most_T[t - 1] - grid_M, 1e-12)
        up_M += np.log1p(np.minimum(size, BOLDNESS / room_down) * (x - grid_M))
        down_M += np.log1p(np.minimum(size, BOLDNESS / room_up) * (grid_M - x))
        alive = np.flatnonzero(np.logaddexp(up_M, down_M) - math.log(2) < bar)
        if len(alive):
            low[t] = max(low[t - 1], grid_M[alive[0]] - step)
            high[t] = min(high[t - 1], grid_M[alive[-1]] + step)
        else:  # everything is out: the last interval stands
            low[t], high[t] = low[t - 1], high[t - 1]
    return np.maximum(low, 0.0), np.minimum(high, 1.0)
