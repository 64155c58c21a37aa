"""A logistic regression that stays honest with few clusters and with results that part completely.

`ratings` and `slope` are this fit on different designs. No library has all of its parts together (statsmodels' GEE
stops at the fit without a prior and at the normal quantile), so they are composed here; intervals are in `_profile`.

- *Point*: Firth's (1993, Biometrika 80:27), the largest likelihood under Jeffreys' prior. It takes away the bias of
  order 1/N and stays finite where a player won all matches. It is as if observation i had come with h_i more results
  of one half, h_i its leverage: P pseudo-results in all, for P coefficients. They are repeated as often as results were
  repeated within their clusters, so that to repeat every result changes nothing.
- *Variance*: that of `_sandwich`. Its bread is the curvature of what is maximised (Huber 1967), the prior's too: with
  few results the prior holds the coefficients.
- *What the prior hides*: where results part, residuals go to 0 and any sandwich with them. The pseudo-results are
  therefore counted as results that were seen, half of each a yes and half a no: their squared residual is
  ¼ + (½ - p_i)², by 2(½ - p_i)² more than the p_i(1 - p_i) that the fit expects of a result. What that adds to the
  variance of result i, as a share a_i of p_i(1 - p_i), is next to nothing except near 0 and 1. How alike the results
  of a cluster are is hidden as far, so they are taken to correlate by a_i, all in one direction. Where nothing else is
  left a is 1: who won everything has won as many results as there are clusters. So it is where no result differs from
  what is fitted. (`gadfly.stats.rate` shrinks its correlation in the same way; figures in
  benchmarks/results/debate_ratings.json.)
- *What few clusters hide*: where results of a cluster offset each other, as where a judge is right in exactly one of
  two debates on each question, no residual is left of a contrast, nor is it known that there never will be. One
  cluster is counted on top of the K, whose results vary as all do and each by itself.

Axes: N observations, D distinct rows of the design, P coefficients, K clusters, B sets of coefficients. Z_N_P is the
weighted design in the basis where its information is the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.errors import GadflyError
from gadfly.stats._clusters import Floats
from gadfly.stats._sandwich import NONE_LEFT, Sandwich

__all__ = ["Likelihood", "Logistic", "logistic"]

LEAST_WEIGHT = 1e-12
EXACT, SETTLED = 1e-9, 1e-4
"""A score of no more than this, in results, is zero: where it can be had, and where rounding is in the way."""
STEPS, HALVINGS = 200, 30


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The log-likelihood under Jeffreys' prior, of observations put together where their rows are the same.

    `counts_D` says how many there are, `totals_D` what their outcomes add up to, and `repeats`, at least 1, how often
    the same row came in the same cluster, on average: as often the prior counts.
    """

    rows_D_P: Floats
    counts_D: Floats
    totals_D: Floats
    repeats: float

    def at(self, coefficients_B_P: Floats) -> tuple[Floats, Floats, Floats]:
        """Its value (B,), its gradient (B, P), and minus its second derivative (B, P, P) but for how leverages change:
        what remains is the information with each pseudo-result as one result more, and always positive.
        """
        logits_B_D = coefficients_B_P @ self.rows_D_P.T
        means_B_D = special.expit(logits_B_D)
        weights_B_D = np.maximum(means_B_D * (1 - means_B_D), LEAST_WEIGHT)
        information_B_P_P = self._squares(self.counts_D * weights_B_D)
        spread_B_D = ((self.rows_D_P @ np.linalg.inv(information_B_P_P)) * self.rows_D_P).sum(2)
        pseudo_B_D = self.repeats * self.counts_D * weights_B_D * spread_B_D
        seen_B = (logits_B_D * self.totals_D - self.counts_D * np.logaddexp(0, logits_B_D)).sum(1)
        value_B = seen_B + self.repeats / 2 * np.linalg.slogdet(information_B_P_P)[1]
        residuals_B_D = self.totals_D - self.counts_D * means_B_D + pseudo_B_D * (0.5 - means_B_D)
        curvature_B_P_P = self._squares((self.counts_D + pseudo_B_D) * weights_B_D)
        return value_B, residuals_B_D @ self.rows_D_P, curvature_B_P_P

    def _squares(self, weights_B_D: Floats) -> Floats:
        weighted_B_D_P = weights_B_D[:, :, None] * self.rows_D_P
        return np.asarray(weighted_B_D_P.swapaxes(1, 2) @ self.rows_D_P)


@dataclass(frozen=True, slots=True)
class Logistic(Sandwich):
    """A fit with its errors, what it is the largest of, and the inverse of minus the second derivative there."""

    likelihood: Likelihood
    inverse_P_P: Floats


