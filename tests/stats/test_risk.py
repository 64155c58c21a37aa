"""Declining: the threshold that keeps a stated risk, the curve, and choices compared at one share attempted."""

from __future__ import annotations

import numpy as np
import pytest

from gadfly.errors import InputError
from gadfly.stats import attempted_difference, paired_difference, risk_coverage, risk_threshold


def drawn(n: int, seed: int, steep: float = 1.5) -> tuple[list[float], list[bool]]:
    """Confidences on [0, 1] and losses at rate 0.6·(1 - confidence)^steep."""
    rng = np.random.default_rng(seed)
    sure = rng.random(n)
    return sure.tolist(), (rng.random(n) < 0.6 * (1 - sure) ** steep).tolist()


def true_risk(threshold: float, steep: float = 1.5) -> float:
    """E[loss | confidence ≥ threshold] of `drawn`."""
    return 0.6 * (1 - threshold) ** steep / (steep + 1)


def test_the_stated_risk_holds_in_95_of_100_draws_against_the_known_truth():
    values = [risk_threshold(*drawn(300, seed), 0.1).value for seed in range(400)]
    broken = sum(value is not None and true_risk(value) > 0.1 for value in values)
    assert broken <= 0.05 * 400


def test_it_attempts_most_of_what_the_truth_allows():
    allowed = 1 - (1 - (0.1 * 2.5 / 0.6) ** (1 / 1.5))  # the coverage at which the true risk is 10 %
    shares = [risk_threshold(*drawn(1000, seed), 0.1).attempted.point for seed in range(40)]
    assert np.mean(shares) > 0.75 * allowed


def test_a_confidence_that_knows_nothing_seldom_gets_past():
    rng = np.random.default_rng(0)
    draws = [(rng.random(300).tolist(), (rng.random(300) < 0.11).tolist()) for _ in range(300)]
    assert sum(risk_threshold(*draw, 0.1).value is not None for draw in draws) <= 0.08 * 300


def test_a_judge_with_two_scores_is_thresholded_between_them():
    found = risk_threshold([1.0] * 100 + [0.0] * 100, [False] * 100 + [True] * 100, 0.1)
    assert (found.value, found.attempted.point) == (1.0, 0.5)


def test_too_few_questions_decline_everything_and_say_how_many_it_takes():
    found = risk_threshold([0.9] * 20, [False] * 20, 0.1)
    assert found.value is None
    assert "takes 29 without a loss" in found.sentence


def test_a_poor_confidence_declines_everything_and_says_so():
    found = risk_threshold([i / 200 for i in range(200)], [True] * 200, 0.1)
    assert found.value is None
    assert found.sentence.startswith("Declines everything: even the most confident")


def test_what_could_not_be_judged_is_left_out_and_counted():
    sure, losses = drawn(300, 3)
    found = risk_threshold([*sure, None, 0.5], [*losses, True, None], 0.1)
    assert (found.n, found.missing) == (300, 2)
    assert found.value == risk_threshold(sure, losses, 0.1).value


def test_fractional_losses_are_bounded_no_less_carefully_than_yes_or_no():
    sure = [i / 400 for i in range(400)]
    whole = risk_threshold(sure, [i < 100 for i in range(400)], 0.1)
    parts = risk_threshold(sure, [1.0 if i < 100 else 0.001 for i in range(400)], 0.1)
    assert whole.attempted.point >= parts.attempted.point > 0.5


@pytest.mark.parametrize("risk", [0.0, 1.0, -0.1])
def test_a_risk_outside_zero_and_one_is_refused(risk):
    with pytest.raises(InputError, match="between 0 and 1"):
        risk_threshold([0.5], [True], risk)


def test_perfect_confidence_has_the_least_area_and_none_has_the_rate():
    losses = [False] * 80 + [True] * 20
    perfect = risk_coverage([1 - i / 100 for i in range(100)], losses).area
    nothing = risk_coverage([0.5] * 100, losses).area
    assert perfect.point < 0.03
    assert nothing.point == pytest.approx(0.2)


