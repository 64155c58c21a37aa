"""Choosing what to ask: whom a policy prefers, that its probabilities are true, and what its insurance costs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from gadfly.errors import InputError, UnknownNameError
from gadfly.judges import PRICE, Seen, choose, policy

SCORES = np.r_[np.linspace(0, 0.3, 900), np.linspace(0.3, 1, 100)]
SEEN = Seen.of(SCORES, 0.5 - np.abs(SCORES - 0.5), 0.5)


def preferred(name):
    """The score each policy favours most, without insurance."""
    return SCORES[np.argmax(policy(name).weights(SEEN, math.inf))]


def test_each_policy_prefers_what_it_is_named_for():
    assert preferred("threshold") == pytest.approx(0.5, abs=0.02)
    assert preferred("epistemic") == pytest.approx(0.5, abs=0.02)
    assert preferred("stratified") > 0.3
    assert set(policy("uniform").weights(SEEN)) == {1.0}


@pytest.mark.parametrize(
    "name",
    [
        "uniform",
        "stratified",
        "threshold",
        "total",
        "epistemic",
        "bald",
        "aleatoric",
        "uniform:1+epistemic:3",
    ],
)
def test_a_policy_never_costs_more_than_its_price(name):
    weights = policy(name).weights(SEEN)
    assert weights.mean() == pytest.approx(1.0)
    assert (1 / weights).mean() <= PRICE + 1e-9


def test_the_probabilities_are_those_of_the_draws():
    seen = Seen.of([0.1, 0.5, 0.9, 0.45], [None] * 4, 0.5)
    first = [choose(seen, policy("threshold"), 1, seed=seed, price=math.inf)[0] for seed in range(4_000)]
    for index in range(4):
        told = [c.probability for c in first if c.index == index]
        assert len(told) / 4_000 == pytest.approx(told[0], abs=0.03)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=30), st.integers(1, 40))
def test_every_case_is_drawn_at_most_once_and_the_last_one_surely(scores, n):
    seen = Seen.of(scores, [None] * len(scores), 0.5)
    chosen = choose(seen, policy("uniform:0.5+threshold:0.3+stratified:0.2"), n)
    assert len({c.index for c in chosen}) == len(chosen) == min(n, len(scores))
    assert all(0 < c.lowest <= c.probability <= 1 for c in chosen)
    if len(chosen) == len(scores):
        assert chosen[-1].probability == pytest.approx(1.0)


def test_what_was_taken_is_not_drawn_again():
    again = choose(SEEN, policy("threshold"), 50, taken=range(950))
    assert {c.index for c in again} == set(range(950, 1_000))


def test_every_choice_says_why():
    chosen = choose(Seen.of([None, 0.48], [None, 0.2], 0.5), policy("epistemic"), 2)
    assert {c.why for c in chosen} == {
        "the judge could not tell, drawn uniformly",
        "score 0.48, unsure by ±0.20",
    }


def test_mixtures_are_read_back_from_their_names():
    mixed = policy("uniform:1+threshold:3")
    assert mixed.parts == (("uniform", 0.25), ("threshold", 0.75))
    assert policy(mixed.name) == mixed


@pytest.mark.parametrize("name", ["unifrm", "uniform:0.5+x:0.5"])
def test_an_unknown_policy_names_the_nearest(name):
    with pytest.raises(UnknownNameError, match="There is no policy"):
        policy(name)


@pytest.mark.parametrize("name", ["uniform:0", "uniform:-1", "uniform:many", "uniform:inf"])
def test_a_share_that_is_none_is_refused(name):
    with pytest.raises(InputError, match="no positive number"):
        policy(name)


def test_a_judge_without_uncertainty_cannot_be_asked_by_it():
    with pytest.raises(InputError, match="states no uncertainty"):
        choose(Seen.of([0.5], [None], 0.5), policy("epistemic"), 1)


def test_the_variance_of_an_answer_is_aleatoric_and_epistemic():
    seen = Seen.of([0.5, 0.2, 0.9], [0.1, 0.3, 0.05], 0.5)
    assert seen.aleatoric + seen.uncertainty_N**2 == pytest.approx(seen.total)
    assert Seen.of([0.01], [0.3], 0.5).aleatoric == 0


@pytest.mark.parametrize(("p", "spread"), [(0.5, 0.2), (0.1, 0.05), (0.9, 0.29)])
def test_bald_is_the_information_between_a_label_and_a_beta_belief(p, spread):
    worth = p * (1 - p) / spread**2 - 1
    beliefs = np.random.default_rng(0).beta(p * worth, (1 - p) * worth, 400_000)
    information = entropy([p, 1 - p]) - entropy([beliefs, 1 - beliefs]).mean()
    weights = policy("bald").weights(Seen.of([p, 0.5], [spread, 0.2], 0.5), math.inf)
    assert weights[0] / weights[1] == pytest.approx(information / 0.08632, rel=0.04)


def test_what_is_settled_or_a_mere_coin_has_little_to_tell():
    weights = policy("bald").weights(Seen.of([0.5, 0.5, 0.999], [0.3, 0.001, 0.001], 0.5), math.inf)
    assert weights[0] > 100 * max(weights[1:]) and min(weights) > 0
    coin = policy("aleatoric").weights(Seen.of([0.5, 0.5], [0.3, 0.001], 0.5), math.inf)
    assert coin[1] > coin[0]
