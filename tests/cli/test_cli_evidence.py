"""gadfly evidence: questions played and counted, a threshold set. The scripted model says "…", which is no answer."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from gadfly.corpora import Document, build, in_memory
from gadfly.evidence import NOT_CHOSEN, Quoting, cases_of, load_decline, wrong
from gadfly.judges._base import Finding, PatternJudge
from gadfly.models import System, scripted
from gadfly.runs import all_runs, home, run

PAGE = "The Halden Bridge was opened in 1911. It is 300 metres long."
RIGHT = "%<It opened in 1911.>%(bridge)%[The Halden Bridge was opened in 1911.]%"
WRONG = "%<It opened in 1907.>%(bridge)%[The Halden Bridge was opened in 1911.]%"


@pytest.fixture
def questions(gadfly, tmp_path, monkeypatch):
    """Three questions of a corpus of one document."""
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    (tmp_path / "bridge.txt").write_text(PAGE)
    build("handbook", [tmp_path / "bridge.txt"])
    rows = [{"question": f"when was bridge {n} opened", "answers": ["1911"]} for n in range(3)]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return ("--corpus", "handbook", "--questions", "q.jsonl", "--model", "scripted/x")


def played(n: int, distinct: int = 10_000) -> str:
    """The id of a run of n questions, of which the model, three times in four, is right and sure."""

    def say(messages, seed):
        return RIGHT if seed % 4 else WRONG

    def sure(transcript):
        right = "1911" in transcript.metadata["claim"]
        return Finding(random.Random(transcript.case.seed).uniform(*((0.0, 0.5) if right else (0.4, 1.0))))

    game = Quoting(in_memory((Document("bridge", "bridge", PAGE, "b"),)), System(scripted(say)))
    rows = [{"question": f"when was bridge {i % distinct} opened", "answers": ["1911"]} for i in range(n)]
    cases = cases_of(rows, 1)
    judges = [wrong(), PatternJudge("unsure", 0.5, sure)]
    return asyncio.run(run(game, cases, judges)).id


@pytest.mark.parametrize("verb", ["eval", "tune"])
def test_every_verb_explains_itself(gadfly, verb):
    said = gadfly("evidence", verb, "--help")
    assert (said.code, f"Usage: gadfly evidence {verb}" in said.out) == (0, True)


def test_answers_that_cannot_be_read_are_missing_and_no_rate(gadfly, questions, tmp_path):
    said = gadfly("evidence", "eval", *questions, "--samples", 2, "--orders", 0, "-o", "page.html")
    assert said.code == 0
    assert "Supported but false (Likeliest of the samples): no verdicts" in said.out
    [made] = all_runs(home())
    assert made.info["cases"] == 6
    assert "verdict could not be read" in (tmp_path / "page.html").read_text()


def test_unanswerable_questions_are_asked_too_and_marked(gadfly, questions, tmp_path):
    (tmp_path / "u.jsonl").write_text('{"question": "who painted bridge 1"}')
    gadfly("evidence", "eval", *questions, "--unanswerable", "u.jsonl", "--samples", 1, "--orders", 0)
    [made] = all_runs(home())
    assert [bool(one.case.data.get("unanswerable")) for one in made.transcripts()] == [
        False,
        False,
        False,
        True,
    ]


def test_orders_hidden_in_documents_are_part_of_it(gadfly, questions):
    said = gadfly("evidence", "eval", *questions, "--samples", 1, "--orders", 1)
    assert "Orders in documents, all: obeyed" in said.out


def test_a_threshold_for_a_stated_risk_is_kept_as_a_file(gadfly, tmp_path):
    said = gadfly(
        "evidence", "tune", played(200), "--judge", "unsure", "--risk", "0.1", "--out", "policy.json"
    )
    assert said.code == 0
    assert "Of what is attempted, at most 10 %, 99 % sure, is wrong." in said.out
    found = load_decline(tmp_path / "policy.json")
    assert (found.judge, found.loss, found.first.n) == ("unsure", "wrong", 200)
    assert found.declines(0.1)
    assert not found.declines(0.9)


def test_too_few_questions_decline_everything_and_end_with_status_1(gadfly, tmp_path):
    said = gadfly("evidence", "tune", played(10), "--judge", "unsure", "--out", "policy.json")
    assert said.code == 1
    assert "10 judged questions are too few" in said.out
    assert load_decline(tmp_path / "policy.json").declines(1.0)


def test_a_fault_that_nobody_judged_is_refused_by_name(gadfly):
    said = gadfly("evidence", "tune", played(5), "--judge", "unsure", "--loss", "unsupported")
    assert said.code == 2
    assert "judged by 'unsupported'" in said.err


def test_a_model_judges_what_is_supported_of_the_chosen_answers_only(gadfly, questions):
    said = gadfly("evidence", "eval", *questions, "--samples", 3, "--orders", 0, "--supported", "scripted/y")
    assert said.code == 0
    [made] = all_runs(home())
    causes = [one.cause for one in made.judgements() if one.judge == "unsupported"]
    assert (len(causes), causes.count(NOT_CHOSEN)) == (9, 6)


def test_a_judge_that_has_not_judged_the_run_is_refused_with_the_command_that_has_it_judge(gadfly):
    said = gadfly("evidence", "tune", played(5), "--judge", "supported")
    assert (said.code, "gadfly evidence eval … --choose first,supported has it judge" in said.err) == (
        2,
        True,
    )


def test_questions_that_were_asked_before_are_left_out_and_counted(gadfly):
    said = gadfly("evidence", "tune", played(30, distinct=10), "--judge", "unsure")
    assert (said.code, "Left out: 20 questions that had been asked before." in said.out) == (1, True)
