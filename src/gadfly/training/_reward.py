"""`train_reward`: a reward model with uncertainty from pairs of texts, labelled texts, or both.

The trunk reads every text once, whatever the number of members and of folds; see `_reward_fit` for what is then made
of it and how it is checked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.errors import GadflyError
from gadfly.judges import known
from gadfly.judges._calibration import promise
from gadfly.judges._record import Labels
from gadfly.judges._reward import Part, Reward
from gadfly.judges._reward_record import Cost, Made, RewardCard
from gadfly.judges._rounds import check_name
from gadfly.judges._trunk import EmbeddingTrunk, LanguageTrunk, Read, Trunk, short_of_memory, trunk
from gadfly.models._weights import progress
from gadfly.training._reward_card import elsewhere, measured, mistakes, seconds, unsure, worth
from gadfly.training._reward_data import Rows
from gadfly.training._reward_fit import Checked, fit_part, joint
from gadfly.training._reward_settings import RewardSettings

__all__ = ["read_texts", "train_reward"]

Floats = NDArray[np.float64]


def train_reward(name: str, rows: Rows, settings: RewardSettings | None = None) -> Reward:
    """A reward model called `name`; not saved yet. Shows bars on the error stream.

    Raises `InputError` for a name that a built-in judge has or no directory can have, for settings the trunk cannot
    have, and for labels of which one kind comes from a single group; `GadflyError` when memory runs out or a trunk is
    nowhere to be had. The same rows and settings give the same reward model on the same machine.
    """
    settings = settings or RewardSettings()
    check_name(name, known())
    trunks = [trunk(one) for one in settings.on]
    reads, read_s = read_texts(trunks, rows, settings)
    with progress(f"Fitting {settings.each} members a fold", None):
        checked, one_s = _fit(reads, rows, trunks, settings)
    parts, logits_R_K = joint(checked, rows)
    scores, data, kept = measured(logits_R_K, rows)
    pairs = bool(rows.pairs.any())
    at = None if pairs else promise(scores.mean_N, data, settings.recall, settings.confidence)
    with progress("Reading texts from elsewhere", None):
        others = elsewhere(checked, reads, rows, settings.seed)
    reads_as = _reads(rows, settings)
    card = RewardCard(
        name,
        0,
        datetime.now(UTC).replace(microsecond=0),
        rows.kind,
        reads_as,
        _labels(rows),
        at.threshold if at else 0.5,
        at,
        worth(scores, data, pairs, settings.seed),
        unsure(scores, data, settings.seed),
        others,
        _cost(checked, reads, rows, settings, _Took(tuple(read_s), one_s)),
        mistakes(scores, rows, kept),
        _made(checked, settings),
        _learned(rows, logits_R_K, checked),
        rows.questions,
    )
    return Reward(name, card.threshold, rows.kind, reads_as, parts, card)


def read_texts(
    trunks: Sequence[Trunk], rows: Rows, settings: RewardSettings
) -> tuple[list[Read], list[float]]:
    """What each trunk makes of the texts, and the seconds that took."""
    found, taken = [], []
    for base in trunks:
        begun = time.perf_counter()
        with progress(f"Reading through {base.name}", len(rows.texts)) as advance:
            found.append(base.read(rows.texts, settings.adapted, advance))
        taken.append(time.perf_counter() - begun)
    return found, taken


def _fit(
    reads: Sequence[Read], rows: Rows, trunks: Sequence[Trunk], settings: RewardSettings
) -> tuple[list[Checked], float]:
    """The parts, and the seconds that one member on the first trunk takes: what all are measured against."""
    try:
        checked = [fit_part(found, rows, base, settings) for found, base in zip(reads, trunks, strict=True)]
        one = fit_part(reads[0], rows, trunks[0], replace(settings, members=1, head="bagged"))
    except (MemoryError, RuntimeError) as error:
        if not short_of_memory(error):
            raise
        raise GadflyError(
            f"Memory ran out while members were fitted on {len(rows):,} examples; give fewer examples or members."
        ) from error
    return checked, one.fit_s


def _reads(rows: Rows, settings: RewardSettings) -> str:
    """What of a transcript it reads: the dialogue where most of what it learned from is dialogues."""
    if settings.reads != "auto":
        return settings.reads
    told = sum(bool(re.search(r"(^|\n)\s*Assistant:", text)) for text in rows.texts)
    return "dialogue" if 2 * told > len(rows.texts) else "reply"


def _labels(rows: Rows) -> Labels:
    unequal = not np.allclose(rows.weights_R, 1.0)
    groups = len(np.unique(rows.groups_R))
    return Labels(len(rows), int((rows.target_R >= 0.5).sum()), groups, rows.digest, unequal, rows.source)


def _learned(rows: Rows, logits_R_K: Floats, checked: Sequence[Checked]) -> dict[str, float]:
    """By case, a score from heads that had not seen it: the members' where they were checked on it, else one head's."""
    mean_R = special.expit(logits_R_K).mean(1)
    cross_R = np.mean([special.expit(one.cross_R) for one in checked], 0)
    scores_R = np.where(np.isfinite(mean_R), mean_R, cross_R)
    return {case: float(score) for case, score in zip(rows.cases, scores_R, strict=True) if case}


def _made(checked: Sequence[Checked], settings: RewardSettings) -> Made:
    names = ("gadfly", "torch", "transformers")
    return Made(
        settings.share,
        settings.head,
        sum(len(one.part.heads.intercepts_M) for one in checked),
        settings.adapted,
        tuple((one.part.trunk.name, one.part.trunk.sha256) for one in checked),
        tuple(one.strength for one in checked),
        settings.seed,
        {package: version(package) for package in names},
    )


@dataclass(frozen=True)
class _Took:
    """Seconds each trunk read for, and seconds that fitting one member took."""

    read_s: tuple[float, ...]
    one_s: float


def _cost(
    checked: Sequence[Checked], reads: Sequence[Read], rows: Rows, settings: RewardSettings, took: _Took
) -> Cost:
    """All members against one on the first trunk. Scoring is timed on the texts it learned from: what reading them took
    then, and the members on top of it.
    """
    first = checked[0].first
    above = [seconds(one.first, found, settings.each) for one, found in zip(checked, reads, strict=True)]
    one_above = seconds(first, reads[0], 1)
    bytes_one = _bytes(checked[:1], reads[:1], rows, 1)
    bytes_all = _bytes(checked, reads, rows, settings.each)
    return Cost(
        settings.each * len(checked),
        len(rows.texts),
        (sum(took.read_s) + sum(one.fit_s for one in checked), took.read_s[0] + took.one_s),
        (sum(took.read_s) + sum(above), took.read_s[0] + one_above),
        (bytes_all[0], bytes_one[0]),
        (bytes_all[1], bytes_one[1]),
    )


def _bytes(checked: Sequence[Checked], reads: Sequence[Read], rows: Rows, members: int) -> tuple[int, int]:
    """Bytes held while training and while scoring by `members` members a trunk: weights, what was read, the linear
    model, and Adam's state.
    """
    training = scoring = 0
    for one, found in zip(checked, reads, strict=True):
        width = one.part.heads.coefficients_M_D.shape[1]
        adapters = sum(t[:members].nbytes for t in one.first.adapters.values())
        tops = sum(p.nbytes for p in one.part.tops.parameters()) if one.part.layers else 0
        trunk_bytes = _weights_of(one.part) + tops
        read = found.features_N_D.nbytes + sum(kv.nbytes for kv in found.stems.keys_values)
        scoring += trunk_bytes + adapters + members * width * 8
        training += trunk_bytes + read + len(rows) * width * 8 + 4 * adapters + members * width * 8
    return training, scoring


def _weights_of(part: Part) -> int:
    base = part.trunk
    model = base.model.weights if isinstance(base, LanguageTrunk) else None
    if isinstance(base, EmbeddingTrunk):
        model = base.embedder.weights
    return sum(p.nbytes for p in model.parameters()) if model is not None else 0
