"""gadfly ask: an answer with its evidence, or a refusal, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gadfly.corpora import build
from gadfly.models import scripted

PAGE = "The Halden Bridge was opened in 1911. It is 300 metres long.\n\nThe ferry stopped a year after the bridge."
RIGHT = "%<It opened in 1911.>%(bridge)%[The Halden Bridge was opened in 1911.]%"


@pytest.fixture
def asked(gadfly, tmp_path, monkeypatch):
    """`gadfly ask` of a corpus of one page, of a scripted model that says the line given."""
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    (tmp_path / "bridge.txt").write_text(PAGE)
    build("handbook", [tmp_path / "bridge.txt"])

    def ask(line, *words, question="when was the halden bridge opened"):
        def script(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
            return line

        monkeypatch.setattr("gadfly.models.model", lambda name: scripted(script))
        return gadfly("ask", question, "--corpus", "handbook", "--model", "scripted/x", *words)

    return ask


def test_an_answer_shows_its_quote_and_where_it_stands(asked):
    said = asked(RIGHT)
    assert said.code == 0
    assert "It opened in 1911." in said.out
    assert "“The Halden Bridge was opened in 1911.”" in said.out
    assert "bridge, characters 0–37 of" in said.out


def test_made_up_words_are_said_to_be_made_up(asked):
    said = asked("%<It opened.>%(bridge)%[words that stand nowhere at all]%")
    assert "found in none of the documents: words that stand nowhere at all" in said.out
    assert "No quote could be verified" in said.out


def test_words_that_are_too_few_are_not_said_to_be_made_up(asked):
    said = asked("%<It opened in 1911.>%(bridge)%[in 1911]%")
    assert "In the documents, but with fewer than 3 words too short to be a quote: in 1911" in said.out
    assert "found in none of the documents" not in said.out


def test_who_gives_no_quote_is_not_said_to_have_given_one(asked):
    assert "No quote was given: nothing here shows" in asked("%<It opened in 1911.>%").out


def test_a_claim_that_was_given_is_not_called_the_answer(asked):
    said = asked(RIGHT, "--claim", "It opened in 1911.")
    assert "For the claim you gave:\nIt opened in 1911." in said.out


def test_the_confidence_for_a_given_claim_is_that_of_the_quote(asked):
    said = asked(RIGHT, "--claim", "It opened in 1907.", "--judge", "unquoted")
    assert "Confidence in the quote, not in the claim, 1.00 by unquoted." in said.out
    assert "did not keep to it and wrote: It opened in 1911." in said.out


def test_without_a_confidence_it_says_what_chose(asked):
    assert "Nothing says how sure it is" in asked(RIGHT).out


def test_escape_sequences_of_a_model_do_nothing(asked):
    said = asked("%<\x1b[31mred\x1b]0;x\x07>%(bridge)%[The Halden Bridge was opened in 1911.]%")
    assert "\x1b" not in said.out


def test_nothing_to_go_by_is_declined_with_status_1(asked):
    said = asked(RIGHT, question="zzz qqq")
    assert (said.code, "No answer. Nothing in the documents" in said.out) == (1, True)


def test_an_answer_may_be_looked_at_from_the_other_side(asked):
    said = asked(RIGHT, "--against", "scripted/y")
    assert (said.code, "Searched for what speaks against it" in said.out) == (0, True)


def test_saliency_needs_weights(asked):
    said = asked(RIGHT, "--saliency")
    assert (said.code, "gadfly/" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--search", "fusion"), "built without embeddings"),
        (("--search", "magic"), "no way to search 'magic'"),
        (("--corpus", "web:bing"), "take tavily, exa, google"),
        (("--corpus", "web:tavily"), "TAVILY_API_KEY"),
    ],
)
def test_it_searches_as_it_is_told_and_where(asked, monkeypatch, words, says):
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    said = asked(RIGHT, *words)
    assert (said.code, says in said.err) == (2, True)


def test_an_unknown_corpus_names_the_nearest(gadfly, asked):
    said = gadfly("ask", "why?", "--corpus", "handbok", "--model", "scripted/x")
    assert (said.code, "Did you mean 'handbook'" in said.err) == (2, True)
