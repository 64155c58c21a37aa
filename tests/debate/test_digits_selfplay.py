"""Debaters who learn the sparse-pixel debate by playing against themselves, before a judge fitted on real digits."""

import numpy as np
import pytest
from digits_fakes import PIXELS, some_images, tiny

from gadfly.debate._digits import images, judge_of, random_reveal
from gadfly.debate._digits_figures import learned_figures, optimal_figures, optimal_plays
from gadfly.debate._digits_play import HONEST, LIAR, Positions, guaranteed, pairings
from gadfly.debate._digits_selfplay import LearnedPlayer, SelfPlay, learn
from gadfly.stats import proportion

QUICK = SelfPlay(rounds=12, games=2000, passes=4, hidden=(32,))
DATA = some_images(30)
JUDGE = tiny(3)


@pytest.fixture(scope="module")
def player():
    return learn(DATA, JUDGE, QUICK)


@pytest.fixture(scope="module")
def plays():
    return optimal_plays(JUDGE, DATA)


@pytest.fixture(scope="module")
def fitted():
    """A judge of four pixels of real digits, fitted for a second, and images it has not seen."""
    learn_from, held_out = images()
    return judge_of(learn_from, 4, epochs=8, hidden=16), held_out


def test_the_judge_beats_chance_on_images_it_has_not_seen(fitted):
    judge, held_out = fitted
    named = judge.scores(
        held_out.values_N_P, random_reveal(held_out.values_N_P, 4, np.random.default_rng(0))
    ).argmax(axis=1)
    assert proportion(int((named == held_out.labels_N).sum()), 600).low > 0.1


def test_the_same_seed_gives_the_same_judge_and_the_same_debater():
    digits = images()[0][:50]
    first, second = (judge_of(digits, 2, epochs=1, hidden=8, seed=1) for _ in "ab")
    np.testing.assert_array_equal(first.hidden_2P_H, second.hidden_2P_H)
    short = SelfPlay(rounds=2, games=500, hidden=(8,))
    one, two = (learn(DATA, JUDGE, short, seed=3).networks[0].layers[0][0] for _ in "ab")
    np.testing.assert_array_equal(one, two)


def test_the_highest_seed_is_one_too():
    short = SelfPlay(rounds=1, games=500, hidden=(8,))
    assert len(learn(DATA, JUDGE, short, seed=2**32 - 1).networks) == JUDGE.k


def test_the_claim_that_random_debaters_do_worst_on_is_no_better_than_the_mean_of_claims(plays):
    found = optimal_figures(DATA, plays)
    unluckiest, mean = found.rates["random debaters, worst claim"], found.rates["random debaters"]
    shares = [
        one.random_L[np.arange(10) != label].min() for one, label in zip(plays, DATA.labels_N, strict=True)
    ]
    assert unluckiest.point == pytest.approx(np.mean(shares)) and unluckiest.point <= mean.point
    gap = found.differences["optimal less random debaters, worst claim"].point
    assert gap == pytest.approx(found.rates["optimal, worst claim"].point - unluckiest.point)


def test_a_learned_debater_beats_a_random_one_in_both_chairs(player, plays):
    found = learned_figures(JUDGE, DATA, plays, player, 10).differences
    assert found["honest: learned less random, random liar"].low > 0
    assert found["liar: random less learned, random honest"].low > 0
    assert found["honest: learned less random, learned liar"].low > 0
    assert found["liar: random less learned, learned honest"].low > 0


def test_self_play_decides_most_games_as_optimal_play_does(player, plays):
    found = learned_figures(JUDGE, DATA, plays, player, 30)
    assert found.rates["decided as optimal"].low > 0.8
    assert found.differences["regret of the honest"].point < 0.2
    assert found.differences["regret of the liar"].point < 0.2


def test_optimal_play_favours_the_truth_and_is_counted_by_image(fitted):
    judge, held_out = fitted
    found = optimal_figures(held_out[:40], optimal_plays(judge, held_out[:40]))
    assert found.differences["optimal less random debaters"].low > 0
    assert (found.rates["optimal"].n, found.rates["optimal"].clusters) == (40 * 18, 40)
    order = (found.rates["optimal, honest first"].point + found.rates["optimal, liar first"].point) / 2
    assert found.rates["optimal"].point == pytest.approx(order)


def test_what_a_learned_debater_makes_sure_of_is_at_most_the_value(player, plays):
    games = pairings(DATA, "random", np.random.default_rng(0))
    value = np.array([plays[g // 2].wins_2_L[g % 2, games.claims_G_2[g, LIAR]] for g in range(len(games))])
    assert (guaranteed(JUDGE, games, player, HONEST) <= value).all()
    assert (guaranteed(JUDGE, games, player, LIAR) >= value).all()


def test_what_a_pixel_is_worth_is_what_the_network_says_once_it_is_revealed(player):
    network, values, claims = player.networks[0], DATA.values_N_P[:3], DATA.labels_N[:3]
    nothing = np.zeros(values.shape, dtype=bool)
    worth = network.worth(Positions(values, nothing, claims, (claims + 1) % 10, 3))
    assert np.isneginf(worth[values == 0]).all() and np.isfinite(worth[values > 0]).all()
    labels = np.eye(10, dtype=np.float32)
    for p in np.flatnonzero(values[0])[:5]:
        mask = np.arange(PIXELS) == p
        units = np.concatenate(
            [values[0], values[0] * mask, mask, labels[claims[0]], labels[(claims[0] + 1) % 10]]
        )
        for weights, bias in network.layers[:-1]:
            units = np.maximum(units @ weights + bias, 0)
        weights, bias = network.layers[-1]
        assert worth[0, p] == pytest.approx((units @ weights + bias)[0], abs=1e-5)


def test_exploring_moves_are_free_pixels_too(player):
    values, claims = np.tile(DATA.values_N_P, (20, 1)), np.tile(DATA.labels_N, 20)
    positions = Positions(values, np.zeros(values.shape, dtype=bool), claims, (claims + 1) % 10, 3)
    curious = LearnedPlayer(player.networks, explore=0.5)
    chosen, best = (one.choose(positions, np.random.default_rng(0)) for one in (curious, player))
    assert (values[np.arange(600), chosen] > 0).all() and 0.3 < (chosen != best).mean() < 0.55
