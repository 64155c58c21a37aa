"""What travels with a reward model: its card and the file that says how to put it together, as JSON.

Every figure on the card is out of fold: from members that never saw the example's group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gadfly.judges._calibration import Bin, Platt, Promise
from gadfly.judges._record import Labels, Mistake
from gadfly.stats import Estimate

__all__ = [
    "Cost",
    "Elsewhere",
    "Learned",
    "Made",
    "RewardCard",
    "SavedPart",
    "SavedReward",
    "Unsure",
    "Worth",
]

Learned = Literal["pairs", "labels", "both"]


@dataclass(frozen=True, slots=True)
class Worth:
    """How good the mean prediction is. `accuracy`: of the pairs, or of whether people flag it. `calibration`: expected
    calibration error; `curve` its bins. `auroc` over pairs takes each in both orders.
    """

    accuracy: Estimate
    auroc: Estimate
    brier: Estimate
    calibration: Estimate
    curve: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Unsure:
    """What the uncertainty is worth: rank correlations (Spearman) with |mean prediction - label|.

    `epistemic` against the error; `total`, the same of p(1 - p), which needs no ensemble; `beyond`, epistemic against
    the error where p(1 - p) is held fixed (partial); `disagreement`, aleatoric against how far people's own votes are
    split, None where every label is all or nothing. `curve`: fifths by epistemic standard deviation and their mean
    error.
    """

    epistemic: Estimate
    total: Estimate
    beyond: Estimate
    disagreement: Estimate | None
    curve: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Texts of another kind: the chance that one of them has the higher epistemic variance than a text of the kind that
    was learned from, and the same of p(1 - p). One half is no better than a coin.
    """

    kind: str
    epistemic: Estimate
    total: Estimate


@dataclass(frozen=True, slots=True)
class Cost:
    """All members against one, measured in one run on the texts it learned from: seconds to train and to score `texts`
    texts, and the bytes of weights and optimiser state that are held at once while training and while scoring.
    """

    members: int
    texts: int
    train_s: tuple[float, float]
    score_s: tuple[float, float]
    train_bytes: tuple[int, int]
    score_bytes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Made:
    """How it was made. `share` is what its members share: trunk, layers, none; `strength` the inverse regularisation
    that cross-validation chose, a trunk each; `trunks` name and sha256.
    """

    share: str
    head: str
    members: int
    layers: int
    trunks: tuple[tuple[str, str], ...]
    strength: tuple[float, ...]
    seed: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RewardCard:
    """A reward model's card. `promise` is that of a judge's threshold, None for one that learned from pairs.

    `learned` holds, for each case it learned from, what members say that never saw it, `questions` the keys of all
    questions it learned from; see `Card`.
    """

    name: str
    round: int
    created: datetime
    kind: Learned
    reads: str
    labels: Labels
    threshold: float
    promise: Promise | None
    worth: Worth
    unsure: Unsure
    elsewhere: tuple[Elsewhere, ...]
    cost: Cost
    mistakes: tuple[Mistake, ...]
    made: Made
    learned: Mapping[str, float]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedPart:
    """Members on one trunk: its name and hash, how many of its top layers they adapt, and their calibration."""

    trunk: str
    sha256: str
    layers: int
    calibration: Platt


@dataclass(frozen=True, slots=True)
class SavedReward:
    """`reward.json`: what a reward model needs to score, beside the weights in `reward.safetensors`."""

    format: int
    name: str
    threshold: float
    kind: Learned
    reads: str
    parts: tuple[SavedPart, ...]
    weights_sha256: str
