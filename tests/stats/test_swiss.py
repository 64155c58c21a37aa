"""Swiss pairings: like meets like, nobody twice while it can be helped, and all sit out and change seats alike."""

from __future__ import annotations

import math
import random
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.stats import Match, Round, ratings, swiss

FIELD = st.tuples(st.integers(2, 13), st.integers(0, 10_000))


def tournament(players: int, rounds: int, seed: int) -> tuple[list[Round], list[Match]]:
    """Rounds with results drawn by lot, a soft score now and then."""
    rng, names = random.Random(seed), [f"p{i}" for i in range(players)]
    made: list[Round] = []
    played: list[Match] = []
    for _ in range(rounds):
        made.append(swiss(names, played, seed))
        played += [Match(*pair, rng.choice([0.0, 1.0, 0.5, rng.random()])) for pair in made[-1].pairs]
    return made, played


@settings(max_examples=40)
@given(FIELD)
def test_everyone_plays_once_a_round_or_sits_out(field: tuple[int, int]) -> None:
    players, seed = field
    for one in tournament(players, 4, seed)[0]:
        seen = [name for pair in one.pairs for name in pair] + ([one.bye] if one.bye else [])
        assert sorted(seen) == sorted(f"p{i}" for i in range(players))


@settings(max_examples=40)
@given(FIELD)
def test_byes_differ_by_at_most_one(field: tuple[int, int]) -> None:
    players, seed = field
    made, _ = tournament(players, 6, seed)
    byes = Counter({f"p{i}": 0 for i in range(players)})
    byes.update(one.bye for one in made if one.bye)
    assert max(byes.values()) - min(byes.values()) <= 1
    assert sum(byes.values()) == (6 if players % 2 else 0)


@settings(max_examples=40)
@given(FIELD)
def test_nobody_meets_twice_in_the_first_half_of_a_round_robin(field: tuple[int, int]) -> None:
    players, seed = field
    rounds = max(
        players // 2, 1
    )  # each has then met under half of the others, so new pairs for all exist (Dirac)
    made, _ = tournament(players, rounds, seed)
    met = Counter(frozenset(pair) for one in made for pair in one.pairs)
    assert set(met.values()) <= {1} or (players % 2 and players < 4)


@settings(max_examples=40)
@given(FIELD)
def test_nobody_sits_in_one_seat_three_times_more_than_in_the_other(field: tuple[int, int]) -> None:
    made, _ = tournament(field[0], 5, field[1])
    firsts = Counter(pair[0] for one in made for pair in one.pairs)
    seconds = Counter(pair[1] for one in made for pair in one.pairs)
    assert all(abs(firsts[name] - seconds[name]) <= 2 for name in firsts | seconds)


@settings(max_examples=30)
@given(FIELD, st.randoms(use_true_random=False))
def test_a_killed_tournament_goes_on_alike(field: tuple[int, int], order: random.Random) -> None:
    made, played = tournament(field[0], 3, field[1])
    names = [f"p{i}" for i in range(field[0])]
    order.shuffle(names)
    kept = len(made[0].pairs) + len(made[1].pairs)
    assert swiss(names, played[:kept], field[1]) == made[2]


def test_winners_meet_winners() -> None:
    played = [Match("a", "b", 1.0), Match("c", "d", 1.0), Match("e", "f", 0.0), Match("g", "h", 0.0)]
    found = {frozenset(pair) for pair in swiss("abcdefgh", played, 0).pairs}
    assert all(len(pair & set("acfh")) in (0, 2) for pair in found)


def test_players_whom_chance_may_have_parted_are_alike() -> None:
    played = [Match("a", "b", 0.7), Match("c", "d", 0.7), Match("e", "f", 0.3), Match("g", "h", 0.3)]

    def met(noise: float) -> set[frozenset[str]]:
        rounds = (swiss("abcdefgh", played, seed, noise=noise) for seed in range(20))
        return {frozenset(pair) for one in rounds for pair in one.pairs}

    assert all(len(pair & set("acfh")) in (0, 2) for pair in met(0.05))
    assert any(len(pair & set("acfh")) == 1 for pair in met(0.15))
    assert frozenset("ab") not in met(0.15)
    with pytest.raises(InputError, match="not below 0"):
        swiss("ab", [], 0, noise=-1.0)


def test_equal_players_are_rated_within_their_intervals_however_they_met() -> None:
    """By points as they are, a tenth of the differences and more is missed."""
    rng, held = np.random.default_rng(1), list[bool]()
    for seed in range(25):
        names, met, games = "abcdefghijkl", list[Match](), list[Match]()
        for _ in range(5):
            for pair in swiss(names, met, seed, noise=0.5 / math.sqrt(10)).pairs:
                scores = rng.integers(0, 2, 20)
                met.append(Match(*pair, float(scores.mean())))
                games += [
                    Match(*(pair, pair[::-1])[n % 2], float(y ^ n % 2)) for n, y in enumerate(scores.tolist())
                ]
        held += [one.low <= 0 <= one.high for one in ratings(games).differences.values()]
    assert np.mean(held) > 0.925


def test_the_low_scorer_sits_out() -> None:
    played = [Match("a", "b", 1.0), Match("c", "d", 1.0), Match("a", "c", 1.0), Match("b", "d", 1.0)]
    late = [*played, Match("e", "a", 0.0), Match("e", "b", 0.5)]
    assert swiss("abcde", late, 0).bye in "ab"  # they played most
    assert swiss("abc", [Match("a", "b", 0.9), Match("b", "c", 0.9), Match("c", "a", 0.1)], 0).bye == "c"


def test_who_sat_second_sits_first() -> None:
    [pair] = swiss("ab", [Match("a", "b", 0.5)], 3).pairs
    assert pair == ("b", "a")


def test_seeds_draw_different_first_rounds() -> None:
    assert len({swiss("abcdef", [], seed).pairs for seed in range(20)}) > 5


def test_few_players_have_no_pairs_and_names_are_distinct() -> None:
    assert swiss([], [], 0) == Round((), None) and swiss(["a"], [], 0) == Round((), "a")
    with pytest.raises(InputError, match="twice"):
        swiss(["a", "a"], [], 0)


def test_sixty_four_players_are_paired_at_once() -> None:
    began = time.process_time()
    tournament(64, 3, 0)
    assert time.process_time() - began < 10
