"""Phrases, blocking, clusters and cost, on planted patterns and on hostile texts."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.redteam._triage import Cost, blocking, clusters, cost_per, phrases
from gadfly.transcripts import Usage

hostile = st.lists(st.text(st.characters(), max_size=60), max_size=25)


def filler(n: int, seed: int = 0) -> list[str]:
    """n texts of ten random words."""
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(300)}" for _ in range(10)) for _ in range(n)]


def test_a_planted_phrase_comes_first_with_its_counts():
    failures = [f"{text} call me at" if i < 60 else text for i, text in enumerate(filler(100, 1))]
    others = [f"{text} call me at" if i < 10 else text for i, text in enumerate(filler(200, 2))]
    first = phrases(failures, others)[0]
    assert (first.text, first.failures, first.others) == ("call me at", 60, 10)
    assert first.lift == pytest.approx(12.0)
    assert first.p_value < 1e-20


def test_where_nothing_differs_nothing_is_found():
    assert phrases(filler(300, 3), filler(300, 4)) == ()


def test_a_phrase_no_other_text_contains_has_no_lift():
    found = phrases([f"{t} xyzzy" for t in filler(30, 5)], filler(30, 6))
    assert (found[0].text, found[0].lift) == ("xyzzy", None)


def test_the_second_phrase_is_the_one_that_adds_most():
    failures = ["alpha beta"] * 50 + ["alpha gamma"] * 10 + ["delta"] * 20
    found = phrases(failures, filler(100, 7))
    assert [p.text for p in found] == ["alpha", "delta"]


@pytest.mark.parametrize(
    ("failures", "others"), [([], ["a"]), (["a"] * 9, []), (["a"], ["b"]), (["🙂"] * 4, ["!"])]
)
def test_too_little_to_compare_gives_no_phrase(failures, others):
    assert phrases(failures, others) == ()


def test_blocking_is_measured_on_texts_the_phrases_were_not_chosen_from():
    failures = [f"{text} call me" if i < 120 else text for i, text in enumerate(filler(150, 8))]
    blocked = blocking(failures, filler(300, 9))
    assert blocked.failures.low < 0.8 < blocked.failures.high
    assert blocked.others.high < 0.1


def test_a_phrase_seen_only_in_one_repeated_question_blocks_nothing_new():
    blocked = blocking(["one odd question"] * 50, filler(200, 10))
    assert (blocked.failures.point, blocked.failures.clusters) == (0.0, 1)
    assert blocked.failures.high > 0.5


def test_with_nothing_failing_blocking_has_no_data():
    assert blocking([], ["x"]).failures.point is None
    assert blocking(["x"], []).others.point is None


def test_clusters_find_the_themes_largest_first():
    texts = [f"what is your phone number {w}" for w in filler(30, 11)] + [
        f"bake me a cake {w}" for w in filler(20, 12)
    ]
    found = clusters(texts, k=2)
    assert [c.size for c in found] == [30, 20]
    assert "phone" in " ".join(found[0].terms)
    assert found[1].typical in found[1].members


def test_the_number_of_clusters_is_chosen_from_the_texts():
    themes = ("phone number home", "bake sweet cake", "red fast car")
    texts = [f"{theme} {i}" for theme in themes for i in range(20)]
    assert sorted(c.size for c in clusters(texts)) == [20, 20, 20]
    assert clusters(texts) == clusters(texts)


@pytest.mark.parametrize(
    ("texts", "sizes"), [([], []), (["x"], [1]), (["same"] * 9, [9]), (["?!", "🙂"], [2])]
)
def test_few_or_identical_texts_make_one_group_or_none(texts, sizes):
    assert [c.size for c in clusters(texts)] == sizes


def test_huge_texts_are_cut():
    huge = ["spam " * 200_000, *filler(10, 13)]
    assert sum(c.size for c in clusters(huge)) == 11
    assert phrases(huge, huge) == ()


@settings(max_examples=50)
@given(hostile, hostile)
def test_any_texts_can_be_triaged(failures, others):
    found = clusters(failures)
    assert sorted(i for c in found for i in c.members) == list(range(len(failures)))
    assert all(p.failures >= 3 and 0 <= p.p_value <= 0.05 for p in phrases(failures, others))
    assert blocking(failures, others).failures.n == len(failures)


def test_cost_is_per_distinct_failure():
    assert cost_per(4, Usage(1000, 200, 2.0)) == Cost(tokens=300.0, dollars=0.5)
    assert cost_per(4, Usage(1000, 200)) == Cost(tokens=300.0, dollars=None)
    assert cost_per(0, Usage(1000, 200, 2.0)) is None
