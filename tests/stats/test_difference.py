"""Differences between two runs: known values, symmetry, missing verdicts, and coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.stats import Estimate, difference, paired_difference, proportion


def test_the_difference_is_newcombes():
    """The example of Newcombe 1998, table II: 56/70 against 48/80 gives 0.0524 to 0.3339 by method 10."""
    estimate = difference([True] * 56 + [False] * 14, [True] * 48 + [False] * 32)
    assert estimate.point == pytest.approx(0.2)
    assert (estimate.low, estimate.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_the_paired_difference_is_tangos():
    """Tango's score equation holds at each end: the statistic there is exactly the normal quantile."""
    b, c, n = 12, 4, 100
    estimate = paired_difference([1] * b + [0] * (n - b), [0] * b + [1] * c + [0] * (n - b - c))
    for delta in (estimate.low, estimate.high):
        square = 2 * n - b + c
        slope = -b - c + square * delta
        q21 = (np.sqrt(slope**2 + 8 * n * c * delta * (1 - delta)) - slope) / (4 * n)
        z = (b - c - n * delta) / np.sqrt(n * (2 * q21 + delta * (1 - delta)))
        assert abs(z) == pytest.approx(1.959964, abs=1e-5)


def test_two_identical_runs_still_leave_room_for_a_difference():
    same = paired_difference([True, False] * 50, [True, False] * 50)
    assert (same.point, same.low, same.high) == pytest.approx((0.0, -0.037, 0.037), abs=1e-4)
    repeated = paired_difference([True, False] * 50, [True, False] * 50, [i // 10 for i in range(100)])
    assert repeated.high > 5 * same.high


def test_pairing_is_sharper_when_the_runs_agree():
    a, b = [True] * 55 + [False] * 45, [True] * 50 + [False] * 50
    apart, paired = difference(a, b), paired_difference(a, b)
    assert paired.point == pytest.approx(apart.point)
    assert paired.high - paired.low < 0.5 * (apart.high - apart.low)


def test_repeats_widen_a_difference():
    a, b, names = (
        [i % 100 < 50 for i in range(200)],
        [i % 100 < 30 for i in range(200)],
        [i // 10 for i in range(200)],
    )
    plain, clustered = difference(a, b), difference(a, b, names, names)
    assert clustered.high - clustered.low > 2 * (plain.high - plain.low)
    assert (clustered.clusters, clustered.correction) == (40, "duplicate questions")


def test_a_pair_with_either_verdict_missing_is_left_out_and_counted():
    estimate = paired_difference([True, None, True, False], [False, True, None, False], list("abcd"))
    assert (estimate.n, estimate.clusters, estimate.missing, estimate.point) == (2, 2, 2, 0.5)
    assert difference([True, None], [False]).missing == 1


def test_without_verdicts_any_difference_is_possible():
    assert difference([], [True]) == Estimate(None, -1.0, 1.0, 0, 0)
    assert paired_difference([None], [True]) == Estimate(None, -1.0, 1.0, 0, 0, missing=1)


def test_paired_runs_hold_the_same_cases():
    with pytest.raises(InputError, match="got 1 and 2 verdicts"):
        paired_difference([True], [True, False])


rows = st.lists(
    st.tuples(st.floats(0, 1), st.one_of(st.booleans(), st.floats(0, 1)), st.integers(0, 4)), min_size=1
)


@given(rows)
def test_swapping_the_runs_flips_the_sign(rows):
    a, b, names = zip(*rows, strict=True)
    for one, two in (
        (paired_difference(a, b, names), paired_difference(b, a, names)),
        (difference(a, b, names, names), difference(b, a, names, names)),
    ):
        assert (one.point, one.low, one.high) == pytest.approx((-two.point, -two.high, -two.low), abs=1e-6)
        assert -1 <= one.low <= one.point + 1e-12 and one.point - 1e-12 <= one.high <= 1


@pytest.mark.parametrize("rho", [0.1, 0.5])
def test_a_difference_between_two_runs_is_covered(rho):
    rng, held, draws, labels = np.random.default_rng(11), 0, 2000, np.repeat(np.arange(80), 5)
    spread = 1 / rho - 1
    for _ in range(draws):
        rates = rng.uniform(0.15, 0.4, 2)
        a, b = (rng.random(400) < rng.beta(p * spread, (1 - p) * spread, 80)[labels] for p in rates)
        estimate = difference(a.tolist(), b.tolist(), labels.tolist(), labels.tolist())
        held += estimate.low <= rates[0] - rates[1] <= estimate.high
    assert 0.93 <= held / draws <= 0.97


@pytest.mark.parametrize("rho", [0.1, 0.5])
def test_a_paired_difference_is_covered(rho):
    rng, held, draws, labels = np.random.default_rng(12), 0, 2000, np.repeat(np.arange(100), 4)
    for _ in range(draws):
        up, down = rng.uniform(0.1, 0.25), rng.uniform(0.05, 0.15)
        mix = rng.dirichlet(np.array([up, down, 0.1, 0.9 - up - down]) * (1 / rho - 1), 100)[labels].cumsum(1)
        outcome = (rng.random((400, 1)) > mix[:, :3]).sum(1)
        a, b = np.isin(outcome, (0, 2)), np.isin(outcome, (1, 2))
        estimate = paired_difference(a.tolist(), b.tolist(), labels.tolist())
        held += estimate.low <= up - down <= estimate.high
    assert 0.93 <= held / draws <= 0.97


def test_the_difference_of_two_rates_uses_all_answers():
    assert difference([True, False], [False]).n == proportion(1, 2).n + proportion(0, 1).n
