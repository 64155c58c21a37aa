"""The curvature of what the fit maximises, against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from gadfly.stats._logistic import logistic
from gadfly.stats._sandwich import contrasts


def log_posterior(coefficients_P: np.ndarray, design_N_P: np.ndarray, outcomes_N: np.ndarray) -> float:
    """The log-likelihood and Jeffreys' prior."""
    means_N = special.expit(design_N_P @ coefficients_P)
    information_P_P = (design_N_P * (means_N * (1 - means_N))[:, None]).T @ design_N_P
    seen = special.xlogy(outcomes_N, means_N) + special.xlogy(1 - outcomes_N, 1 - means_N)
    return float(seen.sum() + np.linalg.slogdet(information_P_P)[1] / 2)


@pytest.mark.parametrize("seed", range(4))
def test_a_coefficient_moves_with_the_scores_as_the_posterior_is_curved(seed: int) -> None:
    rng = np.random.default_rng(seed)
    design_N_P = rng.normal(size=(15, 3))
    outcomes_N = (rng.random(15) < special.expit(2 * design_N_P[:, 0])).astype(float)
    fit = logistic(design_N_P, outcomes_N, np.arange(15))
    step, eye = 1e-3, np.eye(3)

    def at(*moves: np.ndarray) -> float:
        return log_posterior(fit.coefficients_P + step * sum(moves), design_N_P, outcomes_N)

    curvature_P_P = np.array(
        [[(at(a, -b) + at(b, -a) - at(a, b) - at(-a, -b)) / (4 * step**2) for b in eye] for a in eye]
    )
    weights_N = special.expit(design_N_P @ fit.coefficients_P)
    weights_N = weights_N * (1 - weights_N)
    information_P_P = (design_N_P * weights_N[:, None]).T @ design_N_P
    expected_P_P = np.linalg.inv(curvature_P_P) @ information_P_P @ np.linalg.inv(curvature_P_P)
    assert fit.basis_P_P @ fit.basis_P_P.T == pytest.approx(expected_P_P, rel=1e-4, abs=1e-4)


def test_a_few_results_are_held_by_the_prior() -> None:
    """Of n results, half of them yes: log-odds with the variance of n's mean, n/(n - 1), that of one result more, and
    moved by n/(n + 1) of it.
    """
    fit = logistic(np.ones((4, 1)), np.array([1.0, 0.0, 0.0, 1.0]), np.arange(4))
    found = contrasts(fit, np.ones((1, 1)))
    assert float(found.errors_C[0]) == pytest.approx(np.sqrt(0.25 / 4 * 4 / 3 * 5 / 4) / 0.25 * 4 / 5)
