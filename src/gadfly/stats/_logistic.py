"""A logistic regression whose errors are honest with few clusters and with results that part completely.

`ratings` and `slope` are this fit on different designs. No library has all three of its parts together (statsmodels'
GEE stops at the fit without a prior and at the normal quantile), so they are composed here.

- *Point*: Firth's (1993, Biometrika 80:27), the largest likelihood under Jeffreys' prior. It takes away the bias of
  order 1/N and stays finite where a player won all matches. It is as if observation i had come with h_i more results
  of one half, h_i its leverage: P pseudo-results in all, for P coefficients.
- *Variance*: the sandwich over clusters with Bell & McCaffrey's correction (2002, Survey Methodology 28:169; "CR2"),
  exact on average where the model holds, and their degrees of freedom for Student's quantile. Its bread is the
  curvature of what is maximised (Huber 1967), the prior's too: with few results the prior holds the coefficients.
- *What the prior hides*: where results part, residuals go to 0 and any sandwich with them. The pseudo-results are
  therefore counted as results that were seen: each adds h_i(½ - p_i)² times the dispersion to the middle of the
  sandwich, which is next to nothing except near 0 and 1 (figures in benchmarks/results/debate_ratings.json). Where no
  result differs from what is fitted, their variance is taken to be that of a yes or no.

Axes: N observations, P coefficients, K clusters, C contrasts. Inside, Z_N_P is the weighted design in the basis where
its information is the identity, so that leverages are squared lengths of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.errors import GadflyError
from gadfly.stats._clusters import Floats
from gadfly.stats._rate import quantile

__all__ = ["Contrasts", "Sandwich", "average", "contrasts", "logistic"]

NONE_LEFT = 1e-8
"""A share of information below this is none: no other cluster speaks of that direction."""
LEAST_WEIGHT = 1e-12
SETTLED = 1e-4
"""A score of no more than this, in results, is zero."""


@dataclass(frozen=True, slots=True)
class Sandwich:
    """A fit, kept in the basis of its information.

    `coefficients_P`; `basis_P_P` takes a contrast of coefficients to how it moves with the scores there. Of each
    cluster: `share_K_P`, what part of the information is the cluster's along each of `directions_K_P_P` (as columns),
    `scores_K_P` the sum of its residuals in that basis, `sizes_K` how many observations it has. `prior_P_P` is what
    the pseudo-results add.
    """

    coefficients_P: Floats
    basis_P_P: Floats
    share_K_P: Floats
    directions_K_P_P: Floats
    scores_K_P: Floats
    sizes_K: Floats
    prior_P_P: Floats


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Weighted sums of coefficients: `points_C`, their standard errors, and degrees of freedom (maybe infinite)."""

    points_C: Floats
    errors_C: Floats
    df_C: Floats

    def margins(self, level: float) -> Floats:
        """Half of each interval's width, (C,)."""
        return np.array([quantile(level, df) for df in self.df_C]) * self.errors_C


def logistic(design_N_P: Floats, outcomes_N: Floats, labels_N: NDArray[np.intp]) -> Sandwich:
    """Outcomes in [0, 1] on a design of full column rank; `labels_N`, in 0..K-1, say which cluster each is in."""
    coefficients_P = _largest(design_N_P, outcomes_N)
    means_N = special.expit(design_N_P @ coefficients_P)
    weights_N = np.maximum(means_N * (1 - means_N), LEAST_WEIGHT)
    basis_P_P, Z_N_P = _whitened(design_N_P, weights_N)
    residuals_N = (outcomes_N - means_N) / np.sqrt(weights_N)
    (n, p), k = design_N_P.shape, int(labels_N.max()) + 1
    gram_K_P_P, totals_K_P = np.zeros((k, p, p)), np.zeros((k, p))
    np.add.at(gram_K_P_P, labels_N, Z_N_P[:, :, None] * Z_N_P[:, None, :])
    np.add.at(totals_K_P, labels_N, Z_N_P * residuals_N[:, None])
    share_K_P, directions_K_P_P = np.linalg.eigh(gram_K_P_P)
    scores_K_P = np.einsum("kij,ki->kj", directions_K_P_P, totals_K_P)
    dispersion = float(residuals_N @ residuals_N) / (n - p) if n > p else 1.0
    pseudo_N = dispersion * (Z_N_P**2).sum(1) * (0.5 - means_N) ** 2 / weights_N
    prior_P_P = (Z_N_P * pseudo_N[:, None]).T @ Z_N_P
    # where all is as fitted, say all ties, nothing tells how results vary
    if float(residuals_N @ residuals_N) < NONE_LEFT * n:
        prior_P_P = np.eye(p)
    sizes_K = np.bincount(labels_N, minlength=k).astype(np.float64)
    basis_P_P = basis_P_P @ np.linalg.inv(_curvature(Z_N_P, means_N, weights_N))
    return Sandwich(coefficients_P, basis_P_P, share_K_P, directions_K_P_P, scores_K_P, sizes_K, prior_P_P)


def average(values_N: Floats, labels_N: NDArray[np.intp]) -> Sandwich:
    """The mean of values that vary as the fit of a constant, with the same errors."""
    n, mean, spread = len(values_N), float(values_N.mean()), float(values_N.std(ddof=1))
    sizes_K = np.bincount(labels_N).astype(np.float64)
    totals_K = np.bincount(labels_N, values_N - mean) / (spread * np.sqrt(n))
    return Sandwich(
        np.array([mean]),
        np.array([[spread / np.sqrt(n)]]),
        sizes_K[:, None] / n,
        np.ones((len(sizes_K), 1, 1)),
        totals_K[:, None],
        sizes_K,
        np.zeros((1, 1)),
    )


