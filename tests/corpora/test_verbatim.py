"""The mask of verbatim answers: nothing that is no span gets through, and no way to write a span is refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from verbatim_fakes import mask_of, passage, refused, vocabulary, walk

from gadfly.corpora import ELLIPSIS, Form, Passage, parse_answer, quoted
from gadfly.corpora._quotes import units
from gadfly.errors import InputError

PLAIN = vocabulary()
PARTS = st.sampled_from(
    [
        "the",
        " ",
        "a",
        ".",
        "]%",
        "]%(T)%[",
        ")%[",
        ">%(",
        "%<",
        " [...] ",
        "[...]",
        "]",
        "%",
        "1.5",
        "-",
        "中",
        "国",
        "人",
        "é",
        "e\u0301",
        "\n",
        "\x00",
        "\u202e",
        "\ud800",
        "👩‍👩‍👧",
        "🇩🇪",
        "<|im_end|>",
        "\u00a0",
        "“",
        "don't",
        "ก",
        "\u200b",
        "\r\n",
        "b c d",
    ]
)
TEXTS = st.lists(st.one_of(PARTS, st.text(max_size=4)), min_size=1, max_size=25).map("".join)
TITLES = st.sampled_from(["T", "", "T)", "(T", "T)%[", "Ü 中", "T\n", "TT"])
PASSAGES = st.lists(
    st.tuples(TEXTS, TITLES, st.sampled_from(["d", "e"]), st.integers(0, 40)), min_size=1, max_size=4
).map(lambda rows: [passage(*row) for row in rows])
PIECES = st.lists(st.one_of(PARTS, st.text(min_size=1, max_size=4)), max_size=40).map(
    lambda parts: [part.encode("utf-8", "surrogatepass") for part in parts]
)
FORMS = st.builds(
    Form,
    quotes=st.integers(1, 3),
    claim_chars=st.just((1, 8)),
    quote_chars=st.sampled_from([(1, 12), (1, 40), (5, 25), (10, 300)]),
)
HARD = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def spans(text: str, form: Form) -> list[tuple[int, int]]:
    """All spans of a passage that an answer may hold, by the definition alone."""
    cut = units(text)
    if not cut.starts:
        return []
    least = min(form.quote_chars[0], cut.ends[-1] - cut.starts[0])
    return [
        (a, b)
        for a in cut.starts
        for b in cut.ends
        if cut.are_span(a, b) and least <= b - a <= form.quote_chars[1] and can_be_written(text[a:b])
    ]


def can_be_written(span: str) -> bool:
    return "]%" not in span and not any(0xD800 <= ord(char) <= 0xDFFF for char in span)


def has_quotes(passages: list[Passage], form: Form) -> list[Passage]:
    return [p for p in passages if ")%[" not in p.title and spans(p.text, form)]


@HARD
@given(PASSAGES, FORMS, PIECES, st.integers(0, 2**32))
def test_every_walk_of_allowed_tokens_ends_in_quotes_that_stand_in_the_passages(
    passages: list[Passage], form: Form, pieces: list[bytes], seed: int
) -> None:
    if not has_quotes(passages, form):
        return
    text = walk(mask_of(vocabulary(pieces), passages, form), random.Random(seed))
    answer = parse_answer(text)
    assert answer is not None and answer.whole and 1 <= len(answer.quotes) <= form.quotes
    for title, words in answer.quotes:
        quote = quoted(words, [p for p in passages if p.title == title])
        assert quote is not None and quote.text == words and len(words) <= form.quote_chars[1]


@HARD
@given(PASSAGES, FORMS, PIECES, st.integers(0, 2**32))
def test_any_tokenisation_of_any_span_is_allowed(
    passages: list[Passage], form: Form, pieces: list[bytes], seed: int
) -> None:
    able, rng = has_quotes(passages, form), random.Random(seed)
    if not able:
        return
    mask = mask_of(vocabulary(pieces), passages, form)
    for _ in range(3):
        of = rng.choice(able)
        a, b = rng.choice(spans(of.text, form))
        assert refused(mask, f"A>%({of.title})%[{of.text[a:b]}]%", rng) is None


@HARD
@given(TEXTS, PIECES, st.integers(0, 2**32))
def test_spans_in_order_may_be_joined_by_the_mark_of_what_is_left_out(
    text: str, pieces: list[bytes], seed: int
) -> None:
    form, rng = Form("A", quotes=1, quote_chars=(1, 300)), random.Random(seed)
    both = [(x, y) for x in spans(text, form) for y in spans(text, form) if x[1] <= y[0]]
    if not both:
        return
    (a, b), (c, d) = rng.choice(both)
    joined = text[a:b] + ELLIPSIS + text[c:d]
    if "]%" not in joined:
        assert refused(mask_of(vocabulary(pieces), [passage(text)], form), f"T)%[{joined}]%", rng) is None


@pytest.mark.parametrize(
    "answer",
    [
        "A>%(T)%[the cat sat]%",
        "A>%(T)%[sat on the [...] a hat today]%",
        "A>b % c>%(U)%[中国人民 1.5]%",
    ],
)
def test_what_is_right_is_allowed(answer: str) -> None:
    mask = mask_of(
        PLAIN, [passage("the cat sat on the mat in a hat today."), passage("中国人民 1.5", "U", "e")]
    )
    assert refused(mask, answer, random.Random(0)) is None


@pytest.mark.parametrize(
    "answer",
    [
        "A>%(T)%[the dog sat]%",
        "A>%(U)%[the cat sat]%",
        "A>%(V)%[the cat sat]%",
        "A>%(T)%[he cat sat]%",
        "A>%(T)%[the cat sat o]%",
        "A>%(T)%[the cat]%",
        "A>%(T)%[]%",
        "A>%(T)%[ cat sat on]%",
        "A>%(T)%[a hat today [...] the cat sat]%",
        "A>%(T)%[the cat sat [...] hat]%",
        "A>%(T)%[the cat sat]%(T)%[the cat sat]%",
        " >%(T)%[the cat sat]%",
        ">%(T)%[the cat sat]%",
        "A\n>%(T)%[the cat sat]%",
        "A%<B>%(T)%[the cat sat]%",
        "A\u2028>%(T)%[the cat sat]%",
    ],
)
def test_what_is_wrong_is_refused(answer: str) -> None:
    mask = mask_of(
        PLAIN, [passage("the cat sat on the mat in a hat today."), passage("中国人民 1.5", "U", "e")]
    )
    assert refused(mask, answer, random.Random(0)) is not None


@example(8)
@given(st.integers(1, 40))
def test_a_claim_has_as_many_characters_as_the_form_says(most: int) -> None:
    mask = mask_of(PLAIN, [passage("the cat sat on the mat")], Form(claim_chars=(min(3, most), most)))
    answer = parse_answer(walk(mask, random.Random(most)))
    assert answer is not None and len(answer.claim) <= most
    assert refused(mask, "é" * most + ">%(T)%[the cat sat]%", random.Random(0)) is None
    assert refused(mask, "é" * (most + 1) + ">%(T)%[the cat sat]%", random.Random(0)) is not None


def test_nothing_to_quote_is_said_so() -> None:
    for passages in ([], [passage("")], [passage("?! ...")], [passage("the cat sat", "T)%[")]):
        with pytest.raises(InputError, match="nothing to quote"):
            mask_of(PLAIN, passages)


def test_a_passage_of_one_word_may_be_quoted_whole() -> None:
    assert refused(mask_of(PLAIN, [passage("Yes.")]), "A>%(T)%[Yes.]%", random.Random(0)) is None


def test_a_tokenizer_without_some_characters_still_comes_to_an_end() -> None:
    tokens = vocabulary([])
    tokens = type(tokens)([word for word in tokens.words if word not in (b"\xc3", b"z")])
    mask = mask_of(
        tokens, [passage("the zoo opens at noon é and then some more")], Form("A", quote_chars=(1, 300))
    )
    for seed in range(20):
        assert not {"z", "é"} & set(walk(mask, random.Random(seed)))
