"""Errors that are honest with few clusters, of weighted sums of fitted coefficients.

The sandwich over clusters with Bell & McCaffrey's correction (2002, Survey Methodology 28:169; "CR2"), exact on average
where the model holds, and their degrees of freedom for Student's quantile. Where the fit had help from results that
nobody saw, these are counted as if they had been seen, see `Sandwich`.

Axes: N observations, P coefficients, K clusters, C contrasts. Everything is in the basis where the information of the
design is the identity, so that leverages are squared lengths of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gadfly.stats._clusters import Floats
from gadfly.stats._rate import quantile

__all__ = ["NONE_LEFT", "Contrasts", "Sandwich", "average", "contrasts"]

NONE_LEFT = 1e-8
"""A share of information below this is none: no other cluster speaks of that direction."""


@dataclass(frozen=True, slots=True)
class Sandwich:
    """A fit, kept in the basis of its information.

    `coefficients_P`; `basis_P_P` takes a contrast of coefficients to how it moves with the scores there. Of each
    cluster: `share_K_P`, what part of the information is the cluster's along each of `directions_K_P_P` (as columns),
    `scores_K_P` the sum of its residuals in that basis, `sizes_K` how many observations it has. What the fit hides of
    how results vary: `together_N_P`, beside each observation one deviation more, those of a cluster, in `labels_N`, all
    to the same side of a contrast; `apart_P_P`, the variance of what goes to either.
    """

    coefficients_P: Floats
    basis_P_P: Floats
    share_K_P: Floats
    directions_K_P_P: Floats
    scores_K_P: Floats
    sizes_K: Floats
    together_N_P: Floats
    labels_N: NDArray[np.intp]
    apart_P_P: Floats


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Weighted sums of coefficients: `points_C`, their standard errors, and degrees of freedom (maybe infinite)."""

    points_C: Floats
    errors_C: Floats
    df_C: Floats

    def margins(self, level: float) -> Floats:
        """Half of each interval's width, (C,)."""
        return np.array([quantile(level, df) for df in self.df_C]) * self.errors_C


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
        np.zeros((n, 1)),
        labels_N,
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
    a_g = Z_g(I - G_g)^(-½)u and the rows of B are a_g'Z_g. What is assumed and not estimated has no end of them: df of
    the whole by Satterthwaite's rule.
    """
    left_K_P = 1 - fit.share_K_P
    alone_K_P = left_K_P <= NONE_LEFT
    stretch_K_P = np.where(alone_K_P, 0.0, 1 / np.sqrt(np.where(alone_K_P, 1.0, left_K_P)))
    along_K_P = np.einsum("kij,i->kj", fit.directions_K_P_P, u_P)
    seen = float((((along_K_P * stretch_K_P) * fit.scores_K_P).sum(1) ** 2).sum())
    lost = float((fit.sizes_K[:, None] * along_K_P**2 * alone_K_P).sum())
    unseen_K = np.bincount(fit.labels_N, np.abs(fit.together_N_P @ u_P), len(fit.sizes_K))
    variance = seen + lost + float((unseen_K**2).sum() + u_P @ fit.apart_P_P @ u_P)
    carried_K_P = fit.share_K_P * stretch_K_P * along_K_P
    B_K_P = np.einsum("kij,kj->ki", fit.directions_K_P_P, carried_K_P)
    lengths_K = (carried_K_P * stretch_K_P * along_K_P).sum(1)
    inner_K, outer_P_P = (B_K_P**2).sum(1), B_K_P.T @ B_K_P
    first = float(lengths_K.sum() - inner_K.sum())
    second = float((lengths_K**2).sum() - 2 * (lengths_K * inner_K).sum() + (outer_P_P**2).sum())
    if seen <= 0.0 or second <= NONE_LEFT * float(u_P @ u_P) ** 2:
        return float(np.sqrt(variance)), np.inf
    return float(np.sqrt(variance)), first**2 / second * (variance / seen) ** 2
