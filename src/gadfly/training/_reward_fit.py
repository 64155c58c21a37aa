"""Members on what a trunk has read: fitted, calibrated and checked on groups they never saw.

Those members *are* the reward model; none is fitted anew on everything afterwards, for the reason in
`judges._heads.committee`. Heads cost next to nothing, so each of five folds has its own and every row is checked;
adapters are trained once, on four fifths, and checked on the last.

Axes: N texts, R rows, D features, W width of a last state, K members.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gadfly.judges._calibration import Platt, calibrate
from gadfly.judges._heads import Heads, Labelled, joined
from gadfly.judges._reward import Part
from gadfly.judges._trunk import Read, Trunk
from gadfly.training._reward_adapters import Problem, train_adapters
from gadfly.training._reward_data import Rows
from gadfly.training._reward_heads import Design, bagged, bootstraps, choose_strength, design, folds, laplace
from gadfly.training._reward_settings import RewardSettings

__all__ = ["Checked", "fit_part", "joint", "logits_of", "row_logits", "said"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ROWS = 64  # texts whose last states are computed at once


@dataclass(frozen=True)
class Checked:
    """A fitted part and what its members say out of fold, calibrated: `logits_R_K` is NaN for rows never checked.
    `cross_R` is what one head says that did not see the row, for every row. `fit_s`: seconds above the trunk. `first`
    holds the members of the first fold alone, and `unseen` the texts that are in none of their rows.
    """

    part: Part
    logits_R_K: Floats
    cross_R: Floats
    strength: float
    fit_s: float
    first: Part
    unseen: Ints


def fit_part(found: Read, rows: Rows, base: Trunk, settings: RewardSettings) -> Checked:
    """Members on what one trunk has read of `rows.texts`. Raises what `folds` and `train_adapters` raise."""
    begun = time.perf_counter()
    part, raw_N_D = _blank(found, base, settings)
    data = design((raw_N_D - part.centre_D) / part.scale_D, rows, settings.label_weight)
    split = folds(rows, settings.seed)
    strength, cross_R = choose_strength(data, split)
    logits_R_K = np.full((len(rows), settings.each), np.nan)
    if settings.adapted:
        train, test = split[0]
        part = _adapted(part, found, rows[train], data[train], strength, settings)
        logits_R_K[test] = row_logits(logits_of(part, found, rows[test]), rows[test])
    else:
        made = []
        for number, (train, test) in enumerate(split):
            made.append(_heads(data[train], rows[train], strength, settings, number))
            one = replace(part, heads=made[-1])
            logits_R_K[test] = row_logits(logits_of(one, found, rows[test]), rows[test])
        part = replace(part, heads=joined(made))
    sigmoid = _calibration(logits_R_K, rows)
    said_R_K = sigmoid.slope * logits_R_K + np.where(rows.pairs, 0.0, sigmoid.offset)[:, None]
    part = replace(part, calibration=sigmoid)
    first = replace(part, heads=_first(part, settings))
    seen = np.concatenate([rows.left_R[split[0][0]], rows.right_R[split[0][0]]])
    unseen = np.setdiff1d(np.arange(len(rows.texts)), seen)
    cross_R = sigmoid.slope * cross_R + np.where(rows.pairs, 0.0, sigmoid.offset)
    return Checked(part, said_R_K, cross_R, strength, time.perf_counter() - begun, first, unseen)


def _first(part: Part, settings: RewardSettings) -> Heads:
    """The heads of the first fold."""
    return Heads(part.heads.coefficients_M_D[: settings.each], part.heads.intercepts_M[: settings.each])


def _blank(found: Read, base: Trunk, settings: RewardSettings) -> tuple[Part, Floats]:
    """A part without members yet, and the features they will see, which it knows how to standardise."""
    raw_N_D = found.features_N_D.astype(float)
    part = Part(base, np.zeros(0), np.ones(0), Heads(np.zeros((0, 0)), np.zeros(0)), layers=settings.adapted)
    if settings.adapted:
        raw_N_D = np.hstack([raw_N_D, _last_states(part, found)])
    return replace(part, centre_D=raw_N_D.mean(0), scale_D=raw_N_D.std(0) + 1e-6), raw_N_D


def _last_states(part: Part, found: Read) -> Floats:
    """The final state of each text's last token, as the trunk has it without adapters: (N, W)."""
    import torch

    with torch.no_grad():
        places = range(0, len(found.stems), _ROWS)
        rows = [part.tops(found.stems[range(n, min(n + _ROWS, len(found.stems)))])[0] for n in places]
        return np.asarray(torch.cat(rows).double().cpu().numpy())


