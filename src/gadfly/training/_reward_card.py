"""The figures on a reward model's card: what it is worth, what its uncertainty is worth, and what it costs.

All are out of fold. "Error" is |mean prediction - target|, where the target is what people said: the share of raters
who flag a text, or of those who prefer the first of two.
"""

from __future__ import annotations

import inspect
import json.decoder
import textwrap
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.judges._calibration import Bin, auroc, calibration_error, curve, share
from gadfly.judges._heads import Heads, Labelled
from gadfly.judges._record import Mistake
from gadfly.judges._reward import Part, Scores
from gadfly.judges._reward_record import Elsewhere, Unsure, Worth
from gadfly.judges._trunk import Read
from gadfly.stats import partial_spearman, spearman
from gadfly.training._reward_data import Rows
from gadfly.training._reward_fit import Checked, said
from gadfly.transcripts import Turn

__all__ = ["elsewhere", "mistakes", "other_texts", "seconds", "unsure", "worth"]

Floats = NDArray[np.float64]

SHOWN = 10
FIFTHS = 5
OTHERS = 100
"""Texts of each other kind, and at most twice as many of the kind that was learned from."""


def worth(scores: Scores, data: Labelled, pairs: bool, seed: int) -> Worth:
    """How good the mean prediction is; see `Worth`. A tie is half right either way."""
    both, means_N = data, scores.mean_N
    right_N = np.where(data.labels_N == 0.5, 0.5, (means_N >= 0.5) == data.flagged)
    if pairs:  # which of two is named first means nothing
        both = Labelled(
            np.zeros((2 * len(means_N), 0)),
            np.concatenate([data.labels_N, 1 - data.labels_N]),
            np.tile(data.weights_N, 2),
            np.tile(data.groups_N, 2),
        )
        means_N = np.concatenate([means_N, 1 - means_N])
    return Worth(
        share(right_N, data),
        auroc(means_N, both, seed),
        share((scores.mean_N - data.labels_N) ** 2, data),
        calibration_error(means_N, both, seed),
        curve(means_N, both),
    )


def unsure(scores: Scores, data: Labelled, seed: int) -> Unsure:
    """What the uncertainty is worth; see `Unsure`."""
    error_N = np.abs(scores.mean_N - data.labels_N)
    total_N = scores.mean_N * (1 - scores.mean_N)
    groups = data.groups_N.tolist()
    split_N = data.labels_N * (1 - data.labels_N)
    return Unsure(
        spearman(scores.epistemic_N, error_N, groups, seed=seed),
        spearman(total_N, error_N, groups, seed=seed),
        partial_spearman(scores.epistemic_N, error_N, total_N, groups, seed=seed),
        spearman(scores.aleatoric_N, split_N, groups, seed=seed) if split_N.any() else None,
        _by_fifth(np.sqrt(scores.epistemic_N), error_N, data),
    )


def _by_fifth(spread_N: Floats, error_N: Floats, data: Labelled) -> tuple[Bin, ...]:
    """The mean error of each fifth by epistemic standard deviation."""
    order = np.argsort(spread_N, kind="stable")
    rows = [part for part in np.array_split(order, FIFTHS) if len(part)]
    return tuple(Bin(float(spread_N[r].mean()), share(error_N[r], data[r])) for r in rows)


def elsewhere(
    parts: Sequence[Checked], reads: Sequence[Read], rows: Rows, seed: int
) -> tuple[Elsewhere, ...]:
    """Whether uncertainty rises on texts of another kind, by the members of the first fold, which saw neither side."""
    rng = np.random.default_rng(seed)
    unseen = parts[0].unseen
    home = np.sort(rng.permutation(unseen)[: 2 * OTHERS])
    inside = Scores(
        special.expit(np.hstack([p.first.logits(_some(r, home)) for p, r in zip(parts, reads, strict=True)]))
    )
    found = []
    for kind, texts in other_texts([rows.texts[n] for n in home], rng).items():
        outside = Scores(special.expit(np.hstack([p.first.logits(p.first.read(texts)) for p in parts])))
        data = _sides(len(home), len(texts))
        values = [(s.epistemic_N, s.mean_N * (1 - s.mean_N)) for s in (inside, outside)]
        epistemic, total = (auroc(np.concatenate(v), data, seed) for v in zip(*values, strict=True))
        found.append(Elsewhere(kind, epistemic, total))
    return tuple(found)


def _some(found: Read, rows: NDArray[np.intp]) -> Read:
    """What was read of some texts."""
    return Read(found.features_N_D[rows], found.stems[rows.tolist()] if len(found.stems) else found.stems)


def _sides(inside: int, outside: int) -> Labelled:
    """Labels that say which texts are the other kind."""
    n = inside + outside
    return Labelled(np.zeros((n, 0)), np.repeat([0.0, 1.0], [inside, outside]), np.ones(n), np.arange(n))


def other_texts(texts: Sequence[str], rng: np.random.Generator) -> dict[str, list[str]]:
    """Texts unlike those given, of which every machine has some: the same ones with their words in random order, and
    passages of the Python library's source.
    """
    source = textwrap.dedent(
        inspect.getsource(json.decoder) + inspect.getsource(textwrap) + inspect.getsource(inspect)
    )
    passages = textwrap.wrap(source, 200, replace_whitespace=False, drop_whitespace=False)[:OTHERS]
    shuffled = [" ".join(rng.permutation(text.split())) for text in texts[:OTHERS]]
    return {"the same texts, words in random order": shuffled, "program source": passages}


def mistakes(scores: Scores, rows: Rows, data_rows: NDArray[np.intp]) -> tuple[Mistake, ...]:
    """The examples it gets most wrong, worst first: more than one half away from what people said."""
    means_N, spread_N = scores.mean_N, np.sqrt(scores.epistemic_N)
    gaps_N = np.abs(means_N - rows.target_R[data_rows])
    found = []
    for n in np.argsort(-gaps_N, kind="stable")[:SHOWN]:
        if gaps_N[n] > 0.5:
            row = int(data_rows[n])
            target = float(rows.target_R[row])
            name = rows.cases[row] or f"example {row + 1}"
            found.append(Mistake(name, target, float(means_N[n]), float(spread_N[n]), _turns(rows, row)))
    return tuple(found)


def _turns(rows: Rows, row: int) -> tuple[Turn, ...]:
    """A labelled text as one turn, a pair as two: first the one that its score says is preferred."""
    if rows.right_R[row] < 0:
        return (Turn("text", rows.texts[rows.left_R[row]]),)
    return (Turn("first", rows.texts[rows.left_R[row]]), Turn("second", rows.texts[rows.right_R[row]]))


def seconds(part: Part, found: Read, members: int) -> float:
    """The time the first `members` members of a part take over texts that its trunk has read; best of three."""
    heads = Heads(part.heads.coefficients_M_D[:members], part.heads.intercepts_M[:members])
    one = Part(
        part.trunk,
        part.centre_D,
        part.scale_D,
        heads,
        part.calibration,
        part.layers,
        {name: tensor[:members] for name, tensor in part.adapters.items()},
    )
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        one.logits(found)
        taken.append(time.perf_counter() - begun)
    return min(taken)


def measured(logits_R_K: Floats, rows: Rows) -> tuple[Scores, Labelled, NDArray[np.intp]]:
    """The probabilities by which a reward model is measured, what people said, and which rows these are."""
    logits_M_K, data = said(logits_R_K, rows)
    kept = np.flatnonzero(np.isfinite(logits_R_K).all(1) & (rows.pairs | (not rows.pairs.any())))
    return Scores(special.expit(logits_M_K)), data, kept
