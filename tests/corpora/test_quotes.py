"""What may be called a quote, and how an answer is read."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verbatim_fakes import passage

from gadfly.corpora import ELLIPSIS, Form, Quote, parse_answer, quoted
from gadfly.corpora._quotes import units
from gadfly.errors import InputError

TEXT = (
    "It rose 1.5 percent in 2020—a “non-violent” year’s worth of $5 and −3.2% change. "
    "They said they would not pay. The café re\u00adopened\u00a0in  May, at 10:30 sharp; 中国人民很高兴。"
)
HERE = [passage("Nothing here."), passage(TEXT, "Report", "r", 100)]


@pytest.mark.parametrize(
    "words",
    [
        "It rose 1.5 percent",
        "1.5 percent in 2020",
        "not pay. The café",
        "in 2020—a",
        "中国人",
        "人民很高兴。",
        "at 10:30 sharp",
    ],
)
def test_words_of_a_document_are_found_where_they_stand(words: str) -> None:
    quote = quoted(words, HERE)
    at = 100 + TEXT.index(words)
    assert quote == Quote("r", "Report", words, ((at, at + len(words)),))


@pytest.mark.parametrize(
    ("written", "stands"),
    [
        ('a "non-violent" year\'s worth', "a “non-violent” year’s worth"),
        ("  and -3.2% change. \n They said ", "and −3.2% change. They said"),
        ("The cafe\u0301 reopened in May", "The café re\u00adopened\u00a0in  May"),
        ("rose 1.5 percent in 2020\u200b", "rose 1.5 percent in 2020"),
        ("It rose 1.5 […] They said they", "It rose 1.5 [...] They said they"),
    ],
)
def test_what_a_copyist_changes_is_forgiven_and_the_documents_own_text_returned(
    written: str, stands: str
) -> None:
    quote = quoted(written, HERE)
    assert quote is not None and quote.text == stands
    assert ELLIPSIS.join(TEXT[a - 100 : b - 100] for a, b in quote.spans) == stands


@pytest.mark.parametrize(
    "words",
    [
        "",
        " ",
        "[...]",
        "1.5 percent",
        "5 percent in 2020",
        "15 percent in 2020",
        "violent” year’s worth",
        "worth of 5 and",
        "3.2% change. They",
        "and −3.2 change.",
        "they would pay",
        "They would not pay",
        "they would NOT pay",
        "hey said they would",
        "The cafe reopened in",
        "30 sharp; 中国",
        "They said they [...] It rose 1.5",
        "It rose 1.5 [...] pay",
        "It rose 1.5 ... They said they",
    ],
)
def test_anything_else_is_no_quote(words: str) -> None:
    assert quoted(words, HERE) is None


@pytest.mark.parametrize("number", ["10²", "①", "½", "٣", "5.000", "5,000", "5/8", "$5", "5%", "-5", "5€"])
def test_numbers_are_never_normalised_into_others(number: str) -> None:
    here = [passage(f"There were {number} of them")]
    for other in (unicodedata.normalize("NFKC", number), "5", "102", "1", "3", "5000", "58"):
        if other != number:
            assert quoted(f"were {other} of them", here) is None


def test_the_documents_own_mark_of_what_is_left_out_is_part_of_a_quote() -> None:
    here = [passage("He said [...] that the tide [...] had turned for good")]
    whole = quoted("said [...] that the tide [...] had turned", here)
    joined = quoted("said [...] that the tide [...] turned for good", here)
    assert whole is not None and whole.spans == ((3, 44),)
    assert joined is not None and joined.spans == ((3, 27), (38, 53))


def test_spans_are_of_one_document() -> None:
    two = [passage("one two three"), passage("four five six", document="e")]
    assert quoted("one two three [...] four five six", two) is None
    same = [passage("four five six", start=50), passage("one two three")]
    quote = quoted("one two three [...] four five six", same)
    assert quote is not None and quote.spans == ((0, 13), (50, 63))


@given(st.text(max_size=60), st.data())
def test_every_span_of_a_text_is_a_quote_with_its_offsets(text: str, data: st.DataObject) -> None:
    cut = units(text)
    if not cut.starts:
        return
    a, b = data.draw(st.sampled_from(cut.starts)), data.draw(st.sampled_from(cut.ends))
    quote = quoted(text[a:b], [passage(text, start=7)]) if a < b else None
    if cut.are_span(a, b):
        assert quote is not None and quote.text == text[a:b]
    if quote is not None:
        assert quote.text == ELLIPSIS.join(text[x - 7 : y - 7] for x, y in quote.spans)


@given(st.text(max_size=40), st.text(max_size=60))
def test_any_text_may_be_asked_about(words: str, text: str) -> None:
    quote = quoted(words, [passage(text)])
    assert quote is None or all(text[a:b] for a, b in quote.spans)


def test_hostile_quotes_are_answered_soon() -> None:
    here = [passage("a b c [...] " * 500)]
    started = time.perf_counter()
    for words in (
        " [...] ".join(["a b c"] * 30) + " x",
        "[...]" * 10_000,
        "a b c " * 5000,
        "\u0301" * 10_000,
    ):
        assert quoted(words, here) is None
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "text", ["%<It is>%(A)%[b c d]%", "It is>%(A)%[b c d]%", "Sure! %< It is >% (A)%[b c d]%\n"]
)
def test_an_answer_is_read(text: str) -> None:
    answer = parse_answer(text)
    assert answer is not None and answer.whole
    assert (answer.claim, answer.quotes) == ("It is", (("A", "b c d"),))


@pytest.mark.parametrize(
    "text", ["T)%[b c d]%(U)%[e f]%", "%<It is>%(T)%[b c d]%(U)%[e f]%", "T)%[b c d]%%(U)%[e f]%"]
)
def test_evidence_for_a_given_claim_is_read(text: str) -> None:
    answer = parse_answer(text, "It is")
    assert answer is not None and answer.whole
    assert (answer.claim, answer.quotes) == ("It is", (("T", "b c d"), ("U", "e f")))


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("It is", 0),
        ("It is>%", 0),
        ("It is>%(A)%[b c", 0),
        ("It is>%(A)%[b]%(B)%[c", 1),
        ("It is>%(A)%[b]% and so on", 1),
    ],
)
def test_an_answer_that_is_cut_or_goes_on_is_not_whole(text: str, quotes: int) -> None:
    answer = parse_answer(text)
    assert answer is not None and not answer.whole and len(answer.quotes) == quotes


@pytest.mark.parametrize("text", ["", "  ", "%<", "%< >%(A)%[b]%", ">%(A)%[b]%"])
def test_no_claim_is_no_answer(text: str) -> None:
    assert parse_answer(text) is None


@given(st.text())
def test_any_text_may_be_read_as_an_answer(text: str) -> None:
    parse_answer(text)
    parse_answer(text, "claim")


def test_a_form_that_cannot_be_met_is_refused() -> None:
    for wrong in (
        {"quotes": 0},
        {"claim_chars": (0, 5)},
        {"quote_chars": (9, 5)},
        {"claim": "a>%b"},
        {"claim": " "},
    ):
        with pytest.raises(InputError):
            Form(**wrong)  # type: ignore[arg-type]
