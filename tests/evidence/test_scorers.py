"""What is judged of an answer, and what a reward model of answers is taught."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest
from evidence_samples import MADE_UP, RIGHT, quoting
from test_quoting import played

from gadfly.evidence import fabricated, scorer, unlikely, unquoted, wrong
from gadfly.evidence._fabricated import negated
from gadfly.evidence._scorers import sure
from gadfly.judges import Judge, disproofs
from gadfly.models import System, scripted
from gadfly.transcripts import Judgement, Transcript


def score(judge: Judge, transcript: Transcript) -> Any:
    (judgement,) = asyncio.run(judge.judge([transcript]))
    return judgement.cause if judgement.score is None else judgement.score


def test_the_short_answer_judge_proves_itself():
    assert asyncio.run(disproofs(wrong())) == []


def test_wrong_needs_to_know_the_answer():
    assert score(wrong(), played(quoting())) == "no_gold"
    assert score(wrong(), played(quoting(), answers=["1911"])) == 0.0
    assert score(wrong(), played(quoting(), answers=["1912"])) == 1.0


def test_unquoted_means_no_quote_or_a_false_one():
    short, none = "%<In 1911.>%(Halden Bridge)%[in 1911]%", "%<In 1911.>%"
    said = (RIGHT, MADE_UP, short, none)
    assert [score(unquoted(), played(quoting(text))) for text in said] == [0.0, 1.0, 1.0, 1.0]


def test_likelihood_is_missing_where_the_model_does_not_say():
    assert score(unlikely(), played(quoting())) == "no_logprobs"


@pytest.mark.parametrize(("sample", "rank"), [(0, 1), (1, 2), (2, 1), (3, 2)])
def test_an_answer_is_as_sure_as_its_judge_times_its_passages_odds(sample: int, rank: int):
    told = played(quoting(documents=2), sample=sample)
    assert told.metadata["rank"] == rank
    likely = replace(told, metadata={**told.metadata, "logprob": {"all": math.log(0.8)}})
    assert score(unlikely(), likely) == pytest.approx(0.2)
    assert sure(told, Judgement("x", "any", 0.2)) == pytest.approx(0.8 / rank**2)
    assert sure(told, Judgement.missing("x", "any", "no_parse")) is None


def test_a_model_judges_whether_the_quote_supports_the_claim():
    for said, unsupported in (("yes", 0.0), ("no", 1.0)):
        judge = scorer("unsupported", System(scripted(said)))
        assert score(judge, played(quoting())) == unsupported


def test_a_right_claim_is_opposed():
    assert negated("The bridge was opened in 1911.") == "The bridge was not opened in 1911."
    assert negated("Nine grams.") == "It is not true that nine grams."


def test_bad_answers_are_made_from_good_ones():
    good = played(quoting(), answers=["1911"])
    texts = {row.text: row.target for row in fabricated([good])}
    assert sorted(texts.values()) == [0.0, 1.0, 1.0, 1.0]
    assert any("It is 300 metres long" in text for text in texts)


def test_what_people_said_overrules_the_short_answer():
    good = played(quoting(), answers=["1911"])
    (row,) = fabricated([good], {good.case.id: 1.0})
    assert row.target == 1.0


def test_answers_that_nobody_can_tell_teach_nothing():
    assert fabricated([played(quoting())]) == []
