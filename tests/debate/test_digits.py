"""The sparse-pixel debate: what the judge reads, that optimal play is exact, and what it bounds."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from digits_fakes import LABELS, PIXELS, image, some_images, tiny

from gadfly.debate._digits import PixelJudge, images, random_reveal, subsets
from gadfly.debate._digits_figures import optimal_plays
from gadfly.debate._digits_play import (
    HONEST,
    LIAR,
    PixelGame,
    RandomPlayer,
    guaranteed,
    optimal,
    pairings,
    play,
)
from gadfly.errors import InputError


def brute_force(judge, values, wins, honest_moves, revealed=()):
    """Minimax over sequences of pixels, without any of the tricks; `wins` reads the scores."""
    if len(revealed) == judge.k:
        mask = np.isin(np.arange(PIXELS), revealed)[None]
        return wins(judge.scores(values[None], mask)[0])
    free = [p for p in np.flatnonzero(values) if p not in revealed]
    after = (brute_force(judge, values, wins, not honest_moves, (*revealed, p)) for p in free)
    return any(after) if honest_moves else all(after)


class Lowest:
    """Reveals the first pixel that is free."""

    def choose(self, positions, rng):
        return positions.free.argmax(axis=1)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("first", [HONEST, LIAR])
def test_optimal_play_is_what_minimax_over_all_sequences_finds(k, first):
    for seed in range(3):
        judge, values = tiny(k, seed), image(seed)
        found = optimal(judge, values, 3)
        for wrong in (0, 7):
            beaten = partial(scores_more, 3, wrong)
            assert found.wins_2_L[first, wrong] == brute_force(judge, values, beaten, first == HONEST)
        assert found.uncommitted_2[first] == brute_force(judge, values, names_three, first == HONEST)


def scores_more(one, other, scores):
    return scores[one] > scores[other]


def names_three(scores):
    return scores.argmax() == 3


def test_a_liar_does_no_worse_for_choosing_its_claim_and_no_worse_still_for_making_none():
    for seed in range(20):
        found = optimal(tiny(4, seed), image(seed), 3)
        assert (found.wins_2_L.all(axis=1) >= found.uncommitted_2).all()
        assert found.random_L.min() >= found.random_uncommitted


def test_every_set_of_pixels_is_scored_as_the_judge_scores_it():
    judge, values = tiny(5), image(1)
    on = np.flatnonzero(values)
    sets = on[subsets(len(on), 5)]
    revealed = np.zeros((len(sets), PIXELS), dtype=bool)
    np.put_along_axis(revealed, sets, True, axis=1)
    one_by_one = judge.scores(np.tile(values, (len(sets), 1)), revealed)
    np.testing.assert_allclose(judge.every_score(values), one_by_one, atol=1e-5)


def test_sets_come_with_those_of_the_first_few_first():
    rows = [tuple(row) for row in subsets(6, 3).tolist()]
    assert sorted(rows) == list(combinations(range(6), 3)) and rows[:4] == [
        (0, 1, 2),
        (0, 1, 3),
        (0, 2, 3),
        (1, 2, 3),
    ]
    assert subsets(4, 0).shape == (1, 0)


def games_of(count):
    data = some_images(count)
    return data, pairings(data, "every", np.random.default_rng(0))


@pytest.mark.parametrize("k", [3, 4])
def test_nobody_makes_sure_of_more_than_the_value_of_the_game(k):
    data, games = games_of(4)
    judge = tiny(k)
    plays = optimal_plays(judge, data)
    value = np.array(
        [plays[g // 18].wins_2_L[games.first_G[g], games.claims_G_2[g, LIAR]] for g in range(len(games))]
    )
    assert (guaranteed(judge, games, Lowest(), HONEST) <= value).all()
    assert (guaranteed(judge, games, Lowest(), LIAR) >= value).all()


def test_what_is_guaranteed_is_the_worst_of_all_answers():
    judge, (_, games) = tiny(2), games_of(2)
    liar_first = games[games.first_G == LIAR]
    for game in range(0, len(liar_first), 5):
        one = liar_first[game : game + 1]
        answers = [
            play(one, judge, (Lowest(), Fixed(p)), np.random.default_rng(0))[0] for p in range(PIXELS - 1)
        ]
        assert guaranteed(judge, one, Lowest(), HONEST)[0] == all(answers)


class Fixed:
    """Reveals one pixel, always the same."""

    def __init__(self, pixel):
        self.pixel = pixel

    def choose(self, positions, rng):
        return np.full(len(positions.mine_G), self.pixel)


def test_debaters_reveal_as_many_pixels_as_the_judge_wants_and_no_blank_one():
    judge, (_, games) = tiny(4), games_of(3)
    seen = []

    class Watched(RandomPlayer):
        def choose(self, positions, rng):
            chosen = super().choose(positions, rng)
            seen.append((positions.left, positions.free[np.arange(len(chosen)), chosen].all()))
            return chosen

    play(games, judge, (Watched(), Watched()), np.random.default_rng(0))
    assert [left for left, _ in seen] == [4, 4, 3, 3, 2, 2, 1, 1] and all(free for _, free in seen)


def test_a_tie_between_the_claims_goes_to_the_liar():
    flat = PixelJudge(
        1, *(np.zeros(s, dtype=np.float32) for s in ((2 * PIXELS, 5), (5,), (5, LABELS), (LABELS,)))
    )
    game = PixelGame(image(0)[None], np.array([[1, 2]]), np.array([HONEST]))
    assert not play(game, flat, (RandomPlayer(), RandomPlayer()), np.random.default_rng(0)).any()
    assert not optimal(flat, image(0), 1).wins_2_L[:, 2].any()


def test_random_pixels_are_nonzero_and_as_many_as_asked_for():
    values = np.array([image(i, blank=3) for i in range(50)])
    revealed = random_reveal(values, 4, np.random.default_rng(0))
    assert (revealed.sum(axis=1) == 4).all() and not revealed[values == 0].any()
    with pytest.raises(InputError, match="Between 1 and 5 pixels"):
        random_reveal(values, 6, np.random.default_rng(0))


def test_the_images_are_cut_in_two_and_every_label_is_on_both_sides():
    learn, measure = images()
    assert (len(learn), len(measure)) == (1197, 600)
    assert set(learn.labels_N) == set(measure.labels_N) == set(range(10))
    with pytest.raises(InputError, match="can be held out"):
        images(held_out=1797)
