"""Labels of items that were drawn with unequal probabilities, and the judge's guess at all the others.

What corrected rates and confidence sequences both stand on. Notation: a run has N cases with judge's scores
f_1 … f_N; items I_1, I_2, … were drawn one after another, never one twice, I_t with probability q_t(I_t) given
the draws before it; y is what people said. Axis suffixes: N cases, T draws that have a label, K columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats
from gadfly.stats._rate import Verdict

__all__ = ["Draw", "Sample", "sample"]


@dataclass(frozen=True, slots=True)
class Draw:
    """One item, in the order drawn.

    `index` is its place among the run's cases. `probability` is how likely it was to be the one drawn, given
    the draws before it; `lowest` how likely the least likely item then was (what a confidence sequence must
    know; equal to `probability` under uniform drawing, and 0 where unknown). `label` is the mean of its
    votes in [0, 1], None when nobody could tell.
    """

    index: int
    probability: float
    label: float | None
    lowest: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The draws that have a label, as arrays, beside the judge's scores.

    `left_T` counts the cases without a label before it; `relative_T` = 1/(q_t · cases then undrawn) is how much
    rarer the item was drawn than under uniform drawing (mean 1), `rarest_T` the largest that could have been
    (infinite where unknown). A draw without a label counts as never made, which is right where labels are missing at
    random: were it known to be what the judge expects of it, intervals would be too narrow (half of 300 labels
    missing: coverage 78 to 90 % instead of 95 %).
    """

    scores_N: Floats
    index_T: np.ndarray
    labels_T: Floats
    left_T: Floats
    relative_T: Floats
    rarest_T: Floats
    missing: int

    @property
    def n(self) -> int:
        return len(self.labels_T)

    @property
    def spread(self) -> Floats:
        """(T,): how the variance of what a draw says of the total goes with the cases left: R(R - 1), never quite 0."""
        return np.maximum(self.left_T * (self.left_T - 1), 1e-9)

    def columns(self) -> Floats:
        """What the labels are regressed on: a constant, and the score where it tells cases apart."""
        ones = np.ones_like(self.scores_N)
        return np.stack([ones, self.scores_N] if np.ptp(self.scores_N) > 0 else [ones], axis=1)


def sample(scores: Sequence[Verdict], draws: Sequence[Draw]) -> Sample:
    """Check and arrange. A case the judge could not score gets the mean score: any guess keeps rates unbiased.

    Raises `InputError` for an item outside the run, one drawn twice, or a probability or label outside (0, 1]
    and [0, 1].
    """
    given = np.array([np.nan if score is None else float(score) for score in scores])
    if ((given < 0) | (given > 1)).any():
        raise InputError("A judge's score lies in [0, 1] or is None.")
    filled = np.where(np.isnan(given), np.nanmean(given) if np.isfinite(given).any() else 0.0, given)
    index = np.array([draw.index for draw in draws], dtype=np.intp)
    _check(index, draws, len(filled))
    told = np.array([draw.label is not None for draw in draws], dtype=bool)
    undrawn = len(filled) - np.arange(len(draws), dtype=np.float64)
    probability = np.array([draw.probability for draw in draws], dtype=np.float64)
    lowest = np.array([draw.lowest for draw in draws], dtype=np.float64)
    with np.errstate(divide="ignore"):
        rarest = 1 / (lowest * undrawn)
    return Sample(
        filled,
        index[told],
        np.array([draw.label for draw in draws if draw.label is not None], dtype=np.float64),
        len(filled) - np.arange(told.sum(), dtype=np.float64),
        1 / (probability[told] * undrawn[told]),
        rarest[told],
        int((~told).sum()),
    )


def _check(index: np.ndarray, draws: Sequence[Draw], cases: int) -> None:
    if len(index) and not (index.min() >= 0 and index.max() < cases):
        raise InputError(f"An item was drawn from outside the run: it has {cases} cases.")
    if len(np.unique(index)) < len(index):
        raise InputError("An item was drawn twice; each is drawn once, however many people label it.")
    for draw in draws:
        if not 0.0 < draw.probability <= 1.0:
            raise InputError(f"A probability of being drawn lies in (0, 1]; got {draw.probability}.")
        if draw.label is not None and not 0.0 <= draw.label <= 1.0:
            raise InputError(f"A label lies in [0, 1] or is None; got {draw.label}.")
