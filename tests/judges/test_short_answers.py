"""Which texts hold a short answer that is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadfly.judges import holds_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("He was born on May 18, 2018.", "May 18 2018"),
        ("He was born on 18/05/2018.", "2018"),
        ("Beyoncé sang it.", "Beyonce"),
        ("Röntgen’s rays", "Röntgen"),
        ("It was in the U.S.A., in May.", "the USA"),
        ("By J. R. R. Tolkien.", "J.R.R. Tolkien"),
        ("He ate at McDonalds.", "McDonald's"),
        ("Read The Tale of the Two Cities.", "A Tale of Two Cities"),
        ("It printed c.1886 in London.", "1886"),
        ("From 1939–1945.", "1939"),
        ("From 1914 –1918.", "1918"),
        ("In the 1939/40 season.", "1939"),
        ("On October 3,1990.", "October 3, 1990"),
    ],
)
def test_a_short_answer_is_held_in_whatever_way_it_is_written(text: str, answer: str):
    assert holds_answer(text, [answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It costs 1000 euros.", "1,000"),
        ("It costs 1 000 euros.", "1,000"),
        ("It costs 1\u202f000 euros.", "1000"),
        ("It costs 1.000.000 euros.", "1,000,000"),
        ("It costs £1,000.50.", "1000.50"),
        ("It weighs 1,5 kg.", "1.5"),
        ("It weighs .5 kg.", "0.5"),
        ("It fell to minus 5.", "−5"),
        ("It fell to –5 °C.", "-5"),
        ("It costs $5.", "5"),
        ("5% of it", "5"),
        ("The 3 100 m races", "100"),
    ],
)
def test_a_number_is_the_same_however_it_is_written(text: str, answer: str):
    assert holds_answer(text, [answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 5.5 m.", "5"),
        ("−5 degrees", "5"),
        ("At 5:30.", "5"),
        ("In 2015.", "15"),
        ("Vitamin C.", "vitamin A"),
        ("Parisian.", "Paris"),
        ("中国人", "中文"),
        ("Nothing.", "the"),
        ("Nothing.", "?"),
        ("Nothing.", " "),
    ],
)
def test_another_answer_is_not_held(text: str, answer: str):
    assert not holds_answer(text, [answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [("東京は日本の首都です。", "東京"), ("กรุงเทพเป็นเมืองหลวง", "กรุงเทพ"), ("北京是中国的首都。", "北京")],
)
def test_scripts_without_spaces_hold_answers_too(text: str, answer: str):
    assert holds_answer(text, [answer])


@pytest.mark.parametrize(
    ("text", "answer"), [("Group A.", "A"), ("Vitamin a is.", "vitamin A"), ("It is +.", "+")]
)
def test_an_answer_that_looks_like_an_article_or_a_mark_is_an_answer(text: str, answer: str):
    assert holds_answer(text, [answer])


def test_without_answers_none_is_held():
    assert not holds_answer("Nothing.", [])


@given(st.text(), st.text())
def test_comparing_answers_never_fails(text: str, answer: str):
    assert holds_answer(text, [answer]) in (True, False)


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Z")), min_size=1).filter(str.strip))
def test_every_answer_holds_itself(answer: str):
    assert holds_answer(answer, [answer])
