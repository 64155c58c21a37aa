"""Corrected rates: what they equal, what they hold in simulation, what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from ppi_py import ppi_mean_ci

from gadfly.errors import InputError
from gadfly.judges import Seen, choose, policy
from gadfly.stats import Draw, RaterError, corrected_rate, corrected_within, proportion, rate


def world(rng, cases=1_000, share=0.2, miss=0.2, alarm=0.05):
    """Who fails, and who a judge with these errors flags."""
    fails = rng.random(cases) < share
    flags = np.where(fails, rng.random(cases) >= miss, rng.random(cases) < alarm)
    return fails.astype(float), flags.astype(float)


def drawn(labels, flags, n, seed, by="uniform"):
    seen = Seen.of(flags, [None] * len(flags), 0.5)
    return [
        Draw(c.index, c.probability, float(labels[c.index]), c.lowest)
        for c in choose(seen, policy(by), n, seed=seed)
    ]


def coverage(run, truth, draws=400):
    return sum(e.low <= truth <= e.high for e in map(run, range(draws))) / draws


def test_uniform_draws_give_the_interval_of_prediction_powered_inference():
    rng = np.random.default_rng(0)
    labels, flags = world(rng, cases=20_000)
    draws = drawn(labels, flags, 500, seed=1)
    index = [d.index for d in draws]
    rest = np.delete(flags, index)
    low, high = ppi_mean_ci(labels[index], flags[index], rest, alpha=0.05)
    ours = corrected_rate(list(flags), draws)
    assert (ours.low, ours.high) == pytest.approx((low[0], high[0]), abs=0.004)


def test_when_every_case_is_labelled_the_rate_is_that_of_the_labels():
    rng = np.random.default_rng(1)
    labels, flags = world(rng, cases=200)
    ours, plain = corrected_rate(list(flags), drawn(labels, flags, 200, 0)), rate(list(labels))
    assert ours.point == pytest.approx(plain.point)
    assert ours.low <= plain.low + 0.02
    assert plain.high - 0.02 <= ours.high


def test_a_constant_judge_gives_the_interval_of_the_labels_alone():
    labels = np.r_[np.ones(12), np.zeros(988)][np.random.default_rng(2).permutation(1_000)]
    ours = corrected_rate([0.0] * 1_000, draws := drawn(labels, labels * 0, 300, 0))
    plain = proportion(sum(int(d.label) for d in draws), 300)
    assert (ours.point, ours.high) == pytest.approx((plain.point, plain.high), abs=0.005)


def test_no_error_seen_is_not_no_error():
    draws = [Draw(i, 1 / (1_000 - i), 0.0) for i in range(100)]
    found = corrected_rate([0.0] * 1_000, draws)
    assert (found.point, found.low) == (0.0, 0.0)
    assert 0.03 < found.high < 0.05


@pytest.mark.parametrize("by", ["uniform", "stratified", "threshold", "uniform:0.5+threshold:0.5"])
def test_the_interval_holds_the_truth_whatever_the_policy(by):
    def run(seed):
        labels, flags = world(np.random.default_rng(seed))
        return corrected_rate(list(flags), drawn(labels, flags, 200, seed, by))

    assert 0.92 <= coverage(run, 0.2) <= 0.98


def test_repeated_questions_widen_the_interval_even_under_a_judge_that_errs_case_by_case():
    def run(seed):
        rng = np.random.default_rng(seed)
        fails = np.repeat((rng.random(100) < 0.2).astype(float), 10)
        flags = np.where(fails > 0, rng.random(1_000) < 0.7, rng.random(1_000) < 0.2).astype(float)
        return corrected_rate(list(flags), drawn(fails, flags, 300, seed), [i // 10 for i in range(1_000)])

    assert 0.92 <= coverage(run, 0.2) <= 0.98


def test_raters_who_err_are_corrected_for_and_not_without():
    error = RaterError(0.15, 0.05, ((0.03**2, 0.0), (0.0, 0.01**2)), 200)

    def votes(seed, error):
        rng = np.random.default_rng(seed)
        labels, flags = world(rng)
        miss, alarm = rng.normal(0.15, 0.03), rng.normal(0.05, 0.01)
        says = np.where(labels > 0, rng.random(1_000) >= miss, rng.random(1_000) < alarm).astype(float)
        return corrected_rate(list(flags), drawn(says, flags, 300, seed), error=error)

    assert 0.92 <= coverage(lambda seed: votes(seed, error), 0.2) <= 0.98
    narrow, wide = votes(0, None), votes(0, error)
    assert wide.high - wide.low > narrow.high - narrow.low


@pytest.mark.parametrize("errs", [False, True])
def test_what_passes_within_a_known_part_is_covered_whoever_errs(errs):
    """A third of the claims is known to be false, of which people say of a few whether their quotes show them."""
    miss, alarm, false, shown = (0.12, 0.06, 0.35, 0.2) if errs else (0.0, 0.0, 0.35, 0.2)
    error = RaterError(miss, alarm, ((0.02**2, 0.0), (0.0, 0.01**2)), 200) if errs else None

    def found(seed):
        rng = np.random.default_rng(seed)
        part = rng.random(400) < false
        fails = rng.random(400) >= np.where(part, shown, 0.6)
        flags = np.where(fails, rng.random(400) < 0.7, rng.random(400) < 0.3).astype(float)
        says = np.where(fails, rng.random(400) >= miss, rng.random(400) < alarm).astype(float)
        return corrected_within(list(part), list(flags), drawn(says, flags, 120, seed), error=error)

    assert 0.93 <= coverage(found, false * shown) <= 0.995
    points = [found(seed).point for seed in range(100)]
    assert sum(points) / 100 == pytest.approx(false * shown, abs=0.01)


def test_cases_of_which_the_part_is_not_known_tell_nothing():
    rng = np.random.default_rng(5)
    labels, flags = world(rng, cases=400)
    draws = drawn(labels, flags, 100, 5)
    part = [None if i % 4 == 0 else float(i % 2) for i in range(400)]
    found = corrected_within(part, list(flags), draws)
    assert (found.n, found.missing) == (
        sum(d.index % 4 > 0 for d in draws),
        sum(d.index % 4 == 0 for d in draws),
    )
    assert corrected_within([None] * 400, list(flags), draws).point is None


def test_a_case_the_judge_could_not_score_costs_nothing_but_width():
    labels, flags = world(np.random.default_rng(3))
    scores = [None if i % 3 == 0 else float(f) for i, f in enumerate(flags)]
    found = corrected_rate(scores, drawn(labels, flags, 300, 3))
    assert found.low <= labels.mean() <= found.high


def test_what_nobody_could_tell_is_missing_and_too_few_labels_give_no_point():
    draws = [Draw(0, 0.1, 1.0), Draw(1, 0.1, None), Draw(2, 0.1, 0.0)]
    found = corrected_rate([0.5] * 10, draws)
    assert (found.point, found.low, found.high, found.n, found.missing) == (None, 0.0, 1.0, 2, 1)


@pytest.mark.parametrize("kept", [slice(150, None), slice(None, None, 2)], ids=["the first", "every other"])
def test_labels_that_do_not_come_widen_the_interval_as_if_never_drawn(kept):
    def run(seed):
        labels, flags = world(np.random.default_rng(seed), cases=400)
        draws = drawn(labels, flags, 300, seed, "threshold")
        there = {draw.index for draw in draws[kept]}
        return corrected_rate(list(flags), [d if d.index in there else replace(d, label=None) for d in draws])

    assert 0.92 <= coverage(run, 0.2) <= 0.98


@pytest.mark.parametrize(
    ("draws", "sentence"),
    [
        ([Draw(10, 0.1, 1.0)], "outside the run"),
        ([Draw(1, 0.1, 1.0), Draw(1, 0.1, 0.0)], "drawn twice"),
        ([Draw(1, 0.0, 1.0)], r"lies in \(0, 1\]; got 0.0"),
        ([Draw(1, 0.5, 1.5)], r"A label lies in \[0, 1\]"),
    ],
)
def test_impossible_draws_are_refused(draws, sentence):
    with pytest.raises(InputError, match=sentence):
        corrected_rate([0.0] * 10, draws)
