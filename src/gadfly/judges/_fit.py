"""`fit`: a judge from people's labels. Embeddings, a linear ensemble, calibration, and a threshold with a promise.

A few hundred labels make a judge that costs about ten milliseconds of one core for a short reply and says what it is
worth: its score is calibrated, its `uncertainty` is epistemic (what more labels would settle, not where people
disagree), and its threshold keeps a stated share of what people flag, with a stated confidence. Everything said about
it comes from heads that never saw the question at hand.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from gadfly.errors import InputError
from gadfly.judges._base import unjudgeable
from gadfly.judges._calibration import Promise, auroc, calibrate, calibration_error, curve, promise, share
from gadfly.judges._embedding import EMBEDDING, embedder
from gadfly.judges._features import base_judge, features
from gadfly.judges._fitted import Fitted
from gadfly.judges._heads import Floats, Labelled, choose_strength, committee, folds_of, loss
from gadfly.judges._record import Card, Errors, Fit, Labels, Mistake, Reading, Source, question_keys
from gadfly.judges._rounds import check_name
from gadfly.models._blocking import run_blocking
from gadfly.transcripts import Transcript

__all__ = ["LEAST_LABELS", "Example", "FitSettings", "fit"]

LEAST_LABELS = 20
SHOWN = 10
"""Examples a card shows of what the judge gets most wrong."""
BARS = 20


@dataclass(frozen=True, slots=True)
class Example:
    """A transcript and what people made of it.

    `label` is the mean of their votes in [0, 1]; half or more is *flagged*. `weight` is 1 / the probability with
    which it was chosen for labelling (any common factor cancels). Examples of one `group` (the same question) are
    one fact: they never stand on both sides of a check. An empty group is its own.
    """

    transcript: Transcript
    label: float
    weight: float = 1.0
    group: str = ""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit. The threshold is the highest that finds at least `recall` of what people flag with `confidence`.

    `embedding` is a short name, a sentence-transformers directory or a hub id. `question`: read what was asked beside
    the reply; None lets the loss out of fold decide, since the question is noise for a failure that shows in the reply
    alone (AUROC 0.76 with it and 0.79 without on the 108 replies of tests/judges/claims_person.jsonl). `base` names a
    judge whose score becomes one more feature. `members` is the size of the ensemble, over all folds.
    """

    recall: float = 0.95
    confidence: float = 0.95
    embedding: str = EMBEDDING
    question: bool | None = None
    base: str = ""
    members: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        for word, value in (("recall", self.recall), ("confidence", self.confidence)):
            if not 0.5 <= value < 1.0:
                raise InputError(f"A {word} to promise lies in [0.5, 1), such as 0.95; got {value!r}.")
        if self.members < 10:
            raise InputError(f"An ensemble has ten members or more; got {self.members}.")


def fit(
    name: str,
    examples: Sequence[Example],
    *,
    settings: FitSettings | None = None,
    source: Source | None = None,
) -> Fitted:
    """A judge called `name` from labelled examples; not saved yet. `source` is what its card names as their origin.

    Raises `InputError` for a name that a built-in judge has or no directory can have, for fewer than 20 labels, for
    labels all alike or all of one question, and for an example nobody could judge; `GadflyError` when the embedding
    model is nowhere to be had. The same examples and settings give the same judge on the same machine.
    """
    from gadfly.judges._registry import known

    settings = settings or FitSettings()
    check_name(name, known())
    read, data = readable(examples, settings)
    folds = folds_of(data, settings.seed)
    strength = choose_strength(data, folds)
    heads, logits_N_M = committee(data, folds, strength, settings.members, settings.seed)
    calibration = calibrate(logits_N_M, data)
    members_N_M = calibration.members(logits_N_M)
    kept = promise(members_N_M.mean(1), data, settings.recall, settings.confidence)
    made = Fit(strength, len(heads.intercepts_M), settings.seed, _versions())
    card = Card(
        name,
        0,
        datetime.now(UTC).replace(microsecond=0),
        _labels(examples, data, source or Source()),
        kept,
        errors(members_N_M.mean(1), data, kept, settings.seed),
        _histogram(members_N_M.mean(1), data),
        _mistakes(examples, members_N_M),
        read,
        made,
        dict(zip((e.transcript.case.id for e in examples), map(float, members_N_M.mean(1)), strict=True)),
        question_keys(question for e in examples for question in (e.group, e.transcript.question)),
    )
    return Fitted(name, kept.threshold, heads, calibration, read, card, base_judge(read))


