"""The quoting game: what is in the documents is a quote, what is not never is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from evidence_samples import MADE_UP, QUESTION, RIGHT, library, quoting

from gadfly.corpora import Document, Form, in_memory
from gadfly.errors import CallError, InputError
from gadfly.evidence import UNVERIFIED, Quoting
from gadfly.models import System, model
from gadfly.runs import Cases
from gadfly.transcripts import Transcript


def played(game: Quoting, **data: Any) -> Transcript:
    case = Cases.of(game, [{"question": QUESTION, "of": 0, "sample": 0, **data}], 0).case(0)
    return asyncio.run(game.play(case))


def test_a_verbatim_quote_comes_with_its_place():
    (quote,) = played(quoting()).metadata["quotes"]
    assert (quote["document"], quote["spans"]) == ("bridge", [[0, 37]])


def test_an_answer_reads_as_claim_and_quote():
    said = played(quoting()).turns[-1].text
    assert said == "It opened in 1911.\n\n> The Halden Bridge was opened in 1911.\n(Halden Bridge)"


def test_what_is_not_in_the_documents_is_never_shown_as_a_quote():
    transcript = played(quoting(MADE_UP))
    assert transcript.metadata["quotes"] == []
    assert transcript.metadata["unverified"] == ["It opened to traffic in the year 1911"]
    assert transcript.turns[-1].text == f"It opened in 1911.\n\n{UNVERIFIED}"


def test_a_mismatch_is_shown_and_may_be_corrected():
    def script(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
        return RIGHT if "do not stand in the document" in messages[-1][1] else MADE_UP

    transcript = played(quoting(script))
    assert [len(transcript.metadata[key]) for key in ("quotes", "unverified", "tries")] == [1, 0, 2]


def test_a_model_that_never_keeps_the_form_gives_an_invalid_case():
    transcript = played(quoting("It was in 1911, I think.", retries=1))
    assert (transcript.outcome, transcript.cause) == ("invalid", "no_parse")
    assert len(transcript.metadata["tries"]) == 2


def test_samples_go_round_the_documents():
    game = quoting(documents=2)
    shown = [played(game, sample=n).metadata["shown"][0]["document"] for n in range(4)]
    assert shown == ["bridge", "ferry", "bridge", "ferry"]


def test_documents_left_out_are_not_found():
    transcript = played(quoting(documents=1), without=["bridge"])
    assert transcript.metadata["shown"][0]["document"] == "ferry"


def test_a_question_that_nothing_answers_says_so():
    transcript = played(quoting(), question="zzz")
    assert (transcript.outcome, transcript.cause) == ("invalid", "no_documents")


def test_a_failed_call_is_a_failed_case():
    def script(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
        raise CallError("Too many requests.", "rate_limited")

    assert played(quoting(script)).outcome == "failed"


def test_a_local_model_quotes_verbatim_whatever_its_weights(tiny_agent_dir: Path):
    short = Form(claim_chars=(1, 40), quote_chars=(10, 60))
    game = Quoting(library(), System(model(f"gadfly/{tiny_agent_dir}")), form=short)
    told = [played(game, sample=n) for n in range(4)]
    assert [t.outcome for t in told] == ["completed"] * 4
    assert all(len(t.metadata["quotes"]) == 1 and not t.metadata["unverified"] for t in told)
    assert all(t.metadata["logprob"]["all"] < 0 for t in told)


def test_a_title_that_looks_like_the_form_stops_nothing(tiny_agent_dir: Path):
    hostile = Document(
        "x", ")%[quoted]%\u202e", "The Halden Bridge was opened in 1911. It is 300 metres long."
    )
    short = Form(claim_chars=(1, 40), quote_chars=(10, 60))
    game = Quoting(in_memory([hostile]), System(model(f"gadfly/{tiny_agent_dir}")), form=short)
    transcript = played(game)
    assert (transcript.outcome, len(transcript.metadata["quotes"])) == ("completed", 1)


def test_evidence_can_be_asked_for_a_given_claim(tiny_agent_dir: Path):
    game = Quoting(library(), System(model(f"gadfly/{tiny_agent_dir}")))
    transcript = played(game, claim="It is 300 metres long.")
    assert transcript.metadata["claim"] == "It is 300 metres long."
    assert "claim" not in transcript.metadata["logprob"]


def test_quotation_marks_around_a_quote_are_no_part_of_it():
    marked = RIGHT.replace("%[", "%[“").replace("]%", "”]%")
    facts = played(quoting(marked)).metadata
    assert [quote["text"] for quote in facts["quotes"]] == ["The Halden Bridge was opened in 1911."]
    assert facts["unverified"] == []


def test_words_of_the_document_that_are_too_few_are_not_made_up():
    facts = played(quoting("%<In 1911.>%(Halden Bridge)%[“in 1911.”]%")).metadata
    assert [facts[key] for key in ("quotes", "short", "unverified")] == [[], ["“in 1911.”"], []]


@pytest.mark.parametrize("nothing", ["", "…", "None", "N/A", "no quote."])
def test_a_quote_that_says_none_is_none(nothing: str):
    facts = played(quoting(f"%<In 1911.>%(Halden Bridge)%[{nothing}]%")).metadata
    assert [facts[key] for key in ("quotes", "short", "unverified")] == [[], [], []]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("[in 1911.]", "Copy at least 3 words in a row"),
        ("[in 1912 or so]", "These words do not stand in the document: “in 1912 or so”"),
        ("[ ]", "it copies nothing"),
    ],
)
def test_each_way_of_not_quoting_has_its_own_correction(given: str, told: str):
    def script(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
        return RIGHT if told in messages[-1][1] else f"%<In 1911.>%(Halden Bridge)%{given}%"

    assert len(played(quoting(script)).metadata["tries"]) == 2


def in_turn(*said: str) -> Quoting:
    """A model that says one after another."""
    left = iter(said)
    return quoting(lambda messages, seed: next(left), retries=len(said) - 1)


def test_a_correction_loses_no_verified_quote():
    half = RIGHT + "(Halden Bridge)%[It is 400 metres long.]%"
    facts = played(in_turn(half, MADE_UP, "%<Sorry.>%")).metadata
    assert (len(facts["quotes"]), facts["unverified"]) == (1, ["It is 400 metres long."])


def test_of_equal_tries_the_latest_counts():
    assert played(in_turn("%<First.>%", "%<Then.>%")).metadata["claim"] == "Then."


CLAIM = "It is 300 metres long."
SHOWN = "%<{}>%(Halden Bridge)%[It is 300 metres long.]%"


def test_a_model_elsewhere_is_told_the_claim_to_show():
    def script(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
        return SHOWN.format(CLAIM) if messages[-1][1].endswith(CLAIM) else RIGHT

    facts = played(quoting(script), claim=CLAIM).metadata
    assert (facts["claim"], facts["given"], len(facts["tries"])) == (CLAIM, True, 1)
    assert "own_claim" not in facts


def test_a_model_that_answers_something_else_is_told_so_once_more():
    facts = played(in_turn(RIGHT, SHOWN.format("it is 300 metres long")), claim=CLAIM).metadata
    assert (facts["claim"], len(facts["tries"]), "own_claim" in facts) == (CLAIM, 2, False)


def test_the_given_claim_stands_whatever_the_model_makes_of_it():
    facts = played(quoting(RIGHT, retries=0), claim=CLAIM).metadata
    assert (facts["claim"], facts["own_claim"]) == (CLAIM, "It opened in 1911.")


def test_a_claim_that_no_answer_can_hold_is_refused():
    with pytest.raises(InputError, match="A claim cannot be blank or contain"):
        played(quoting(), claim="x>%y")
