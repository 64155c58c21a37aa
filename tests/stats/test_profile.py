"""Intervals by profile likelihood, against a scan of the likelihood and against the sandwich."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from gadfly.stats._logistic import logistic
from gadfly.stats._profile import profile
from gadfly.stats._rate import quantile
from gadfly.stats._sandwich import contrasts


def drawn(n: int, rise: float) -> tuple[np.ndarray, np.ndarray]:
    """A constant and a slope."""
    rng = np.random.default_rng(3)
    design_N_P = np.column_stack([np.ones(n), rng.normal(size=n)])
    return design_N_P, (rng.random(n) < special.expit(0.5 + rise * design_N_P[:, 1])).astype(float)


def test_an_end_is_where_the_likelihood_has_fallen_as_far_as_it_may() -> None:
    fit = logistic(*drawn(14, 1.5), np.arange(14))
    weights_C_P = np.array([[0.0, 1.0], [1.0, -0.5]])
    found, errors = profile(fit, weights_C_P, 0.95), contrasts(fit, weights_C_P)
    values_C = weights_C_P @ fit.inverse_P_P @ weights_C_P.T
    for c, (weights_P, ends) in enumerate(zip(weights_C_P, found.ends(), strict=True)):
        allowed = (quantile(0.95, errors.df_C[c]) * errors.errors_C[c]) ** 2 / values_C[c, c] / 2
        across_P, along_P = np.array([weights_P[1], -weights_P[0]]), weights_P / (weights_P @ weights_P)
        for end in ends[1:]:
            line_B_P = end * along_P + np.linspace(-8, 8, 40_001)[:, None] * across_P
            top = float(fit.likelihood.at(fit.coefficients_P[None])[0][0])
            assert top - fit.likelihood.at(line_B_P)[0].max() == pytest.approx(allowed, rel=1e-3)


def test_among_many_results_the_ends_are_the_sandwichs() -> None:
    fit = logistic(*drawn(4_000, 0.5), np.arange(4_000) // 4)
    found, errors = profile(fit, np.eye(2), 0.95), contrasts(fit, np.eye(2))
    assert found.highs_C - found.points_C == pytest.approx(errors.margins(0.95), rel=0.02)
    assert found.points_C - found.lows_C == pytest.approx(errors.margins(0.95), rel=0.02)


def test_a_contrast_without_weights_is_zero_and_sure() -> None:
    fit = logistic(*drawn(14, 1.5), np.arange(14))
    assert profile(fit, np.zeros((1, 2)), 0.95).ends() == [(0.0, 0.0, 0.0)]
