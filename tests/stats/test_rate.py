"""Rates: known values, repeats, missing verdicts, and coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from gadfly.errors import InputError
from gadfly.stats import Estimate, proportion, rate, sensitivity_floor


@pytest.mark.parametrize(("method", "reference"), [("wilson", "wilson"), ("exact", "beta")])
@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 50), (25, 25), (1, 1000)])
def test_a_proportion_agrees_with_statsmodels(method, reference, successes, n):
    estimate = proportion(successes, n, method=method)
    assert (estimate.low, estimate.high) == pytest.approx(proportion_confint(successes, n, method=reference))


def test_no_trials_give_no_point_and_everything_possible():
    assert proportion(0, 0, missing=4) == Estimate(None, 0.0, 1.0, 0, 0, missing=4)
    assert rate([None, None]) == Estimate(None, 0.0, 1.0, 0, 0, missing=2)
    assert str(rate([])) == "no data (n = 0, 0 missing)"


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_an_impossible_count_is_refused(successes, n):
    with pytest.raises(InputError, match="not a count of trials"):
        proportion(successes, n)


def test_distinct_questions_give_plain_wilson():
    verdicts = [True] * 3 + [False] * 47
    assert rate(verdicts) == proportion(3, 50)
    assert rate(verdicts, range(50)) == proportion(3, 50)


def test_a_question_asked_fifty_times_is_not_fifty_facts():
    repeated = rate([True] * 50, ["the same"] * 50)
    assert (repeated.n, repeated.clusters) == (50, 1)
    assert repeated.low == pytest.approx(proportion(1, 1).low)


def test_when_nothing_fails_the_questions_count_and_not_the_repeats():
    quiet = rate([False] * 200, [i % 20 for i in range(200)])
    assert quiet.high == pytest.approx(proportion(0, 20).high)
    assert quiet.correction == "duplicate questions (design effect 10.00)"


def test_repeats_that_always_agree_count_as_their_questions():
    verdicts = [i < 300 for i in range(1000)]
    estimate, questions = rate(verdicts, [i // 10 for i in range(1000)]), proportion(30, 100)
    assert estimate.point == 0.3
    assert (estimate.low, estimate.high) == pytest.approx((questions.low, questions.high), abs=0.004)


def test_missing_verdicts_are_counted_apart_and_never_averaged_in():
    estimate = rate([True, None, False, None], ["a", "b", "c", "d"], missing=3)
    assert (estimate.point, estimate.n, estimate.clusters, estimate.missing) == (0.5, 2, 2, 5)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_verdict_outside_zero_to_one_is_refused(bad):
    with pytest.raises(InputError, match="lies in"):
        rate([0.5, bad])


def test_every_verdict_needs_its_cluster():
    with pytest.raises(InputError, match="3 verdicts came with 2 cluster names"):
        rate([True, None, False], ["a", "b"])


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_is_a_probability(level):
    with pytest.raises(InputError, match=r"such as 0\.95"):
        rate([True], level=level)


def test_the_sensitivity_floor_is_the_rule_of_three():
    assert sensitivity_floor(1000) == pytest.approx(3 / 1000, rel=0.01)
    assert sensitivity_floor(0) == 1.0
    assert (1 - sensitivity_floor(59)) ** 59 == pytest.approx(0.05)
    with pytest.raises(InputError):
        sensitivity_floor(-1)


verdict = st.one_of(st.none(), st.booleans(), st.floats(0, 1))


@given(st.lists(st.tuples(verdict, st.integers(0, 5)), max_size=60))
def test_any_rate_lies_in_its_interval_and_is_no_narrower_than_independent_answers(rows):
    estimate = rate([v for v, _ in rows], [c for _, c in rows])
    assert 0 <= estimate.low <= estimate.high <= 1
    if estimate.point is not None:
        assert estimate.low - 1e-12 <= estimate.point <= estimate.high + 1e-12
        alone = rate([v for v, _ in rows])
        assert estimate.high - estimate.low >= alone.high - alone.low - 1e-9


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=40), st.randoms())
def test_order_and_names_of_clusters_do_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    one = rate([v for v, _ in rows], [c for _, c in rows])
    two = rate([v for v, _ in shuffled], [f"q{c}" for _, c in shuffled])
    assert (one.low, one.high) == pytest.approx((two.low, two.high))


SIZES = {
    "singles": np.ones(200, int),
    "pairs": np.full(150, 2),
    "tens": np.full(50, 10),
    "zipf": np.concatenate([500 // (np.arange(1, 41) + 4), np.ones(200, int)]),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_a_95_percent_interval_covers_93_to_97_percent_of_the_time(sizes, rho):
    rng, held, draws = np.random.default_rng([7, int(rho * 10)]), 0, 2000
    labels = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(draws):
        p = rng.uniform(0.15, 0.4)
        spread = 1 / rho - 1
        question = rng.beta(p * spread, (1 - p) * spread, len(sizes))
        estimate = rate((rng.random(len(labels)) < question[labels]).tolist(), labels.tolist())
        held += estimate.low <= p <= estimate.high
    assert 0.93 <= held / draws <= 0.97