def contrasts(fit: Sandwich, weights_C_P: Floats) -> Contrasts:
    """Weighted sums of the coefficients, each with its error.

    Where one cluster alone speaks of a direction (one question only, or a player seen in no other), nothing is known
    of how alike its results are; they then count as one result, drawn with the variance of a yes or no.
    """
    points_C = weights_C_P @ fit.coefficients_P
    rows = [_error(fit, u_P) for u_P in weights_C_P @ fit.basis_P_P]
    errors_C, df_C = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return Contrasts(points_C, errors_C, df_C)


def _error(fit: Sandwich, u_P: Floats) -> tuple[float, float]:
    """The standard error of one contrast, given in the basis of the information, and its degrees of freedom.

    With G_g = Z_g'Z_g, Bell & McCaffrey's matrix (I - Z_gZ_g')^(-½)Z_g is Z_g(I - G_g)^(-½), so everything happens in
    P dimensions however large a cluster is. The df are tr(Ω)²/tr(Ω²) for Ω = diag(|a_g|²) - BB', where
    a_g = Z_g(I - G_g)^(-½)u and the rows of B are a_g'Z_g.
    """
    left_K_P = 1 - fit.share_K_P
    alone_K_P = left_K_P <= NONE_LEFT
    stretch_K_P = np.where(alone_K_P, 0.0, 1 / np.sqrt(np.where(alone_K_P, 1.0, left_K_P)))
    along_K_P = np.einsum("kij,i->kj", fit.directions_K_P_P, u_P)
    variance = float((((along_K_P * stretch_K_P) * fit.scores_K_P).sum(1) ** 2).sum())
    lost = float((fit.sizes_K[:, None] * along_K_P**2 * alone_K_P).sum())
    carried_K_P = fit.share_K_P * stretch_K_P * along_K_P
    B_K_P = np.einsum("kij,kj->ki", fit.directions_K_P_P, carried_K_P)
    lengths_K = (carried_K_P * stretch_K_P * along_K_P).sum(1)
    inner_K, outer_P_P = (B_K_P**2).sum(1), B_K_P.T @ B_K_P
    first = float(lengths_K.sum() - inner_K.sum())
    second = float((lengths_K**2).sum() - 2 * (lengths_K * inner_K).sum() + (outer_P_P**2).sum())
    df = (first + lost) ** 2 / second if second > NONE_LEFT * float(u_P @ u_P) ** 2 else np.inf
    return float(np.sqrt(variance + lost + float(u_P @ fit.prior_P_P @ u_P))), df


def _largest(design_N_P: Floats, outcomes_N: Floats) -> Floats:
    """The coefficients with the largest likelihood times Jeffreys' prior, where Firth's score is zero."""
    from scipy import optimize

    def score(coefficients_P: Floats) -> Floats:
        means_N = special.expit(design_N_P @ coefficients_P)
        _, Z_N_P = _whitened(design_N_P, np.maximum(means_N * (1 - means_N), LEAST_WEIGHT))
        leverage_N = (Z_N_P**2).sum(1)
        return np.asarray(design_N_P.T @ (means_N - outcomes_N + leverage_N * (means_N - 0.5)))

    def information(coefficients_P: Floats) -> Floats:
        means_N = special.expit(design_N_P @ coefficients_P)
        return np.asarray((design_N_P * (means_N * (1 - means_N))[:, None]).T @ design_N_P)

    found = optimize.root(score, np.zeros(design_N_P.shape[1]), jac=information, method="hybr")
    if not np.isfinite(found.x).all() or float(np.abs(found.fun).max()) > SETTLED:
        raise GadflyError(f"The logistic fit did not settle ({found.message}); give more or other results.")
    return np.asarray(found.x)


def _curvature(Z_N_P: Floats, means_N: Floats, weights_N: Floats) -> Floats:
    """Minus the second derivative of the log-likelihood under Jeffreys' prior, in the basis of the information.

    With c = 1 - 2p, leverages h and X = Z/√w it is Z'(1 + h - hc²/2w)Z + ½ Σ_ab T_ab·T_ab·', T = Σ_i c_i Z_i Z_i X_i.
    """
    leverage_N, lean_N = (Z_N_P**2).sum(1), 1 - 2 * means_N
    squares_N_PP = (Z_N_P[:, :, None] * Z_N_P[:, None, :]).reshape(len(Z_N_P), -1)
    third_PP_P = squares_N_PP.T @ (Z_N_P * (lean_N / np.sqrt(weights_N))[:, None])
    counts_N = 1 + leverage_N * (1 - lean_N**2 / (2 * weights_N))
    return np.asarray((Z_N_P * counts_N[:, None]).T @ Z_N_P + third_PP_P.T @ third_PP_P / 2)


def _whitened(design_N_P: Floats, weights_N: Floats) -> tuple[Floats, Floats]:
    """The basis in which the information of the weighted design is the identity, and the design there."""
    weighted_N_P = design_N_P * np.sqrt(weights_N)[:, None]
    basis_P_P = np.linalg.inv(np.linalg.cholesky(weighted_N_P.T @ weighted_N_P)).T
    return basis_P_P, weighted_N_P @ basis_P_P
