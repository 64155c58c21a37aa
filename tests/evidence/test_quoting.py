"""The quoting game: what is in the documents is a quote, what is not never is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evidence_samples import MADE_UP, QUESTION, RIGHT, library, quoting

from gadfly.corpora import Document, Form, in_memory
from gadfly.errors import CallError
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
