"""Heads of a reward model on fixed features: bagged, or samples from the Laplace approximation to one head's posterior.

One convex problem serves all: logistic regression with soft targets and an L2 penalty, in which a pair is the
difference of two texts' features without an intercept (Bradley & Terry 1952: P(A ≻ B) = σ(r_A - r_B)) and a labelled
text is its features with one. Newton's method solves it to the optimum, where the same Hessian gives the Laplace
posterior N(w*, H⁻¹) (MacKay 1992); on one layer that is exact enough to be checked against numerical integration.

Axes: R rows, D features, K members, F folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special
from threadpoolctl import threadpool_limits

from gadfly.judges._heads import Heads, Labelled, folds_of
from gadfly.training._reward_data import Rows

__all__ = [
    "STRENGTHS",
    "Design",
    "Solved",
    "bagged",
    "bootstraps",
    "choose_strength",
    "design",
    "folds",
    "laplace",
    "solve",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Folds = Sequence[tuple[Ints, Ints]]

FOLDS = 5
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Inverse penalties (scikit-learn's C) tried by cross-validation, for standardised features."""
_WEAK = 1e-6  # penalty on the intercept, so that the Hessian is never singular
_STEPS, _TRIES = 40, 100


@dataclass(frozen=True)
class Design:
    """Rows as a linear model: `x_R_D` holds the differences or features, and in its last column 1 where the row has an
    intercept. `weights_R` balance the two kinds of row.
    """

    x_R_D: Floats
    target_R: Floats
    weights_R: Floats

    def __getitem__(self, rows: Ints) -> Design:
        return Design(self.x_R_D[rows], self.target_R[rows], self.weights_R[rows])


def design(features_N_D: Floats, rows: Rows, label_weight: float = 1.0) -> Design:
    """The linear model of the rows over standardised features.

    Where there are pairs *and* labels, each kind's losses are averaged and the labels' counts `label_weight` times as
    much as the pairs' (Menick et al. 2022 add such an auxiliary loss).
    """
    pairs = rows.pairs
    x_R_D = np.empty((len(rows), features_N_D.shape[1] + 1))
    x_R_D[:, :-1] = features_N_D[rows.left_R]
    x_R_D[pairs, :-1] -= features_N_D[rows.right_R[pairs]]
    x_R_D[:, -1] = ~pairs
    weights_R = rows.weights_R.copy()
    if rows.kind == "both":
        weights_R[~pairs] *= label_weight * pairs.sum() / (~pairs).sum()
    return Design(x_R_D, rows.target_R, weights_R)


@dataclass(frozen=True)
class Solved:
    """The optimum, intercept last, and the Hessian of the penalised loss there."""

    theta_D: Floats
    hessian_D_D: Floats


def solve(
    data: Design, strength: float, counts_R: Floats | None = None, start_D: Floats | None = None
) -> Solved:
    """The head that minimises Σ wᵢ·BCE(σ(xᵢ·θ), yᵢ) + |θ|²/(2·strength), by Newton's method with step halving.

    `counts_R` says how often each row counts (a bootstrap). The intercept is hardly penalised.
    """
    weights_R = data.weights_R if counts_R is None else data.weights_R * counts_R
    kept = np.flatnonzero(weights_R > 0)
    x_R_D, y_R, w_R = data.x_R_D[kept], data.target_R[kept], weights_R[kept]
    penalty_D = np.full(x_R_D.shape[1], 1 / strength)
    penalty_D[-1] = _WEAK
    theta_D = np.zeros(x_R_D.shape[1]) if start_D is None else start_D.copy()
    for _ in range(_STEPS):
        z_R = x_R_D @ theta_D
        p_R = special.expit(z_R)
        gradient_D = x_R_D.T @ (w_R * (p_R - y_R)) + penalty_D * theta_D
        # Single precision is enough for a direction.
        curved_R_D = (x_R_D * np.sqrt(w_R * p_R * (1 - p_R))[:, None]).astype(np.float32)
        hessian_D_D = (curved_R_D.T @ curved_R_D).astype(float)
        hessian_D_D[np.diag_indices_from(hessian_D_D)] += penalty_D
        step_D = linalg.solve(hessian_D_D, gradient_D, assume_a="pos")
        if float(gradient_D @ step_D) < 1e-8 * len(kept):  # the decrement bounds what is left to gain
            break
        moved = _objective(z_R, x_R_D @ step_D, y_R, w_R), _penalty(theta_D, step_D, penalty_D)
        size = next(
            (s for s in 0.5 ** np.arange(30) if moved[0](s) + moved[1](s) < moved[0](0) + moved[1](0)), 0.0
        )
        theta_D = theta_D - size * step_D
    return Solved(theta_D, hessian_D_D)


