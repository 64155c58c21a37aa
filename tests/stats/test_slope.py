"""The slope of a judge's accuracy on skill, from judges whose slope is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from gadfly.errors import InputError
from gadfly.stats import slope

SKILLS = [-1.0, -0.3, 0.3, 1.0] * 20
QUESTIONS = [i // 4 for i in range(80)]


def judged(rng: np.random.Generator, rise: float) -> list[float]:
    """A judge that is right with log-odds 0.8 + rise·skill, and alike on one question."""
    luck = np.sqrt(0.5) * (rng.normal(size=20)[QUESTIONS] + rng.normal(size=80))
    wrong = 1 - special.expit(0.8 + rise * np.array(SKILLS))
    return (special.ndtr(luck) > wrong).astype(float).tolist()


@pytest.mark.parametrize("rise", [0.0, 0.8])
def test_the_intervals_hold_the_truth(rise: float) -> None:
    rng, held = np.random.default_rng(0), []
    gain = special.expit(0.8 + rise) - special.expit(0.8 - rise)
    for _ in range(300):
        found = slope(judged(rng, rise), SKILLS, QUESTIONS)
        held.append(
            [found.log_odds.low <= rise <= found.log_odds.high, found.gain.low <= gain <= found.gain.high]
        )
    assert (np.abs(np.mean(held, axis=0) - 0.95) < 0.035).all()


def test_the_unit_of_skill_scales_the_slope_and_leaves_the_gain() -> None:
    outcomes = judged(np.random.default_rng(1), 0.8)
    found, in_points = slope(outcomes, SKILLS), slope(outcomes, [1500 + 200 * x for x in SKILLS])
    assert (in_points.log_odds.point or 0) * 200 == pytest.approx(found.log_odds.point)
    assert in_points.gain.point == pytest.approx(found.gain.point) and found.over == (-1.0, 1.0)


def test_the_unit_of_skill_scales_the_interval_too() -> None:
    rng = np.random.default_rng(3)
    right = [float(x) for x in rng.integers(0, 2, 80)]
    in_points, in_thousands = (slope(right, [60.0 * unit, 62.0 * unit] * 40) for unit in (1.0, 0.001))
    assert in_thousands.log_odds.low == pytest.approx(1000 * in_points.log_odds.low)
    assert in_thousands.log_odds.high == pytest.approx(1000 * in_points.log_odds.high)


def test_skill_that_parts_right_from_wrong_gives_a_finite_slope() -> None:
    found = slope([x > 0 for x in SKILLS], SKILLS, QUESTIONS)
    assert 2 < found.log_odds.low < (found.log_odds.point or 0) < found.log_odds.high < 60
    assert found.gain.high <= 1.0


def test_a_judge_that_is_always_right_has_no_slope_that_is_sure() -> None:
    found = slope([1.0] * 8, [0.0, 1.0] * 4)
    assert found.log_odds.low < 0 < found.log_odds.high


def test_a_judge_that_is_always_right_on_a_few_questions_may_have_gained_or_lost() -> None:
    once, often = (
        slope([1.0] * 24 * n, [0.0, 1.0] * 12 * n, [q for q in range(12) for _ in "ab"] * n) for n in (1, 5)
    )
    assert once.gain.point == pytest.approx(0) and once.gain.low < -0.15 and once.gain.high > 0.15
    assert (often.gain.low, often.log_odds.high) == pytest.approx(
        (once.gain.low, once.log_odds.high), rel=1e-3
    )


@pytest.mark.parametrize("right", [(0.95, 0.95), (0.9, 0.98)])
def test_the_gain_of_a_judge_that_is_nearly_always_right_is_held(right: tuple[float, float]) -> None:
    rng, held = np.random.default_rng(7), []
    for _ in range(150):
        outcomes = (rng.random((15, 2)) < right).astype(float).ravel().tolist()
        gain = slope(outcomes, [0.0, 1.0] * 15, [q for q in range(15) for _ in "ab"]).gain
        held.append(gain.low <= right[1] - right[0] <= gain.high)
    assert np.mean(held) >= 0.93


def test_a_judge_that_is_right_once_of_two_on_each_question_may_not_always_be() -> None:
    found = slope(
        [1.0, 0.0, 1.0, 0.0] * 12, [0.0, 0.0, 1.0, 1.0] * 12, [q for q in range(12) for _ in "abcd"]
    )
    assert found.gain.point == pytest.approx(0, abs=1e-9) and 0.03 < found.gain.high < 0.2


def test_either_missing_is_left_out_and_counted() -> None:
    found = slope([1.0, 0.0, None, 1.0], [0.0, 1.0, 1.0, None])
    assert (found.log_odds.n, found.log_odds.missing) == (2, 2)


@pytest.mark.parametrize("skills", [[], [2.0, 2.0]])
def test_skill_that_never_varies_tells_nothing(skills: list[float]) -> None:
    found = slope([1.0] * len(skills), skills)
    assert (found.log_odds.point, found.log_odds.high, found.gain.low) == (None, math.inf, -1.0)


@pytest.mark.parametrize(
    ("skills", "over", "message"),
    [
        ([1.0], None, "give one for each"),
        ([1.0, math.inf], None, "finite"),
        ([0.0, 1.0], (1.0, 0.0), "rises"),
    ],
)
def test_what_has_no_slope_says_why(
    skills: list[float], over: tuple[float, float] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        slope([1.0, 0.0], skills, over=over)


def test_skills_that_differ_by_rounding_alone_are_alike() -> None:
    found = slope([1.0, 0.0, 1.0, 1.0], [1e-16, -1e-16, 2e-16, 0.0], [0, 1, 2, 3])
    assert found.gain.point is None and (found.gain.low, found.gain.high) == (-1.0, 1.0)