def readable(examples: Sequence[Example], settings: FitSettings) -> tuple[Reading, Labelled]:
    """The examples' features, with the question's where that is asked for or, being open, has the lower loss.

    Raises as `fit` does for examples that no judge can be made of.
    """
    _check(examples)
    model = embedder(settings.embedding)
    there = any(e.transcript.question.strip() for e in examples)
    read = Reading(settings.embedding, model.sha256, there and settings.question is not False, settings.base)
    transcripts = [e.transcript for e in examples]
    data = labelled(examples, run_blocking(features(transcripts, read, base_judge(read), {})))
    if not read.question or settings.question:
        return read, data
    reply_and_base = np.delete(data.features_N_D, np.s_[model.width : 2 * model.width], axis=1)
    without = replace(data, features_N_D=reply_and_base)
    folds = folds_of(data, settings.seed)
    losses = [loss(d, folds, choose_strength(d, folds)) for d in (data, without)]
    return (read, data) if losses[0] < losses[1] else (replace(read, question=False), without)


def labelled(examples: Sequence[Example], features_N_D: Floats) -> Labelled:
    """Examples and their features as arrays, weights with mean 1."""
    weights_N = np.array([e.weight for e in examples], dtype=float)
    names = [f"g{e.group}" if e.group else f"#{i}" for i, e in enumerate(examples)]
    groups_N = np.unique(names, return_inverse=True)[1]
    labels_N = np.array([e.label for e in examples], dtype=float)
    return Labelled(features_N_D, labels_N, weights_N / weights_N.mean(), groups_N)


def errors(scores_N: Floats, data: Labelled, kept: Promise, seed: int) -> Errors:
    """How often the scores err, as the card states it."""
    caught = (scores_N >= kept.threshold).astype(float)
    flagged, others = np.flatnonzero(data.flagged), np.flatnonzero(~data.flagged)
    return Errors(
        auroc(scores_N, data, seed),
        share(caught[flagged], data[flagged]),
        share(caught[others], data[others]),
        share((scores_N - data.labels_N) ** 2, data),
        calibration_error(scores_N, data, seed),
        curve(scores_N, data),
    )


def _check(examples: Sequence[Example]) -> None:
    """Refuse what no judge can be made of, before anything is embedded."""
    if len(examples) < LEAST_LABELS:
        raise InputError(
            f"{len(examples)} labels are too few to learn from; label at least {LEAST_LABELS}, better 200."
        )
    for number, example in enumerate(examples, 1):
        if not 0.0 <= example.label <= 1.0:
            raise InputError(f"A label lies in [0, 1]; example {number} has {example.label!r}.")
        if not (math.isfinite(example.weight) and example.weight > 0):
            raise InputError(f"A weight is positive and finite; example {number} has {example.weight!r}.")
        if cause := unjudgeable(example.transcript):
            raise InputError(f"Example {number} has nothing to judge ({cause}); leave it out.")
    sides = {example.label >= 0.5 for example in examples}
    if len(sides) == 1:
        said = "flagged" if True in sides else "not flagged"
        raise InputError(f"All {len(examples)} labels are {said}; a judge needs examples of both kinds.")


def _labels(examples: Sequence[Example], data: Labelled, source: Source) -> Labels:
    rows = sorted([e.transcript.case.id, e.label, e.weight, e.group] for e in examples)
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    unequal = not np.allclose(data.weights_N, 1.0)
    groups = len(np.unique(data.groups_N))
    return Labels(len(examples), int(data.flagged.sum()), groups, digest, unequal, source)


def _histogram(scores_N: Floats, data: Labelled) -> tuple[tuple[int, int], ...]:
    bars = np.minimum((scores_N * BARS).astype(int), BARS - 1)
    no, yes = (np.bincount(bars[data.flagged == side], minlength=BARS) for side in (False, True))
    return tuple((int(a), int(b)) for a, b in zip(no, yes, strict=True))


def _mistakes(examples: Sequence[Example], members_N_M: Floats) -> tuple[Mistake, ...]:
    """The examples whose out-of-fold score is furthest from what people said, worst first."""
    scores_N, spread_N = members_N_M.mean(1), members_N_M.std(1)
    gaps = np.abs(scores_N - np.array([e.label for e in examples]))
    worst = np.argsort(-gaps, kind="stable")[:SHOWN]
    return tuple(
        Mistake(
            examples[i].transcript.case.id,
            examples[i].label,
            float(scores_N[i]),
            float(spread_N[i]),
            examples[i].transcript.turns,
        )
        for i in worst
        if gaps[i] > 0.5
    )


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("gadfly", "scikit-learn", "torch", "transformers")}
