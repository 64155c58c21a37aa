"""Self-BLEU, near-duplicates and the name of a question, on hostile and multilingual texts."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from gadfly.stats._diversity import (
    distinct,
    diversity,
    near_duplicates,
    normalise_question,
    self_bleu,
    self_bleu_scores,
    words,
)

QUESTIONS = [
    f"{ask} {thing}?"
    for ask in ("What is your", "Where is the")
    for thing in ("dog", "red car", "old sea road")
]
hostile = st.text(st.characters(), max_size=80)


def test_self_bleu_equals_sacrebleus_sentence_score():
    texts = [*QUESTIONS, "What is your dog?", "dog dog dog", "你是谁", "a"]
    spaced = [" ".join(t) if t == "你是谁" else t for t in texts]
    scorer = BLEU(effective_order=True)
    expected = [scorer.sentence_score(t, spaced[:i] + spaced[i + 1 :]).score for i, t in enumerate(spaced)]
    assert self_bleu_scores(texts) == pytest.approx(np.minimum(expected, 100.0))


def test_self_bleu_is_100_for_one_text_repeated_and_low_for_unlike_texts():
    assert self_bleu(["What is your name, and why?"] * 5) == pytest.approx(100.0)
    assert self_bleu(["alpha beta", "gamma delta", "epsilon zeta"]) == 0.0


def test_self_bleu_needs_two_texts():
    assert self_bleu([]) is None
    assert self_bleu(["alone"]) is None


def test_a_large_set_is_sampled_and_the_seed_decides_how():
    texts = [f"question number {i} about {i % 7} things?" for i in range(300)]
    assert self_bleu(texts, references=50, seed=1) == self_bleu(texts, references=50, seed=1)
    assert diversity(texts, references=50).references == 50


def test_diversity_carries_an_interval_and_a_count():
    found = diversity([*QUESTIONS, *QUESTIONS])
    assert found.low <= found.self_bleu <= found.high
    assert (found.n, found.distinct) == (12, distinct(QUESTIONS))


def test_no_text_has_no_diversity():
    empty = diversity([])
    assert (empty.self_bleu, empty.low, empty.high, empty.distinct, empty.n) == (None, 0.0, 100.0, 0, 0)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("What's your NAME?", "what s your name"),
        ("  spaced\tout\n", "spaced out"),
        ("ＦＵＬＬ width", "full width"),
        ("Straße", "STRASSE"),
        ("zero\u200bwidth", "zero width"),
        ("e\u0301té", "été"),
    ],
)
def test_the_same_question_written_differently_has_one_name(one, two):
    assert normalise_question(one) == normalise_question(two)


def test_questions_without_letters_are_not_all_one():
    assert normalise_question("🙂") != normalise_question("?!")


def test_letters_of_unspaced_scripts_are_words():
    assert words("你好, world") == ["你", "好", "world"]


def test_near_duplicates_share_a_label_and_others_do_not():
    texts = [
        "What is your home phone number, please?",
        "How do I bake bread without any yeast?",
        "what is your home phone number please",
        "What is your home phone number, pleaseee?",
        "你今天早上吃了什么东西呢？",
    ]
    assert near_duplicates(texts).tolist() == [0, 1, 0, 0, 2]


def test_no_chain_of_small_steps_joins_unlike_texts():
    letters = "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=200))
    labels = near_duplicates([letters[5 * step : 5 * step + 100] for step in range(15)], threshold=0.8)
    assert labels[0] == labels[1]
    assert labels[0] != labels[-1]


def test_a_threshold_of_one_merges_only_the_same_question():
    assert distinct(["Who are you?", "who are you", "Who were you?"], threshold=1.0) == 2
    with pytest.raises(ValueError, match="similarity threshold"):
        near_duplicates(["a"], threshold=0.0)


def test_labels_count_up_in_order_of_appearance():
    labels = near_duplicates([f"{c * 9}" for c in "cabca"])
    assert labels.tolist() == [0, 1, 2, 0, 1]


def test_two_thousand_texts_with_a_megabyte_among_them_take_a_moment():
    texts = ["x" * 1_000_000, *(f"{i} {'word ' * 3}{i * 7919 % 1000003}" for i in range(2000))]
    assert 1 < distinct(texts) <= 2001


@given(st.lists(hostile, max_size=15))
def test_any_texts_can_be_measured(texts):
    labels = near_duplicates(texts)
    assert len(labels) == len(texts)
    assert sorted(set(labels.tolist())) == list(range(distinct(texts)))
    found = diversity(texts)
    assert (found.self_bleu is None) == (len(texts) < 2)
    assert found.self_bleu is None or 0 <= found.low <= found.self_bleu <= found.high <= 100


@given(hostile)
def test_a_normalised_question_stays_as_it_is(text):
    once = normalise_question(text)
    assert normalise_question(once) == once
    assert normalise_question(text.upper().lower()) == normalise_question(text.upper().lower().strip())
