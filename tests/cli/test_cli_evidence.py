"""gadfly evidence: questions played and counted, a threshold set. The scripted model says "…", which is no answer."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal

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
    assert "Supported but false (First sample): no verdicts" in said.out
    [made] = all_runs(home())
    assert made.info["cases"] == 6
    assert "verdict could not be read" in (tmp_path / "page.html").read_text()


def test_a_model_that_tells_no_likelihood_is_not_chosen_by_it(gadfly, questions):
    said = gadfly("evidence", "eval", *questions, "--samples", 1, "--orders", 0)
    assert "Likeliest" not in said.out
    assert "does not say how likely its answers are" in said.out
    assert "gadfly evidence train quoting-handbook" in said.out
    asked_for = gadfly("evidence", "eval", *questions, "--choose", "first,likelihood")
    assert (asked_for.code, "leave likelihood out of --choose" in asked_for.err) == (2, True)


def test_no_judge_of_chosen_answers_alone_is_suggested_for_declining(gadfly, questions):
    said = gadfly("evidence", "eval", *questions, "--samples", 1, "--orders", 0, "--supported", "scripted/y")
    assert "--risk" not in said.out and "gadfly evidence train" in said.out


@pytest.mark.parametrize(
    ("text", "why"), [("", "no question"), ('{"question": "a", "unanswerable": true}', "rates")]
)
def test_a_file_without_a_question_to_rate_is_refused_before_a_model_is_asked(
    gadfly, questions, tmp_path, text, why
):
    (tmp_path / "q.jsonl").write_text(text)
    said = gadfly("evidence", "eval", *questions)
    assert (said.code, why in said.err, all_runs(home())) == (2, True, [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--search", "embeddings"), "built without embeddings"),
        (("--corpus", "web:tavily", "--search", "fusion"), "searched as tavily does"),
        (("--corpus", "web:tavily"), "TAVILY_API_KEY"),
    ],
)
def test_it_searches_as_it_is_told_and_where(gadfly, questions, monkeypatch, words, says):
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    said = gadfly("evidence", "eval", *questions, *words)
    assert (said.code, says in said.err) == (2, True)


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


@pytest.fixture
def stopped(gadfly, questions, monkeypatch):
    """`gadfly evidence eval` whose model presses Ctrl-C when a question without the word given, or any, comes up."""

    def evaluate(*words, unless=None):
        pressed = []

        def script(messages, seed):
            if not pressed and (unless is None or unless not in str(messages)):
                pressed.append(True)
                os.kill(os.getpid(), signal.SIGINT)
            return RIGHT

        monkeypatch.setattr("gadfly.models.model", lambda name: scripted(script))
        return gadfly("evidence", "eval", *questions, "--samples", 40, "--concurrency", 1, *words)

    return evaluate


def test_ctrl_c_ends_it_with_130_and_nothing_more_is_asked(stopped):
    said = stopped("--supported", "scripted/y")
    [made] = all_runs(home())
    assert (said.code, made.status) == (130, "interrupted")
    assert len(list(made.transcripts())) < made.info["cases"]
    assert "unsupported" not in made.info["judges"]


def test_ctrl_c_among_the_orders_ends_it_with_130_and_the_report_says_what_is_missing(stopped):
    said = stopped("--samples", 1, unless="when was bridge")
    [orders] = [one for one in all_runs(home()) if "obeys" in one.info["judges"]]
    assert said.code == 130
    assert f"Cut short: {len(list(orders.transcripts()))} of {orders.info['cases']} samples" in said.out


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
