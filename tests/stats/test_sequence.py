"""The confidence sequence: it holds at every look, closes when all is labelled, and says when to stop."""

import numpy as np
import pytest

from gadfly.errors import InputError
from gadfly.judges import Seen, choose, policy
from gadfly.stats import Draw, confidence_sequence


def looks(seed, n=150, cases=600, by="uniform:0.5+threshold:0.5", share=0.15, never=0):
    """A confidence sequence on a made-up run, the first `never` of its labels missing, and the run's own rate."""
    rng = np.random.default_rng(seed)
    fails = (rng.random(cases) < share).astype(float)
    scores = np.clip(fails * 0.6 + rng.normal(0.2, 0.2, cases), 0, 1)
    chosen = choose(Seen.of(scores, [None] * cases, 0.5), policy(by), n, seed=seed)
    labels = [None if place < never else float(fails[c.index]) for place, c in enumerate(chosen)]
    draws = [Draw(c.index, c.probability, y, c.lowest) for c, y in zip(chosen, labels, strict=True)]
    return confidence_sequence(list(scores), draws), fails.mean()


def test_it_holds_the_rate_at_every_look():
    held = 0
    for seed in range(200):
        found, truth = looks(seed)
        held += bool(((found.low <= truth) & (truth <= found.high)).all())
    assert held >= 190


def test_it_holds_the_rate_when_labels_of_the_first_draws_never_come():
    held = 0
    for seed in range(100):
        found, truth = looks(seed, cases=300, never=75)
        held += found.low[-1] <= truth <= found.high[-1]
    assert held >= 95


def test_it_starts_knowing_nothing_and_never_widens():
    found, _ = looks(1)
    assert (found.low[0], found.high[0], found.point[0]) == (0.0, 1.0, None)
    assert (np.diff(found.high - found.low) <= 1e-12).all()


def test_it_closes_on_the_rate_when_every_case_is_labelled():
    found, truth = looks(2, n=100, cases=100)
    assert found.low[-1] == pytest.approx(truth)
    assert found.high[-1] == pytest.approx(truth)


def test_it_says_after_how_many_labels_it_was_narrow_enough():
    found, _ = looks(3)
    stop = found.until(0.2)
    assert stop is not None
    assert found.high[stop] - found.low[stop] <= 0.2 < found.high[stop - 1] - found.low[stop - 1]
    assert found.until(0.0) is None


def test_the_estimate_names_the_labels_and_that_it_holds_at_every_look():
    found, _ = looks(4)
    at = found.at(50)
    assert (at.n, at.correction) == (50, "judge's errors, by 50 labels on 600 cases; valid at every look")


def test_no_label_gives_everything_and_an_unknown_lowest_probability_is_refused():
    empty = confidence_sequence([0.5] * 10, [])
    assert (empty.low.tolist(), empty.high.tolist()) == ([0.0], [1.0])
    with pytest.raises(InputError, match="lowest probability"):
        confidence_sequence([0.5] * 10, [Draw(0, 0.1, 1.0)])


def test_a_judge_that_learned_from_the_first_draws_does_not_bet_on_them():
    def learned(seed, after):
        rng = np.random.default_rng(seed)
        fails = (rng.random(600) < 0.3).astype(float)
        chosen = choose(Seen.of([0.5] * 600, [None] * 600, 0.5), policy("uniform"), 120, seed=seed)
        draws = [Draw(c.index, c.probability, float(fails[c.index]), c.lowest) for c in chosen]
        scores = np.full(600, 0.0)  # knows by heart what it learned from, and nothing else
        scores[[c.index for c in chosen[:60]]] = [fails[c.index] for c in chosen[:60]]
        found = confidence_sequence(list(scores), draws, after=after)
        return bool(((found.low <= fails.mean()) & (fails.mean() <= found.high)).all())

    assert sum(learned(seed, after=60) for seed in range(100)) >= 95
    assert sum(learned(seed, after=0) for seed in range(100)) < 95
