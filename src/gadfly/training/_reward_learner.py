"""A reward model as a learner: trained anew on every set of labels, on texts that each trunk read once."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.errors import InputError
from gadfly.judges import Items, Scores
from gadfly.judges._reward import Part
from gadfly.judges._trunk import Read, Trunk, trunk
from gadfly.training._reward import read_texts
from gadfly.training._reward_data import Rows
from gadfly.training._reward_fit import fit_part, joint, logits_of, row_logits
from gadfly.training._reward_settings import RewardSettings

__all__ = ["RewardLearner", "reward_learner", "turned"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class RewardLearner:
    """What `gadfly train reward` makes of some of the `rows`: strength chosen, members fitted and calibrated each time.

    An item is a row: a labelled text, or a pair, whose score is the chance that its first text is preferred.
    """

    rows: Rows = field(repr=False)
    trunks: tuple[Trunk, ...]
    reads: tuple[Read, ...] = field(repr=False)
    settings: RewardSettings

    def spec(self) -> dict[str, Any]:
        trunks = [one.sha256 for one in self.trunks]
        return {
            "learner": "reward",
            "rows": self.rows.digest,
            "trunks": trunks,
            "settings": asdict(self.settings),
        }

    def learn(self, rows_L: Ints, labels_L: Floats, seed: int) -> _Members:
        told = replace(self.rows[rows_L], target_R=labels_L, weights_R=np.ones(len(rows_L)))
        settings = replace(self.settings, seed=seed)
        checked = [
            fit_part(found, told, base, settings) for found, base in zip(self.reads, self.trunks, strict=True)
        ]
        return _Members(self, joint(checked, told)[0])


@dataclass(frozen=True)
class _Members:
    learner: RewardLearner
    parts: tuple[Part, ...]

    def scores(self, rows_N: Ints) -> Floats:
        return self._said.mean_N[rows_N]

    def uncertainty(self, rows_N: Ints) -> Floats:
        return np.sqrt(self._said.epistemic_N[rows_N])

    @functools.cached_property
    def _said(self) -> Scores:
        """Of all rows: pool and test are asked for in turn."""
        rows = self.learner.rows
        logits_R_K = [
            row_logits(logits_of(part, found, rows), rows)
            for part, found in zip(self.parts, self.learner.reads, strict=True)
        ]
        return Scores(special.expit(np.hstack(logits_R_K)))


def reward_learner(rows: Rows, settings: RewardSettings | None = None) -> tuple[RewardLearner, Items]:
    """The learner, whose trunks have read every text (with bars on the error stream), and the rows' labels.

    Half of the pairs are turned round, so that "the first is preferred" is said of some and not of others. Raises
    `InputError` where pairs and labels are mixed, and what `train_reward` raises.
    """
    settings = settings or RewardSettings()
    if rows.kind == "both":
        raise InputError(
            "Curves are drawn of pairs or of labelled texts; give a file that holds only one kind."
        )
    rows = turned(rows)
    trunks = tuple(trunk(one) for one in settings.on)
    reads, _ = read_texts(trunks, rows, settings)
    return RewardLearner(rows, trunks, tuple(reads), settings), Items(rows.target_R, rows.groups_R)


def turned(rows: Rows) -> Rows:
    """The rows with a random half of the pairs the other way round."""
    turned = rows.pairs & (np.random.default_rng(0).random(len(rows)) < 0.5)
    return replace(
        rows,
        left_R=np.where(turned, rows.right_R, rows.left_R),
        right_R=np.where(turned, rows.left_R, rows.right_R),
        target_R=np.where(turned, 1 - rows.target_R, rows.target_R),
    )
