"""A mean with Student's interval: its coverage, and what it refuses."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from gadfly.errors import InputError
from gadfly.stats import bounded_mean, mean


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


def _sharp(rng: np.random.Generator, questions: int, share: float) -> np.ndarray:
    """Values near 0.96, but for a share of questions near 0.05."""
    return np.where(rng.random(questions) < share, 0.96 + 0.005 * rng.standard_normal(questions), 0.05)


@pytest.mark.parametrize(("questions", "share"), [(12, 0.97), (12, 0.9), (24, 0.95), (50, 0.95), (104, 0.9)])
def test_a_mean_of_values_that_are_nearly_always_alike_holds_the_truth(questions: int, share: float) -> None:
    rng = np.random.default_rng(5)
    truth, held, students = share * 0.96 + (1 - share) * 0.05, [], []
    for _ in range(400):
        values = np.clip(_sharp(rng, questions, share), 0, 1)
        found, plain = bounded_mean(values, 0.0, 1.0), mean(values)
        held.append(found.low <= truth <= found.high)
        students.append(plain.low <= truth <= plain.high)
    assert np.mean(held) >= 0.93
    assert np.mean(students) < 0.93 or questions == 104


def test_a_bounded_mean_is_in_its_range_and_knows_what_it_cannot_know() -> None:
    nothing, one = bounded_mean([], 0.0, 1.0), bounded_mean([1.0], 0.0, 1.0)
    assert (nothing.point, nothing.low, nothing.high) == (None, 0.0, 1.0)
    assert (one.point, one.low, one.high) == (1.0, 0.0, 1.0)
    alike = bounded_mean([0.96] * 12, 0.0, 1.0)
    assert alike.low < 0.8 and 0.96 < alike.high <= 1.0
    nearly = bounded_mean([0.96] * 11 + [0.9602], 0.0, 1.0)
    assert nearly.low == pytest.approx(alike.low, abs=1e-3)
    with pytest.raises(InputError, match=r"Values in \[0, 1\]"):
        bounded_mean([0.5, 1.2], 0.0, 1.0)
