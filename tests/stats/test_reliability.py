"""Brier score, its parts, calibration error and recalibration, from forecasters who are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from gadfly.errors import InputError
from gadfly.stats import calibration_slope, recalibrated, reliability

CASES = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 5)), min_size=1, max_size=60)


def said(rng: np.random.Generator, questions: int, heat: float) -> tuple[list[float], list[float], list[int]]:
    """Two probabilities on each question, from logits `heat` times too large."""
    logits = np.repeat(rng.normal(0, 1.5, questions), 2)
    happened = rng.random(2 * questions) < special.expit(logits)
    names = np.repeat(np.arange(questions), 2)
    return special.expit(heat * logits).tolist(), happened.astype(float).tolist(), names.tolist()


@settings(max_examples=60)
@given(CASES)
def test_the_parts_add_up_to_the_brier_score(cases: list[tuple[float, bool, int]]) -> None:
    p, y, names = (list(column) for column in zip(*cases, strict=True))
    found = reliability(p, y, names)
    parts = (found.calibration, found.uncertainty, found.within)
    whole = sum(one.point or 0 for one in parts) - (found.resolution.point or 0)
    assert whole == pytest.approx(np.mean((np.array(p) - np.array(y, dtype=float)) ** 2), abs=1e-9)
    assert all(
        one.low <= (one.point or 0) <= one.high for one in (*parts, found.brier, found.error, found.log_loss)
    )


def test_one_half_gets_a_quarter_and_log_two() -> None:
    found = reliability([0.5] * 20, [0.0, 1.0] * 10)
    assert (found.brier.point, found.log_loss.point) == (0.25, pytest.approx(math.log(2)))
    assert found.within.point == pytest.approx(0) and found.resolution.point == 0


def test_equal_probabilities_share_a_bin_with_what_was_seen() -> None:
    found = reliability([0.2] * 10 + [0.9] * 10, [1.0, 0.0] * 5 + [1.0] * 10)
    assert [one.said for one in found.bins] == pytest.approx([0.2, 0.9])
    assert [one.seen.point for one in found.bins] == [0.5, 1.0]
    assert found.error.point == pytest.approx((0.3 + 0.1) / 2)


@pytest.mark.parametrize("heat", [1.0, 2.5])
def test_the_intervals_of_brier_and_log_loss_hold_the_truth(heat: float) -> None:
    rng, held = np.random.default_rng(0), []
    p, y, _ = (np.array(one) for one in said(rng, 400_000, heat))
    truths = (np.mean((p - y) ** 2), -np.mean(np.log(np.where(y == 1, p, 1 - p))))
    for _ in range(200):
        found = reliability(*said(rng, 40, heat), bins=2)
        held.append(
            [one.low <= t <= one.high for one, t in zip((found.brier, found.log_loss), truths, strict=True)]
        )
    assert (np.abs(np.mean(held, axis=0) - 0.95) < 0.045).all()


def test_who_says_what_is_true_is_not_called_miscalibrated() -> None:
    rng = np.random.default_rng(1)
    assert sum(reliability(*said(rng, 100, 1.0)).error.low > 0 for _ in range(60)) <= 6


def test_who_says_too_much_is() -> None:
    assert reliability(*said(np.random.default_rng(2), 400, 2.5)).error.low > 0.05


def test_missing_is_counted_and_nothing_is_everything_possible() -> None:
    found = reliability([0.5, None, 0.5], [1.0, 1.0, None])
    assert (found.brier.n, found.brier.missing) == (1, 2) and (found.brier.low, found.brier.high) == (
        0.0,
        1.0,
    )
    nothing = reliability([], [])
    assert nothing.bins == () and nothing.brier.point is None and math.isinf(nothing.log_loss.high)


def test_recalibrating_takes_back_what_was_said_too_loudly() -> None:
    p, y, names = said(np.random.default_rng(3), 400, 2.5)
    for method in ("platt", "temperature"):
        found = recalibrated(p, y, names, method=method)
        before, after = reliability(p, y, names), reliability(found, y, names)
        assert (after.log_loss.point or 9) < (before.log_loss.point or 0) - 0.05
        assert (after.error.point or 9) < 0.05


def test_no_case_is_recalibrated_by_its_own_cluster() -> None:
    p, y, names = said(np.random.default_rng(4), 30, 2.0)
    turned = [1 - one if name == 7 else one for one, name in zip(y, names, strict=True)]
    before, after = recalibrated(p, y, names), recalibrated(p, turned, names)
    same = [a == b for a, b in zip(before, after, strict=True)]
    assert all(s for s, name in zip(same, names, strict=True) if name == 7) and not all(same)


def test_recalibrating_keeps_order_and_gaps() -> None:
    found = recalibrated([0.1, None, 0.9, 0.8, 0.3], [0.0, 1.0, None, 1.0, 0.0], folds=2)
    assert (
        found[1] is None
        and found[2] is not None
        and found == recalibrated([0.1, None, 0.9, 0.8, 0.3], [0.0, 1.0, None, 1.0, 0.0], folds=2)
    )


def test_a_temperature_leaves_one_half_alone() -> None:
    p, y, _ = said(np.random.default_rng(5), 20, 2.0)
    assert recalibrated([0.5, *p], [1.0, *y], method="temperature")[0] == pytest.approx(0.5)


def test_what_cannot_be_done_says_why() -> None:
    with pytest.raises(InputError, match="two clusters"):
        recalibrated([0.5, 0.6], [1.0, 0.0], ["a", "a"])
    with pytest.raises(InputError, match="give one for each"):
        reliability([0.5], [])
    with pytest.raises(InputError, match="bins"):
        reliability([0.5], [1.0], bins=0)


@pytest.mark.parametrize(("questions", "share"), [(12, 0.97), (24, 0.95), (50, 0.95)])
def test_the_brier_score_of_a_judge_that_is_nearly_always_sure_and_right_holds_the_truth(
    questions: int, share: float
) -> None:
    rng = np.random.default_rng(3)
    truth, held = share * 0.04**2 + (1 - share) * 0.95**2, []
    for _ in range(120):
        p = np.repeat(np.where(rng.random(questions) < share, 0.96, 0.05), 2)
        found = reliability(p.tolist(), [1.0] * len(p), np.repeat(np.arange(questions), 2).tolist()).brier
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.92


# --- the calibration slope


@pytest.mark.parametrize(("questions", "heat"), [(20, 0.3), (60, 3.0), (200, 1.0)])
def test_the_calibration_slopes_interval_covers_the_truth(questions: int, heat: float) -> None:
    found = [calibration_slope(*said(np.random.default_rng(n), questions, heat)) for n in range(300)]
    held = np.mean([one.low < 1 / heat < one.high for one in found])
    assert 0.92 <= held <= 0.99
    assert np.median([one.point for one in found]) == pytest.approx(1 / heat, rel=0.15)


def test_the_calibration_slope_of_what_is_never_said_and_of_what_parts_completely() -> None:
    for nothing in (calibration_slope([], []), calibration_slope([0.5, 0.5], [1.0, 0.0])):
        assert (nothing.point, nothing.low, nothing.high) == (None, -math.inf, math.inf)
    sure = calibration_slope([0.9] * 20 + [0.1] * 20, [1.0] * 20 + [0.0] * 20)
    assert 1 < sure.low < sure.point < sure.high < math.inf
    turned = calibration_slope([0.9] * 20 + [0.1] * 20, [0.0] * 20 + [1.0] * 20)
    assert turned.point == pytest.approx(-sure.point) and turned.low == pytest.approx(-sure.high)
    known = calibration_slope([0.9, None, 0.2, 0.7], [1.0, 1.0, None, 0.0])
    assert (known.n, known.missing) == (2, 2)
