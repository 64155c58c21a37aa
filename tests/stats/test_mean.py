"""A mean with Student's interval: its coverage, and what it refuses."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from gadfly.errors import InputError
from gadfly.stats import mean


def test_its_interval_covers():
    draws = np.random.default_rng(0).normal(3, 2, (2_000, 6))
    held = np.mean([found.low <= 3 <= found.high for found in map(mean, draws)])
    assert held == pytest.approx(0.95, abs=0.015)


def test_of_differences_it_is_the_paired_t_test():
    a, b = np.random.default_rng(1).normal(size=(2, 12))
    found, known = mean(a - b), ttest_rel(a, b).confidence_interval()
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")]])
def test_nothing_is_known_of_the_spread_of_one_value(values):
    with pytest.raises(InputError, match="two finite values"):
        mean(values)
