"""Rates over a few groups that each came many times: the interval is about groups like these."""

from __future__ import annotations

import numpy as np
import pytest

from gadfly.errors import InputError
from gadfly.stats import difference_by_group, proportion, rate, rate_by_group

EIGHT = [i % 8 for i in range(64)]


def test_once_each_is_the_plain_interval() -> None:
    verdicts = [i % 3 == 0 for i in range(40)]
    found = rate_by_group(verdicts, range(40))
    assert (found.low, found.high) == pytest.approx((proportion(14, 40).low, proportion(14, 40).high))


def test_groups_that_always_answer_alike_are_worth_one_case_each() -> None:
    found = rate_by_group([group < 4 for group in EIGHT], EIGHT)
    assert found.high - found.low > 0.6 and found.n == 64 and found.clusters == 8


def test_nothing_seen_counts_groups_as_rate_does() -> None:
    assert rate_by_group([0.0] * 64, EIGHT).high == rate([0.0] * 64, EIGHT).high


def test_missing_is_left_out_and_counted_and_nothing_known_is_everything_possible() -> None:
    assert rate_by_group([None, 1.0, 0.0], [1, 2, 3]).missing == 1
    nothing = rate_by_group([None], [1])
    assert (nothing.point, nothing.low, nothing.high) == (None, 0.0, 1.0)


def test_strata_weigh_the_same() -> None:
    found = rate_by_group([1.0] * 8 + [0.0] * 56, EIGHT, [0] * 8 + [1] * 56)
    assert found.point == 0.5


@pytest.mark.parametrize("spread", [0.0, 0.2])
@pytest.mark.parametrize("p", [0.3, 0.7])
def test_the_interval_holds_the_truth_with_eight_groups(spread: float, p: float) -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(500):
        size = 1 / spread - 1 if spread else 1e9
        q = rng.beta(p * size, (1 - p) * size, 8)
        found = rate_by_group((rng.random(64) < q[EIGHT]).tolist(), EIGHT)
        held += found.low <= p <= found.high
    assert 0.92 <= held / 500 <= 0.98


def test_a_difference_holds_the_truth_with_eight_groups() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(500):
        q = rng.beta(2, 3, (2, 8))
        a, b = (rng.random((2, 64)) < q[:, EIGHT]).tolist()
        found = difference_by_group(a, b, EIGHT)
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / 500 <= 0.98


def test_cases_alike_in_both_differ_by_nothing_but_not_for_certain() -> None:
    found = difference_by_group([1.0] * 64, [1.0] * 64, EIGHT)
    assert found.point == 0.0 and found.low < -0.2 and found.high > 0.2


def test_pairs_must_come_in_pairs() -> None:
    with pytest.raises(InputError):
        difference_by_group([1.0], [1.0, 0.0], [1])
