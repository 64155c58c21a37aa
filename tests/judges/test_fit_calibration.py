"""Calibration and the promise, held to known truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from gadfly.errors import InputError
from gadfly.judges._calibration import Platt, auroc, calibrate, calibration_error, curve, promise, share
from gadfly.judges._heads import Labelled, committee, folds_of
from gadfly.stats import rate

Floats = NDArray[np.float64]


def labelled(
    labels: Floats, weights: Floats | None = None, groups: NDArray[np.intp] | None = None
) -> Labelled:
    n = len(labels)
    return Labelled(
        np.zeros((n, 1)),
        np.asarray(labels, float),
        np.ones(n) if weights is None else weights,
        np.arange(n) if groups is None else groups,
    )


def bells(n: int, seed: int, dimensions: int = 4) -> Labelled:
    """Two overlapping clouds, a third of them flagged."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 1 / 3).astype(float)
    features = rng.normal(size=(n, dimensions)) + labels[:, None] * np.array([1.5] + [0.0] * (dimensions - 1))
    return Labelled(features, labels, np.ones(n), np.arange(n))


def test_aleatoric_and_epistemic_add_up() -> None:
    members = Platt(1.3, -0.4).members(np.random.default_rng(0).normal(size=(50, 20)) * 3)
    mean = members.mean(1)
    assert np.allclose(mean * (1 - mean), (members * (1 - members)).mean(1) + members.var(1))


def test_calibration_recovers_the_sigmoid_behind_the_labels() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(20_000, 1)) * 2
    labels = (rng.random(20_000) < special.expit(0.5 * logits[:, 0] + 1)).astype(float)
    found = calibrate(logits, labelled(labels))
    assert (found.slope, found.offset) == pytest.approx((0.5, 1.0), abs=0.05)


def test_labels_that_part_completely_get_no_infinite_slope() -> None:
    found = calibrate(np.repeat([-1.0, 1.0], 20)[:, None], labelled(np.repeat([0.0, 1.0], 20)))
    assert 0.03 < found.members(np.array([[-1.0]]))[0, 0] < 0.06


@pytest.mark.parametrize(("flagged", "kept"), [(59, 0.95), (58, 0.05 ** (1 / 58)), (30, 0.05 ** (1 / 30))])
def test_fifty_nine_flagged_examples_make_the_whole_promise(flagged: int, kept: float) -> None:
    scores = np.linspace(0.1, 0.9, flagged + 20)
    made = promise(scores, labelled(np.arange(flagged + 20) >= 20), 0.95, 0.95)
    assert made.recall == pytest.approx(kept)
    assert made.threshold == scores[20]
    assert ("that takes 59" in made.sentence) == (flagged < 59)


def test_with_next_to_no_flagged_examples_everything_is_flagged_and_said_so() -> None:
    made = promise(np.linspace(0, 1, 40), labelled(np.arange(40) >= 36), 0.95, 0.95)
    assert (made.threshold, made.recall) == (0.0, 1.0)
    assert made.sentence.startswith("4 flagged examples")
    assert made.sentence.endswith("The threshold is 0, so everything is flagged.")


def test_the_promise_is_the_exact_order_statistic() -> None:
    k = max(k for k in range(20) if stats.binom.cdf(k, 181, 0.05) <= 0.05)  # the most that may lie below
    scores = np.random.default_rng(2).permutation(np.linspace(0, 1, 181))
    assert promise(scores, labelled(np.ones(181)), 0.95, 0.95).threshold == np.sort(scores)[k]


def test_ties_are_never_parted() -> None:
    made = promise(np.r_[np.full(100, 0.3), np.full(100, 0.8)], labelled(np.ones(200)), 0.95, 0.95)
    assert made.threshold == 0.3