def test_the_area_is_the_mean_risk_over_coverages():
    curve = risk_coverage([0.9, 0.6, 0.3, 0.1], [0.0, 1.0, 0.0, 1.0])
    steps = [0.0, *(np.mean([0, 1, 0, 1][:k]) for k in (2, 3, 4))]
    assert curve.area.point == pytest.approx(np.mean(steps), abs=0.1)
    assert [point.coverage for point in curve.points] == [0.25, 0.5, 0.75, 1.0]


def test_the_areas_interval_covers_the_truth():
    truth = 0.6 / 2.5 / 2.5  # ∫ 0.6 c^1.5 / 2.5 dc over coverages c
    areas = [risk_coverage(*drawn(100, seed), seed=seed).area for seed in range(150)]
    assert 0.9 <= np.mean([area.low <= truth <= area.high for area in areas]) <= 1.0


def test_no_questions_have_no_curve():
    curve = risk_coverage([], [])
    assert curve.points == ()
    assert curve.area.point is None


def test_with_all_attempted_the_difference_is_the_paired_one():
    a, b = drawn(200, 1), drawn(200, 2)
    ours, paired = attempted_difference(a, b, 1.0), paired_difference(a[1], b[1])
    assert ours.point == pytest.approx(paired.point)
    assert ours.low == pytest.approx(paired.low, abs=0.03)


def test_at_one_share_each_side_keeps_its_own_surest():
    sure, losses = [i / 100 for i in range(100)], [i < 30 for i in range(100)]
    found = attempted_difference((sure, losses), (sure[::-1], losses), 0.7)
    assert found.point == pytest.approx(-30 / 70)
    assert found.high < 0


def test_sides_that_agree_everywhere_still_have_an_interval():
    found = attempted_difference(([0.5] * 50, [False] * 50), ([0.5] * 50, [False] * 50), 0.7)
    assert found.low < found.point == 0.0 < found.high


def test_a_side_without_a_verdict_has_no_difference():
    found = attempted_difference(([0.5] * 5, [None] * 5), ([0.5] * 5, [True] * 5), 0.7)
    assert found.point is None
    assert found.missing == 4


def test_questions_that_come_twice_widen_the_area_and_every_point():
    sure, losses = drawn(100, 5)
    once, names = risk_coverage(sure, losses), [f"question {i % 100}" for i in range(400)]
    again = risk_coverage(sure * 4, losses * 4, names)
    blind = risk_coverage(sure * 4, losses * 4)
    assert (again.area.n, again.area.clusters, again.whole.clusters) == (400, 100, 100)
    assert again.area.high - again.area.low == pytest.approx(once.area.high - once.area.low, abs=0.01)
    assert blind.area.high - blind.area.low < 0.6 * (again.area.high - again.area.low)
    assert again.points[-1].risk.low == pytest.approx(once.points[-1].risk.low, abs=0.02)


def test_one_question_asked_often_draws_no_curve():
    found = risk_coverage([0.9] * 60, [False] * 60, ["the same"] * 60)
    assert (found.points, found.area.point) == ((), None)
    assert found.whole.high > 0.7


def test_the_area_holds_the_truth_where_every_question_is_asked_three_times():
    truth, held = 0.6 / 2.5**2, 0  # the mean over coverages c of 0.6·c^1.5 / 2.5
    for seed in range(100):
        sure, losses = drawn(60, seed)
        area = risk_coverage(sure * 3, losses * 3, [*range(60)] * 3).area
        held += area.low <= truth <= area.high
    assert held >= 0.9 * 100


def test_a_difference_at_one_share_counts_a_question_once_however_often_it_is_asked():
    sides = drawn(80, 1), drawn(80, 2)
    four = [(sure * 4, losses * 4) for sure, losses in sides]
    once, again = attempted_difference(*sides, 0.7), attempted_difference(*four, 0.7, [*range(80)] * 4)
    assert (again.n, again.clusters) == (320, 80)
    assert again.high - again.low == pytest.approx(once.high - once.low, abs=0.03)
