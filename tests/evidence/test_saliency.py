"""What a claim stands on, as the model that made it tells."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadfly.corpora import OPENING, Passage, quoted
from gadfly.errors import InputError
from gadfly.evidence import Saliency, saliency, unused
from gadfly.evidence._prompts import opened
from gadfly.evidence._saliency import MOST, Stretch, _others, _without, sentence_spans
from gadfly.models import LocalModel, System, model_of, scripted
from gadfly.models._likelihood import likelihoods
from gadfly.transcripts import Case, Judgement, Transcript, Turn
from tiny_models import tiny_model

TEXT = "The tide is high at noon. The ferry waits for it. Dogs need a ticket. In fog nothing moves."
PASSAGE = Passage("d", "Ferry", TEXT, 100, 100 + len(TEXT))
QUOTE = "The ferry waits for it"


def local_system() -> System:
    local: LocalModel = tiny_model()
    local.weights.config.max_position_embeddings = 8_192
    return System(model_of(local))


def answer(quote: str = QUOTE, claim: str = "It waits for the tide.") -> Transcript:
    found = quoted(quote, [PASSAGE]) if quote else None
    facts = {
        "question": "What does the ferry wait for?",
        "claim": claim,
        "quotes": [found.to_json()] if found else [],
        "shown": [PASSAGE.to_json()],
    }
    turns = (Turn("user", facts["question"]), Turn("target", claim or "…"))
    return Transcript(Case("c", 0, 0), turns, metadata=facts)


def test_the_cost_of_a_quote_is_what_the_claim_loses_without_it() -> None:
    system = local_system()
    found = asyncio.run(saliency(answer(), system))
    texts = [TEXT, "The tide is high at noon. . Dogs need a ticket. In fog nothing moves."]
    asked = [opened("What does the ferry wait for?", replace(PASSAGE, text=text), OPENING) for text in texts]
    whole, without = (
        sum(row) / len(row) for row in asyncio.run(likelihoods(system, asked, "It waits for the tide."))
    )
    assert (found.likely, found.cost) == pytest.approx((whole, whole - without), abs=1e-4)


def test_every_other_sentence_of_that_length_is_left_out_once_and_placed_in_its_document() -> None:
    found = asyncio.run(saliency(answer(), local_system()))
    assert [other.text for other in found.others] == [
        "The tide is high at noon.",
        "Dogs need a ticket.",
        "In fog nothing moves.",
    ]
    assert [TEXT[other.start - 100 : other.end - 100] for other in found.others] == [
        o.text for o in found.others
    ]


def measured(cost: float, *others: float) -> Saliency:
    return Saliency(-2.0, cost, tuple(Stretch("Words.", 0, 6, other) for other in others))


@pytest.mark.parametrize(
    ("found", "rank", "outdone"),
    [
        (measured(1.0, 0.2, -0.1, 0.3, 0.1), 1, 0.0),
        (measured(1.0, 2.0, 0.1, 0.0, 1.5), 3, 0.5),
        (measured(1.0, 1.0), 2, 1.0),
        (measured(-0.1, -0.3, -0.2), 1, 1.0),
        (measured(1.0), 1, None),
    ],
)
def test_rank_and_share_say_how_the_quote_compares(found: Saliency, rank: int, outdone: float | None) -> None:
    assert (found.rank, found.outdone) == (rank, outdone)


def test_it_is_told_in_a_sentence() -> None:
    assert "place 3 of 5" in measured(1.0, 2.0, 0.1, 0.0, 1.5).describe()
    assert "no less likely" in measured(0.0, 1.0).describe()
    assert "nothing else" in measured(1.0).describe()


def test_short_sentences_are_joined_until_they_are_as_long_as_the_quote() -> None:
    text = "It was. It is. It will be. " + "The long sentence that was quoted here." + " So be it."
    taken = [(text.index("The long"), text.index(" So be it"))]
    assert [text[a:b] for a, b in _others(text, taken)] == ["It was. It is. It will be."]


def test_of_very_many_stretches_evenly_spread_ones_are_taken() -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(300))
    found = _others(text, [(0, 26)])
    assert (len(found), found[-1][1] > 0.9 * len(text)) == (MOST, True)


@given(st.text(alphabet='ab .!?。\n"', max_size=60))
def test_sentences_are_apart_in_order_and_hold_all_that_is_visible(text: str) -> None:
    spans = list(sentence_spans(text))
    assert "".join("".join(text[a:b] for a, b in spans).split()) == "".join(text.split())
    assert all(a < b for a, b in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_what_is_left_out_leaves_one_space() -> None:
    assert _without("One. Two. Three.", [(5, 9)]) == "One. Three."
    assert _without("One. Two. Three.", [(0, 4), (10, 16)]) == "Two."


def judged(one: Transcript) -> Judgement:
    return asyncio.run(unused(local_system()).judge([one]))[0]


def test_as_a_judge_it_scores_by_what_outdoes_the_quote_and_tells_it() -> None:
    said = judged(answer())
    assert said.score == said.metadata["outdone"]
    assert said.metadata["of"] == 4
    assert said.rationale.startswith("Without the quoted words")


@pytest.mark.parametrize(
    ("transcript", "cause"),
    [
        (answer(quote=""), "no_quote"),
        (answer(quote=TEXT), "nothing_to_compare"),
        (replace(answer(), outcome="failed"), "not_valid"),
        (answer(claim="word " * 9_000), "context_overflow"),
    ],
)
def test_what_cannot_be_measured_is_missing(transcript: Transcript, cause: str) -> None:
    assert judged(transcript).cause == cause


def test_a_model_elsewhere_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="runs elsewhere"):
        unused(System(scripted("x")))


def test_an_answer_without_a_quote_has_no_saliency() -> None:
    with pytest.raises(InputError, match="needs a claim and a quote"):
        asyncio.run(saliency(answer(quote=""), local_system()))
