"""Ratings of scripted players whose skills are known."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.stats import Match, proportion, ratings, swiss

ELO = 400 / math.log(10)


def both_seats(first: str, second: str, share: float, question: object = None) -> list[Match]:
    """Two matches with the seats swapped, in which the first named takes this share of both."""
    return [Match(first, second, share, question), Match(second, first, 1 - share, question)]


def test_a_difference_of_400_is_ten_to_one() -> None:
    found = ratings([one for q in range(200) for one in both_seats("a", "b", 10 / 11, q)])
    assert found.difference("a", "b").point == pytest.approx(400, abs=6)
    assert [one.name for one in found.players] == ["a", "b"]


def test_ratings_have_mean_zero_or_an_anchor_at_zero() -> None:
    matches = [one for q in range(9) for one in both_seats("a", "b", 0.8, q) + both_seats("b", "c", 0.6, q)]
    assert sum(one.rating.point or 0 for one in ratings(matches).players) == pytest.approx(0, abs=1e-6)
    [anchored] = [one.rating for one in ratings(matches, anchor="b").players if one.name == "b"]
    assert (anchored.point, anchored.low, anchored.high) == pytest.approx((0, 0, 0))


def test_who_won_every_match_is_finite_and_very_uncertain() -> None:
    found = ratings(
        [one for q in range(3) for one in both_seats("best", "b", 1.0, q) + both_seats("b", "c", 0.5, q)]
    )
    gap = found.difference("best", "b")
    assert gap.low < 100 and 300 < (gap.point or 0) < 600 and gap.high < 2_000


def test_a_tie_is_half_a_win() -> None:
    ties = ratings([one for q in range(8) for one in both_seats("a", "b", 0.5, q)])
    wins = ratings([Match(*seats, s, q) for q in range(8) for seats in ("ab", "ba") for s in (0.0, 1.0)])
    assert ties.difference("a", "b").point == pytest.approx(0.0) == wins.difference("a", "b").point


def test_nothing_but_ties_leaves_ratings_unsure() -> None:
    rated = ratings([one for q in range(2) for one in both_seats("a", "b", 0.5, q)])
    gap = rated.difference("a", "b")
    assert gap.point == pytest.approx(0) and gap.high - gap.low > 400
    assert rated.side is not None and rated.side.high - rated.side.low > 200


def test_the_side_is_taken_out_of_the_ratings() -> None:
    rng = np.random.default_rng(0)
    matches = [Match(*seats, float(rng.random() < 0.8), q) for q in range(300) for seats in ("ab", "ba")]
    found = ratings(matches)
    assert found.side is not None and found.side.low < ELO * math.log(4) < found.side.high
    assert found.difference("a", "b").low < 0 < found.difference("a", "b").high
    assert ratings(matches, side=False).side is None


def test_a_difference_turns_with_its_players() -> None:
    found = ratings(
        [one for q in range(9) for one in both_seats("a", "b", 0.8, q) + both_seats("b", "c", 0.6, q)]
    )
    one, other = found.difference("a", "c"), found.difference("c", "a")
    assert (one.point, one.low, one.high) == (-(other.point or 0), -other.high, -other.low)
    with pytest.raises(InputError, match="not two of the rated"):
        found.difference("a", "a")


def test_a_match_nobody_could_judge_is_missing_and_no_half_point() -> None:
    matches = [one for q in range(9) for one in both_seats("a", "b", 0.9, q)]
    with_gaps, without = ratings([*matches, Match("a", "b", None, 99)]), ratings(matches)
    assert with_gaps.difference("a", "b").point == without.difference("a", "b").point
    assert with_gaps.difference("a", "b").missing == 1


def test_repeating_every_match_in_its_question_tells_nothing_new() -> None:
    rng = np.random.default_rng(2)
    matches = [Match(*seats, float(rng.random() < 0.7), q) for q in range(30) for seats in ("ab", "ba")]
    once, often = (ratings(matches * times).difference("a", "b") for times in (1, 5))
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.1)
    alone = ratings([Match(m.first, m.second, m.score) for m in matches * 5]).difference("a", "b")
    assert alone.high - alone.low < 0.6 * (often.high - often.low)


def test_repeating_every_match_changes_no_interval_also_where_results_part() -> None:
    for share in (0.8, 1.0):
        matches = [
            one for q in range(12) for one in both_seats("a", "b", share, q) + both_seats("b", "c", 0.6, q)
        ]
        once, often = (ratings(matches * times).difference("a", "b") for times in (1, 5))
        assert (often.point, often.low, often.high) == pytest.approx(
            (once.point, once.low, once.high), abs=0.5
        )


def test_who_won_every_question_is_as_sure_as_so_many_wins_in_a_row() -> None:
    for questions in (6, 12, 50):
        won = [one for q in range(questions) for one in both_seats("a", "b", 1.0, q)]
        low, high = (getattr(ratings(won).difference("a", "b"), end) for end in ("low", "high"))
        assert 1 / (1 + math.exp(-low / ELO)) == pytest.approx(proportion(questions, questions).low, abs=0.05)
        assert high > 1_000


def test_one_question_alone_promises_little() -> None:
    found = ratings([one for _ in range(50) for one in both_seats("a", "b", 0.9, "q")]).difference("a", "b")
    assert found.high - found.low > 400


@pytest.mark.parametrize("seed", [2, 5])
def test_where_the_better_one_always_wins_the_fit_ends_on_no_saddle(seed: int) -> None:
    met, games = list[Match](), list[Match]()
    for number in range(5):
        for pair in swiss("abcdefg", met, seed).pairs:
            won = float(pair[0] < pair[1])
            met.append(Match(*pair, won))
            for question in range(10):
                games += [
                    Match(*pair, won, (number, question)),
                    Match(*pair[::-1], 1 - won, (number, question)),
                ]
    found = {one.name: one.rating for one in ratings(games).players}
    assert found["a"].low > found["g"].high and all(math.isfinite(one.high) for one in found.values())


def test_no_scores_give_no_players() -> None:
    assert ratings([]).players == () == ratings([Match("a", "b", None)]).players


@pytest.mark.parametrize(
    ("matches", "options", "message"),
    [
        ([Match("a", "a", 1.0)], {}, "cannot play itself"),
        ([*both_seats("a", "b", 1.0), *both_seats("c", "d", 1.0)], {}, "never met"),
        ([Match("a", "b", 1.0)] * 3, {}, "swap seats"),
        (both_seats("a", "b", 1.0), {"anchor": "z"}, "anchor 'z'"),
        ([Match("a", "b", 1.5)], {}, "lies in"),
    ],
)
def test_what_cannot_be_rated_says_why(matches: list[Match], options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ratings(matches, **options)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.floats(0, 1)), max_size=20))
def test_any_connected_matches_have_finite_ratings(rows: list[tuple[str, str, float]]) -> None:
    matches = [Match(a, b, s, i // 2) for i, (a, b, s) in enumerate(rows) if a != b]
    ring = [one for pair in ("ab", "bc", "cd") for one in both_seats(*pair, 1.0, "ring")]
    for one in ratings([*matches, *ring]).players:
        assert one.rating.low <= (one.rating.point or 0) <= one.rating.high and math.isfinite(one.rating.high)


@pytest.mark.parametrize(("players", "questions"), [(4, 8), (5, 12)])
def test_intervals_hold_the_truth_with_shared_questions(players: int, questions: int) -> None:
    rng, held = np.random.default_rng(players), []
    for _ in range(200):
        skills = dict(zip("abcdef"[:players], rng.normal(0, 0.9, players), strict=True))
        found = ratings(shared(skills, questions, rng))
        pairs = [(one, other, found.difference(one, other)) for one, other in combinations(skills, 2)]
        held += [gap.low <= ELO * (skills[a] - skills[b]) <= gap.high for a, b, gap in pairs]
    assert 0.92 <= np.mean(held) <= 0.985


def shared(skills: dict[str, float], questions: int, rng: np.random.Generator) -> list[Match]:
    """A round robin, every question with seats swapped, first seat worth 0.4: who is lucky on one is so in both."""
    found = []
    for q in range(questions):
        luck = dict(zip(skills, rng.normal(size=len(skills)), strict=True))
        for one, other in combinations(skills, 2):
            for a, b in ((one, other), (other, one)):
                u = 0.5 * math.erfc(-((luck[a] - luck[b]) / 2 + math.sqrt(0.5) * rng.normal()) / math.sqrt(2))
                p = 1 / (1 + math.exp(-(skills[a] - skills[b] + 0.4)))
                found.append(Match(a, b, float(u > 1 - p), q))
    return found


def unequal(skills: dict[str, float], questions: int, alike: float, rng: np.random.Generator) -> list[Match]:
    """A round robin on questions of each pair's own, both seats' results alike in a share of them."""
    found = []
    for one, other in combinations(skills, 2):
        p = 1 / (1 + math.exp(skills[other] - skills[one]))
        for q in range(questions):
            drawn = rng.random(2)
            won = drawn[[0, 0]] < p if rng.random() < alike else drawn < p
            found += [Match(one, other, float(won[0]), (one, other, q))]
            found += [Match(other, one, 1 - float(won[1]), (one, other, q))]
    return found


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("side", [True, False])
def test_intervals_hold_the_truth_where_one_player_often_wins_everything(alike: float, side: bool) -> None:
    rng, held = np.random.default_rng(5), []
    for _ in range(150):
        found = ratings(unequal({"best": math.log(19), "b": 0.0}, 12, alike, rng), side=side)
        gap = found.difference("best", "b")
        held.append(gap.low <= ELO * math.log(19) <= gap.high)
    assert np.mean(held) >= 0.92


def test_intervals_hold_the_truth_among_five_of_whom_one_wins_and_one_loses_nearly_everything() -> None:
    skills = {"best": math.log(32), "b": 0.0, "c": 0.0, "d": 0.0, "worst": -math.log(32)}
    rng, held = np.random.default_rng(6), []
    for _ in range(80):
        found = ratings(unequal(skills, 10, 0.5, rng))
        pairs = [(one, other, found.difference(one, other)) for one, other in combinations(skills, 2)]
        held.append([gap.low <= ELO * (skills[a] - skills[b]) <= gap.high for a, b, gap in pairs])
    assert np.mean(held, axis=0).min() >= 0.9
