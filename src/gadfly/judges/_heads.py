"""What a judge that learns is made of: an ensemble of linear heads over fixed features, each checked out of fold.

Gleave & Irving 2022 (arXiv 2203.07472): one pretrained model, for each member a new last layer and a bootstrap of
the labels. A logistic head has one optimum, so the bootstrap is all that tells the members apart; it resamples
whole groups, because the same question asked twice is not two facts.

Axes: N examples, D features, M members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gadfly.errors import InputError

__all__ = [
    "STRENGTHS",
    "Heads",
    "Labelled",
    "choose_strength",
    "committee",
    "fit_heads",
    "folds_of",
    "loss",
    "one_head",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

FOLDS = 5
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Inverse regularisation (scikit-learn's C), tried by cross-validation."""
_TRIES = 100  # at a bootstrap in which both classes occur


@dataclass(frozen=True, slots=True)
class Labelled:
    """Examples as arrays. `labels_N` in [0, 1]; `weights_N` inverse inclusion probabilities with mean 1; `groups_N`
    says which examples belong together.
    """

    features_N_D: Floats
    labels_N: Floats
    weights_N: Floats
    groups_N: Ints

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """What people flag: half of the votes or more."""
        return self.labels_N >= 0.5

    def __getitem__(self, rows: Ints) -> Labelled:
        return Labelled(
            self.features_N_D[rows], self.labels_N[rows], self.weights_N[rows], self.groups_N[rows]
        )


@dataclass(frozen=True, slots=True)
class Heads:
    """M linear heads: a logit each."""

    coefficients_M_D: Floats
    intercepts_M: Floats

    def logits(self, features_N_D: Floats) -> Floats:
        """(N, M). One row at a time in a fixed order of sums, so that a row does not depend on its neighbours."""
        logits_N_M = np.einsum("nd,md->nm", features_N_D, self.coefficients_M_D)
        return np.asarray(logits_N_M + self.intercepts_M)


def folds_of(data: Labelled, seed: int) -> list[tuple[Ints, Ints]]:
    """(train, test) rows of up to five folds in which groups stay whole and the flagged are spread evenly.

    Raises `InputError` where either class comes from a single group.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [len(set(data.groups_N[data.flagged == side])) for side in (True, False)]
    count = min(FOLDS, *groups)
    if count < 2:
        side = "flagged" if groups[0] < 2 else "unflagged"
        raise InputError(
            f"All {side} labels are of one question, so nothing can be checked; label other questions."
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    split = splitter.split(np.zeros(len(data.labels_N)), data.flagged, data.groups_N)
    folds = [(train, test) for train, test in split if len(test)]
    if any(len(set(data.flagged[train].tolist())) < 2 for train, _ in folds):
        raise InputError(
            "The flagged labels come from too few questions to be checked; label other questions."
        )
    return folds


def choose_strength(data: Labelled, folds: Sequence[tuple[Ints, Ints]]) -> float:
    """The C of `STRENGTHS` with the lowest weighted log loss out of fold."""
    return min(STRENGTHS, key=lambda strength: loss(data, folds, strength))


def loss(data: Labelled, folds: Sequence[tuple[Ints, Ints]], strength: float) -> float:
    """Weighted log loss out of fold of one head, summed over examples."""
    total = 0.0
    with threadpool_limits(1):  # for matrices this small, more threads cost more than they give
        for train, test in folds:
            head = one_head(data[train], np.ones(len(train)), strength)
            logits_N = head.logits(data.features_N_D[test])[:, 0]
            labels_N = data.labels_N[test]
            losses_N = labels_N * np.logaddexp(0, -logits_N) + (1 - labels_N) * np.logaddexp(0, logits_N)
            total += float(data.weights_N[test] @ losses_N)
    return total


def committee(
    data: Labelled, folds: Sequence[tuple[Ints, Ints]], strength: float, members: int, seed: int
) -> tuple[Heads, Floats]:
    """The ensemble, about `members` heads, and what it says out of fold: (N, heads of one fold) logits.

    Each fold's heads are fitted on the rest, and *these* are the judge; none is fitted on everything. A new case is
    read by all of them and an example by those that never saw its group, so both come from heads of like training
    size. Heads fitted on everything are sharper than those that were checked: the lowest scores of what people flag
    then lie lower in use than they did in the check, and a promise made there is broken (benchmarks/learning.py).
    """
    each = max(2, round(members / len(folds)))
    made: list[Heads] = []
    logits_N_M = np.zeros((len(data.labels_N), each))
    with threadpool_limits(1):
        for number, (train, test) in enumerate(folds):
            made.append(fit_heads(data[train], strength, each, seed + number))
            logits_N_M[test] = made[-1].logits(data.features_N_D[test])
    return joined(made), logits_N_M


def fit_heads(data: Labelled, strength: float, members: int, seed: int) -> Heads:
    """`members` heads, each on its own bootstrap of the groups."""
    rng = np.random.default_rng(seed)
    return joined([one_head(data, counts, strength) for counts in _bootstraps(data, members, rng)])


def joined(heads: Sequence[Heads]) -> Heads:
    """All members of some ensembles as one."""
    return Heads(
        np.vstack([h.coefficients_M_D for h in heads]), np.concatenate([h.intercepts_M for h in heads])
    )


def _bootstraps(data: Labelled, members: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each example counts in each member: whole groups, redrawn until both classes occur."""
    names, codes = np.unique(data.groups_N, return_inverse=True)
    for _ in range(members):
        for _ in range(_TRIES):
            counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))[codes].astype(float)
            if len(set(data.flagged[counts > 0].tolist())) == 2:
                break
        else:
            counts = np.ones(len(codes))
        yield counts


def one_head(data: Labelled, counts_N: Floats, strength: float) -> Heads:
    """One L2-regularised logistic head. A label of 0.7 is seven tenths of a flagged example and three of another.

    The inclusion weights stay out. On 400 tweets drawn by threshold or stratified, weighting the head moved its AUROC
    by -0.010 to +0.003 (eight cells, 30 draws each), seldom beyond noise and then downwards.
    """
    from sklearn.linear_model import LogisticRegression

    rows = np.flatnonzero(counts_N > 0)
    labels, counts = data.labels_N[rows], counts_N[rows]
    yes, no = labels > 0, labels < 1
    features = np.vstack([data.features_N_D[rows[yes]], data.features_N_D[rows[no]]])
    share = np.concatenate([(labels * counts)[yes], ((1 - labels) * counts)[no]])
    answer = np.repeat([1, 0], [int(yes.sum()), int(no.sum())])
    head = LogisticRegression(C=strength, max_iter=1000).fit(features, answer, sample_weight=share)
    return Heads(np.asarray(head.coef_, float), np.asarray(head.intercept_, float))
