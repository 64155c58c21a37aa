"""A threshold for declining: set on a run, kept as a file, read again."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_samples import RIGHT, quoting

from gadfly.errors import InputError, StoreError
from gadfly.evidence import Decline, cases_of, load_decline, tune, wrong
from gadfly.judges._base import Finding, PatternJudge
from gadfly.runs import Run, Settings, run
from gadfly.stats import rate

MADE = Decline(
    judge="reward",
    threshold=0.8,
    loss="wrong",
    risk=0.1,
    assurance=0.95,
    run="quoting-1",
    n=300,
    missing=2,
    attempted=rate([True] * 200 + [False] * 100),
    seen=rate([False] * 190 + [True] * 10),
    promise="Of what is attempted, at most 10 %, 95 % sure, is wrong.",
    clears=(0.4, 0.2, 0.1, 0.05),
)


def played(folder: Path, n: int, samples: int = 1, unanswerable: int = 0) -> Run:
    """n questions, answered wrongly one time in five; a judge that mostly knows which."""

    def say(messages, seed):
        return RIGHT if seed % 5 else RIGHT.replace("1911.>", "1907.>")

    def unsure(transcript):
        drawn = random.Random(transcript.case.seed).random()
        return Finding(drawn / 2 if "1911" in transcript.metadata["claim"] else (1 + drawn) / 2)

    rows = [
        {"question": f"when was the halden bridge opened {i}", "answers": ["1911"], "unanswerable": i >= n}
        for i in range(n + unanswerable)
    ]
    judges = [wrong(), PatternJudge("unsure", 0.5, unsure)]
    settings = Settings(directory=folder, progress=False)
    return asyncio.run(run(quoting(say), cases_of(rows, samples), judges, settings=settings))


def test_what_is_kept_is_what_is_read(tmp_path):
    assert load_decline(MADE.save(tmp_path / "policy.json")) == MADE


@pytest.mark.parametrize(("sure", "declined"), [(0.8, False), (0.79, True), (None, True), (1.0, False)])
def test_an_answer_below_the_threshold_is_withheld_and_one_nobody_judged_too(sure, declined):
    assert MADE.declines(sure) is declined


def test_without_a_threshold_everything_is_declined_for_the_reason_given():
    nothing = replace(MADE, threshold=None, promise="Declines everything: too few.")
    assert nothing.declines(1.0)
    assert nothing.reason(1.0) == "Declines everything: too few."


def test_the_reason_names_what_was_there_and_what_it_takes():
    assert "gives it 0.41, and it takes 0.80" in MADE.reason(0.41)


def test_further_searches_are_worth_less_and_less():
    first, second = MADE.chance(1), MADE.chance(2)
    assert 0 < second < first < 1 - (1 - 0.075) ** 4
    assert replace(MADE, clears=(0.4,)).chance(1) == 0.0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "judge": "x"}', '{"format": 99}'])
def test_a_file_that_is_no_threshold_is_refused_with_what_makes_one(tmp_path, text):
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(InputError, match="gadfly evidence tune RUN --out"):
        load_decline(tmp_path / "policy.json")


def test_a_threshold_that_is_no_number_is_refused(tmp_path):
    path = MADE.save(tmp_path / "policy.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "threshold": "high"}))
    with pytest.raises(InputError, match="no threshold"):
        load_decline(path)


def test_a_file_that_is_not_there_or_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_decline(tmp_path / "none.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="name another place"):
        MADE.save(tmp_path / "file" / "policy.json")


def test_a_run_sets_the_threshold_that_its_judge_keeps(tmp_path):
    made = tune(played(tmp_path, 200, unanswerable=20), "unsure", 0.1)
    assert made.n == 200
    assert made.threshold == pytest.approx(0.5, abs=0.15)
    assert made.seen.point < 0.1
    assert made.attempted.point > 0.7


def test_the_chance_of_clearing_is_by_the_rank_of_the_passage(tmp_path):
    made = tune(played(tmp_path, 100, samples=4), "unsure", 0.1)
    assert len(made.clears) == 4
    assert made.clears[0] == pytest.approx(0.8, abs=0.15)


def test_a_fault_that_nobody_judged_is_refused_with_those_that_were(tmp_path):
    with pytest.raises(InputError, match="These have judged: unsure, wrong"):
        tune(played(tmp_path, 3), "unsure", 0.1, loss="unsupported")