def _heads(data: Design, rows: Rows, strength: float, settings: RewardSettings, number: int) -> Heads:
    seed = settings.seed * 100 + number
    if settings.head == "laplace":
        return laplace(data, strength, settings.each, seed)
    return bagged(data, list(bootstraps(rows, settings.each, seed)), strength)


def _adapted(
    part: Part, found: Read, rows: Rows, data: Design, strength: float, settings: RewardSettings
) -> Part:
    """The part with adapters, whose members start as bagged heads on the same bootstraps."""
    import torch

    counts_K_R = list(bootstraps(rows, settings.each, settings.seed * 100))
    wide = part.trunk.width
    problem = Problem(
        part.tops,
        found.stems,
        (found.features_N_D - part.centre_D[:wide]) / part.scale_D[:wide],
        torch.from_numpy(part.centre_D[wide:]).float(),
        torch.from_numpy(part.scale_D[wide:]).float(),
        rows,
        data.weights_R,
        strength,
    )
    training = replace(settings.adapters, seed=settings.seed)
    heads, adapters = train_adapters(problem, bagged(data, counts_K_R, strength), counts_K_R, training)
    return replace(part, heads=heads, adapters=adapters)


def logits_of(part: Part, found: Read, rows: Rows) -> Floats:
    """Each member's logit of the texts in some rows, (N, K); zero for the others."""
    used = np.unique(np.concatenate([rows.left_R, rows.right_R[rows.pairs]]))
    logits_U_K = part.logits(
        Read(found.features_N_D[used], found.stems[used.tolist()] if part.layers else found.stems)
    )
    logits_N_K = np.zeros((len(rows.texts), logits_U_K.shape[1]))
    logits_N_K[used] = logits_U_K
    return logits_N_K


def row_logits(logits_N_K: Floats, rows: Rows) -> Floats:
    """From texts to rows, (R, K): the difference of two texts, in which an intercept cancels, or one text's own."""
    against_R_K = np.where(rows.pairs[:, None], logits_N_K[rows.right_R], 0.0)
    return np.asarray(logits_N_K[rows.left_R] - against_R_K)


def _calibration(logits_R_K: Floats, rows: Rows) -> Platt:
    """The sigmoid by the checked rows: by the pairs, each in both orders so that it has no offset, where there are any.

    Without offset a labelled text beside them keeps its intercept, stretched like the rest.
    """
    logits_M_K, data = said(logits_R_K, rows)
    if not rows.pairs.any():
        return calibrate(logits_M_K, data)
    both = Labelled(
        np.zeros((2 * len(logits_M_K), 0)),
        np.concatenate([data.labels_N, 1 - data.labels_N]),
        np.tile(data.weights_N, 2),
        np.tile(data.groups_N, 2),
    )
    return replace(calibrate(np.vstack([logits_M_K, -logits_M_K]), both), offset=0.0)


def said(logits_R_K: Floats, rows: Rows) -> tuple[Floats, Labelled]:
    """The rows by which a reward model is measured: those that were checked, and of them the pairs where there are any.

    (M, K) logits, and targets, weights and groups as the judges' own figures take them.
    """
    kept = np.flatnonzero(np.isfinite(logits_R_K).all(1) & (rows.pairs | (not rows.pairs.any())))
    data = Labelled(np.zeros((len(kept), 0)), rows.target_R[kept], rows.weights_R[kept], rows.groups_R[kept])
    return logits_R_K[kept], data


def joint(parts: Sequence[Checked], rows: Rows) -> tuple[tuple[Part, ...], Floats]:
    """Parts whose members are put side by side, calibrated together, and what all say out of fold, (R, ΣK)."""
    logits_R_K = np.hstack([one.logits_R_K for one in parts])
    if len(parts) == 1:
        return (parts[0].part,), logits_R_K
    over = _calibration(logits_R_K, rows)
    made = tuple(
        replace(
            one.part,
            calibration=Platt(
                over.slope * one.part.calibration.slope,
                over.slope * one.part.calibration.offset + over.offset,
            ),
        )
        for one in parts
    )
    return made, over.slope * logits_R_K + np.where(rows.pairs, 0.0, over.offset)[:, None]