def _objective(z_R: Floats, slope_R: Floats, y_R: Floats, w_R: Floats):  # type: ignore[no-untyped-def]
    """The data's loss after a share of the step, as a function of the share."""
    return lambda size: float(w_R @ (np.logaddexp(0, z_R - size * slope_R) - y_R * (z_R - size * slope_R)))


def _penalty(theta_D: Floats, step_D: Floats, penalty_D: Floats):  # type: ignore[no-untyped-def]
    return lambda size: float(penalty_D @ (theta_D - size * step_D) ** 2 / 2)


def folds(rows: Rows, seed: int) -> list[tuple[Ints, Ints]]:
    """(train, test) rows of five folds in which groups stay whole.

    Raises `InputError` where the labels of one kind come from a single group.
    """
    pairs = rows.pairs
    if not pairs.any():
        data = Labelled(np.zeros((len(rows), 0)), rows.target_R, rows.weights_R, rows.groups_R)
        return folds_of(data, seed)
    groups = np.random.default_rng(seed).permutation(np.unique(rows.groups_R))
    parts = np.array_split(groups, min(FOLDS, len(groups)))
    tests = [np.flatnonzero(np.isin(rows.groups_R, part)) for part in parts]
    everything = np.arange(len(rows))
    return [(np.setdiff1d(everything, test), test) for test in tests]


def choose_strength(data: Design, split: Folds) -> tuple[float, Floats]:
    """The strength of `STRENGTHS` with the least weighted log loss out of fold, and what its heads say there: (R,)
    logits, NaN for rows in no fold's test.
    """
    said_S_R = np.full((len(STRENGTHS), len(data.target_R)), np.nan)
    with threadpool_limits(1):
        for train, test in split:
            theta_D = None
            for number, strength in enumerate(
                STRENGTHS
            ):  # from strong to weak, each a warm start for the next
                theta_D = solve(data[train], strength, start_D=theta_D).theta_D
                said_S_R[number, test] = data.x_R_D[test] @ theta_D
    losses_S = [_loss(said_R, data) for said_R in said_S_R]
    best = int(np.argmin(losses_S))
    return STRENGTHS[best], said_S_R[best]


def _loss(logits_R: Floats, data: Design) -> float:
    seen = np.isfinite(logits_R)
    losses = np.logaddexp(0, logits_R[seen]) - data.target_R[seen] * logits_R[seen]
    return float(data.weights_R[seen] @ losses)


def bootstraps(rows: Rows, members: int, seed: int) -> Iterator[Floats]:
    """How often each row counts in each member: whole groups drawn with replacement, again where labels of only one
    kind came out.
    """
    rng = np.random.default_rng(seed)
    names, codes = np.unique(rows.groups_R, return_inverse=True)
    labels = ~rows.pairs
    for _ in range(members):
        for _ in range(_TRIES):
            counts_R = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))[codes].astype(float)
            kinds = set((rows.target_R[labels & (counts_R > 0)] >= 0.5).tolist())
            if not labels.any() or len(kinds) == 2:
                break
        else:
            counts_R = np.ones(len(codes))
        yield counts_R


def bagged(data: Design, counts_K_R: Sequence[Floats], strength: float) -> Heads:
    """A head for each bootstrap, warm-started from the head on everything."""
    with threadpool_limits(1):
        whole_D = solve(data, strength).theta_D
        thetas = [solve(data, strength, counts_R, whole_D).theta_D for counts_R in counts_K_R]
    return _heads(np.array(thetas))


def laplace(data: Design, strength: float, members: int, seed: int) -> Heads:
    """Heads drawn from the Laplace posterior N(θ*, H⁻¹) under the prior N(0, strength)."""
    with threadpool_limits(1):
        found = solve(data, strength)
        factor_D_D = linalg.cholesky(found.hessian_D_D, lower=True)
        noise_D_K = np.random.default_rng(seed).standard_normal((len(found.theta_D), members))
        spread_D_K = linalg.solve_triangular(factor_D_D, noise_D_K, lower=True, trans="T")
    return _heads(found.theta_D + spread_D_K.T)


def _heads(thetas_K_D: Floats) -> Heads:
    return Heads(np.ascontiguousarray(thetas_K_D[:, :-1]), np.ascontiguousarray(thetas_K_D[:, -1]))