def kept_promises(draws: int, weighted: bool) -> float:
    """How often the promise holds when low scores are a fifth as likely to be labelled, uniform truth."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(draws):
        scores = rng.random(900)
        chance = np.where(scores < 0.3, 0.2, 1.0)
        taken = rng.random(900) < chance
        scores, chance = scores[taken], chance[taken]
        weights = 1 / chance if weighted else np.ones(len(chance))
        held += promise(scores, labelled(np.ones(len(scores)), weights), 0.9, 0.95).threshold <= 0.1
    return held / draws


def test_the_promise_holds_under_unequal_sampling() -> None:
    assert kept_promises(300, weighted=True) >= 0.94


def test_without_the_weights_it_would_be_broken() -> None:
    assert kept_promises(100, weighted=False) < 0.2


def test_the_promise_holds_for_the_judge_that_is_used() -> None:
    held, fresh = 0, bells(4_000, 99)
    for seed in range(60):
        data = bells(300, seed)
        heads, logits = committee(data, folds_of(data, seed), 1.0, 10, seed)
        sigmoid = calibrate(logits, data)
        made = promise(sigmoid.members(logits).mean(1), data, 0.9, 0.95)
        caught = sigmoid.members(heads.logits(fresh.features_N_D)).mean(1) >= made.threshold
        held += caught[fresh.flagged].mean() >= made.recall
    assert held / 60 >= 0.89  # 95 % less two standard errors


def test_a_question_asked_ten_times_is_one_fact() -> None:
    labels, groups = np.ones(200), np.repeat(np.arange(20), 10)
    once = promise(np.linspace(0, 1, 20), labelled(np.ones(20)), 0.95, 0.95)
    tenfold = promise(np.repeat(np.linspace(0, 1, 20), 10), labelled(labels, groups=groups), 0.95, 0.95)
    assert tenfold.recall == pytest.approx(once.recall)
    assert "worth 20 independent ones" in tenfold.sentence


def test_groups_stay_whole_in_every_fold() -> None:
    groups = np.repeat(np.arange(30), 4)
    data = labelled((groups % 3 == 0).astype(float), groups=groups)
    for train, test in folds_of(data, 0):
        assert not set(groups[train]) & set(groups[test])


def test_labels_of_one_question_cannot_be_checked() -> None:
    groups = np.r_[np.zeros(20, int), np.arange(1, 21)]
    with pytest.raises(InputError, match="All flagged labels are of one question"):
        folds_of(labelled((groups == 0).astype(float), groups=groups), 0)


def test_a_share_with_equal_weights_is_the_plain_rate() -> None:
    values = np.r_[np.ones(7), np.zeros(13)]
    assert share(values, labelled(values)) == rate(values.tolist(), list(range(20)))


def test_a_share_of_nothing_has_no_point() -> None:
    assert share(np.zeros(0), labelled(np.zeros(0))).point is None


def test_a_weighted_share_covers_the_truth() -> None:
    rng, covered = np.random.default_rng(5), 0
    for _ in range(400):
        chance = rng.choice([0.2, 1.0], 600)
        values = (rng.random(600) < np.where(chance == 1, 0.1, 0.4)).astype(float)  # truth: 0.25
        taken = rng.random(600) < chance
        found = share(values[taken], labelled(values[taken], 1 / chance[taken]))
        covered += found.low <= 0.25 <= found.high
    assert covered / 400 >= 0.93


def test_the_area_counts_pairs_by_weight_and_ties_by_half() -> None:
    scores, labels = np.array([0.2, 0.5, 0.5, 0.9]), np.array([0.0, 0.0, 1.0, 1.0])
    assert auroc(scores, labelled(labels), 0).point == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert auroc(scores, labelled(labels, np.array([1.0, 3, 1, 1])), 0).point == pytest.approx(
        (1 + 1.5 + 1 + 3) / 8
    )


def test_perfect_ranking_of_few_is_not_certain() -> None:
    found = auroc(np.linspace(0, 1, 20), labelled(np.arange(20) >= 10), 0)
    assert (found.point, found.high) == (1.0, 1.0)
    assert 0.5 < found.low < 0.95


def test_calibration_error_is_small_for_honest_scores_and_large_for_boasts() -> None:
    rng = np.random.default_rng(6)
    scores = rng.random(3_000)
    labels = (rng.random(3_000) < scores).astype(float)
    honest, boasts = (
        calibration_error(s, labelled(labels), 0) for s in (scores, (scores > 0.5) * 0.98 + 0.01)
    )
    assert honest.point is not None and honest.point < 0.05
    assert boasts.low > 0.15


def test_the_curve_holds_every_example_once() -> None:
    scores = np.r_[np.zeros(50), np.linspace(0, 1, 50)]
    bins = curve(scores, labelled(scores > 0.5))
    assert sum(b.seen.n for b in bins) == 100
    assert [b.said for b in bins] == sorted(b.said for b in bins)
