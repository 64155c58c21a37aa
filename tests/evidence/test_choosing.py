"""Which sample answers a question, and what a question gets in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from evidence_samples import MADE_UP, QUESTION, RIGHT, quoting

from gadfly.errors import InputError
from gadfly.evidence import Asking, answer, cases_of, chosen, unquoted, wrong
from gadfly.runs import Run, Settings, run


def by_document(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
    """Made up from the first document, verbatim from the other."""
    if "Halden ferry" in messages[-1][1]:
        return "%<By a bridge.>%(Halden ferry)%[The ferry crossed the river until the bridge was opened.]%"
    return MADE_UP


def made(tmp_path: Path) -> Run:
    game = quoting(by_document, documents=2, retries=0)
    cases = cases_of([{"question": QUESTION, "answers": ["1911"]}], 2)
    return asyncio.run(run(game, cases, [unquoted(), wrong()], settings=Settings(tmp_path, progress=False)))


def test_the_judge_that_chooses_decides(tmp_path: Path):
    finished = made(tmp_path)
    picked = [chosen(finished, by)[0].transcript.metadata["sample"] for by in (None, "unquoted")]
    assert picked == [0, 1]


def test_verified_quotes_come_before_confidence(tmp_path: Path):
    (one,) = chosen(made(tmp_path), "wrong")
    assert (one.transcript.metadata["claim"], one.confidence) == ("By a bridge.", 0.0)


def test_without_confidence_the_best_passage_with_a_verified_quote_answers():
    def say(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
        return by_document(messages, seed) if "Red wren" not in messages[-1][1] else MADE_UP

    game = quoting(say, documents=2, retries=0)
    answered = asyncio.run(answer(QUESTION, Asking(game, 4)))
    assert answered.chosen is not None and answered.confidence is None
    assert (answered.chosen.metadata["claim"], answered.chosen.metadata["sample"]) == ("By a bridge.", 1)


def test_choosing_by_a_judge_that_never_judged_names_those_that_did(tmp_path: Path):
    with pytest.raises(InputError, match="these have: unquoted, wrong"):
        chosen(made(tmp_path), "unlikely")


def test_a_question_gets_the_surest_answer():
    asking = Asking(quoting(by_document, documents=2, retries=0), 4, unquoted())
    answered = asyncio.run(answer(QUESTION, asking))
    assert answered.chosen is not None and answered.chosen.metadata["claim"] == "By a bridge."
    assert (answered.declined, answered.confidence, len(answered.others)) == (False, 1 / 2**2, 3)
    assert answered.searched == 2


def test_an_answer_for_which_nothing_was_found_is_declined():
    answered = asyncio.run(answer("zzz", Asking(quoting(RIGHT), 2, unquoted())))
    assert answered.declined and "Nothing in the documents" in answered.why


def test_a_question_needs_words():
    with pytest.raises(InputError, match="no question"):
        asyncio.run(answer("  ", Asking(quoting(), 1, unquoted())))