def logistic(design_N_P: Floats, outcomes_N: Floats, labels_N: NDArray[np.intp]) -> Logistic:
    """Outcomes in [0, 1] on a design of full column rank; `labels_N`, in 0..K-1, say which cluster each is in."""
    likelihood = _likelihood(design_N_P, outcomes_N, labels_N)
    coefficients_P = _largest(likelihood)
    means_N = special.expit(design_N_P @ coefficients_P)
    weights_N = np.maximum(means_N * (1 - means_N), LEAST_WEIGHT)
    whitening_P_P, Z_N_P = _whitened(design_N_P, weights_N)
    residuals_N = (outcomes_N - means_N) / np.sqrt(weights_N)
    (n, p), k = design_N_P.shape, int(labels_N.max()) + 1
    gram_K_P_P, totals_K_P = np.zeros((k, p, p)), np.zeros((k, p))
    np.add.at(gram_K_P_P, labels_N, Z_N_P[:, :, None] * Z_N_P[:, None, :])
    np.add.at(totals_K_P, labels_N, Z_N_P * residuals_N[:, None])
    share_K_P, directions_K_P_P = np.linalg.eigh(gram_K_P_P)
    unseen_N = np.minimum(2 * likelihood.repeats * (Z_N_P**2).sum(1) * (0.5 - means_N) ** 2 / weights_N, 1.0)
    # where all is as fitted, say all ties, nothing tells how results vary
    if float(residuals_N @ residuals_N) < NONE_LEFT * n:
        unseen_N = np.ones(n)
    dispersion = float(residuals_N @ residuals_N) / max(n - p, 1)
    apart_N = likelihood.repeats * (unseen_N * (1 - unseen_N) + dispersion / k)
    basis_P_P = whitening_P_P @ np.linalg.inv(_curvature(Z_N_P, means_N, weights_N, likelihood.repeats))
    return Logistic(
        coefficients_P,
        basis_P_P,
        share_K_P,
        directions_K_P_P,
        scores_K_P=np.einsum("kij,ki->kj", directions_K_P_P, totals_K_P),
        sizes_K=np.bincount(labels_N, minlength=k).astype(np.float64),
        together_N_P=unseen_N[:, None] * Z_N_P,
        labels_N=labels_N,
        apart_P_P=(Z_N_P * apart_N[:, None]).T @ Z_N_P,
        likelihood=likelihood,
        inverse_P_P=basis_P_P @ whitening_P_P.T,
    )


def _likelihood(design_N_P: Floats, outcomes_N: Floats, labels_N: NDArray[np.intp]) -> Likelihood:
    rows_D_P, places_N = np.unique(design_N_P, axis=0, return_inverse=True)
    places_N = places_N.reshape(-1)
    apart = len(np.unique(labels_N * len(rows_D_P) + places_N))
    counts_D = np.bincount(places_N).astype(np.float64)
    totals_D = np.bincount(places_N, outcomes_N).astype(np.float64)
    return Likelihood(rows_D_P, counts_D, totals_D, len(outcomes_N) / apart)


def _largest(likelihood: Likelihood) -> Floats:
    """The coefficients at which it is largest, where Firth's score is zero: uphill from 0 by Newton's method, with
    steps halved until the value rises, since the score is zero on a saddle too.
    """
    found_P = np.zeros(likelihood.rows_D_P.shape[1])
    for _ in range(STEPS):
        value, score_P, curvature_P_P = (one[0] for one in likelihood.at(found_P[None]))
        if float(np.abs(score_P).max()) <= EXACT * likelihood.repeats:
            return found_P
        moves_B_P = np.linalg.solve(curvature_P_P, score_P) / 2.0 ** np.arange(HALVINGS)[:, None]
        higher_B = likelihood.at(found_P + moves_B_P)[0] > value
        if not higher_B.any():
            break
        found_P = found_P + moves_B_P[int(higher_B.argmax())]
    if not float(np.abs(score_P).max()) <= SETTLED * likelihood.repeats:
        raise GadflyError("The logistic fit did not settle; give more or other results.")
    return found_P


def _curvature(Z_N_P: Floats, means_N: Floats, weights_N: Floats, repeats: float) -> Floats:
    """Minus the second derivative of the log-likelihood under Jeffreys' prior, in the basis of the information.

    With c = 1 - 2p, leverages h, X = Z/√w and T = Σ_i c_i Z_i Z_i X_i, the results' part is Z'Z, the prior's, which
    counts `repeats` times, Z'(h - hc²/2w)Z + ½ Σ_ab T_ab·T_ab·'.
    """
    leverage_N, lean_N = (Z_N_P**2).sum(1), 1 - 2 * means_N
    squares_N_PP = (Z_N_P[:, :, None] * Z_N_P[:, None, :]).reshape(len(Z_N_P), -1)
    third_PP_P = squares_N_PP.T @ (Z_N_P * (lean_N / np.sqrt(weights_N))[:, None])
    pseudo_N = repeats * leverage_N * (1 - lean_N**2 / (2 * weights_N))
    return np.asarray((Z_N_P * (1 + pseudo_N)[:, None]).T @ Z_N_P + repeats * third_PP_P.T @ third_PP_P / 2)


def _whitened(design_N_P: Floats, weights_N: Floats) -> tuple[Floats, Floats]:
    """The basis in which the information of the weighted design is the identity, and the design there."""
    weighted_N_P = design_N_P * np.sqrt(weights_N)[:, None]
    basis_P_P = np.linalg.inv(np.linalg.cholesky(weighted_N_P.T @ weighted_N_P)).T
    return basis_P_P, weighted_N_P @ basis_P_P
