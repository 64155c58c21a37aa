"""A threshold for declining: set on a run, kept as a file, read again."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_samples import DOCUMENTS, RIGHT, quoting

from gadfly.corpora import in_memory
from gadfly.errors import InputError, StoreError
from gadfly.evidence import (
    Decline,
    Search,
    Setting,
    cases_of,
    judge_chosen,
    load_decline,
    tune,
    unquoted,
    wrong,
)
from gadfly.judges._base import Finding, PatternJudge
from gadfly.runs import Run, Settings, run
from gadfly.stats import rate

SET = Search(0.8, 300, rate([True] * 200 + [False] * 100), rate([False] * 190 + [True] * 10))
MADE = Decline(
    judge="reward",
    rounds=(SET, replace(SET, threshold=0.02, n=100, attempted=rate([True] * 20 + [False] * 80))),
    loss="wrong",
    risk=0.1,
    assurance=0.95,
    run="quoting-1",
    promise="Of what is attempted, at most 10 %, 95 % sure, is wrong.",
    setting=Setting.of(quoting().spec(), 8, {"heads": "a"}),
    searches=1,
    missing=2,
)


def played(folder: Path, n: int, samples: int = 1, unanswerable: int = 0, questions: int = 10_000) -> Run:
    """n questions, answered wrongly one time in five; a judge that mostly knows which."""

    def say(messages, seed):
        return RIGHT if seed % 5 else RIGHT.replace("1911.>", "1907.>")

    def unsure(transcript):
        drawn = random.Random(transcript.case.seed).random()
        return Finding(drawn / 2 if "1911" in transcript.metadata["claim"] else (1 + drawn) / 2)

    rows = [
        {
            "question": f"when was the halden bridge opened {i % questions}",
            "answers": ["1911"],
            "unanswerable": i >= n,
        }
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
    nothing = replace(MADE, rounds=(replace(SET, threshold=None),), promise="Declines everything: too few.")
    assert nothing.declines(1.0)
    assert nothing.reason(1.0) == "Declines everything: too few."


def test_the_reason_names_what_was_there_and_what_it_takes():
    assert "gives it 0.41, and it takes 0.80" in MADE.reason(0.41)


def test_a_further_search_has_its_own_threshold_and_chance():
    assert (MADE.declines(0.03), MADE.declines(0.03, 1), MADE.chance(1)) == (True, False, 0.2)
    assert "it takes 0.02" in MADE.reason(0.01, 1, 1) and "1 further search found none" in MADE.reason(
        0.01, 1, 1
    )


def test_in_the_setting_it_was_set_with_the_promise_holds():
    assert MADE.unpromised(Setting.of(quoting().spec(), 8, {"heads": "a"})) == ""


@pytest.mark.parametrize(
    ("game", "samples", "judge", "said"),
    [
        (quoting(documents=2), 8, "a", "number of passages 4 (now 2)"),
        (quoting(), 4, "a", "number of answers 8 (now 4)"),
        (quoting(), 8, "b", "another state of the judge"),
        (
            replace(quoting(), answerer=quoting().answerer.with_sampling(temperature=0.9)),
            8,
            "a",
            "temperature",
        ),
        (replace(quoting(), corpus=in_memory(DOCUMENTS[:2])), 8, "a", "another state of the corpus"),
    ],
)
def test_every_difference_from_that_setting_is_named(game, samples, judge, said):
    told = MADE.unpromised(Setting.of(game.spec(), samples, {"heads": judge}))
    assert told.startswith("No risk is promised here, for the threshold was set with ")
    assert said in told and told.count(",") == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "judge": "x"}', '{"format": 99}'])
def test_a_file_that_is_no_threshold_is_refused_with_what_makes_one(tmp_path, text):
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(InputError, match="gadfly evidence tune RUN --out"):
        load_decline(tmp_path / "policy.json")


@pytest.mark.parametrize("threshold", ["high", True, float("nan"), float("-inf")])
def test_a_threshold_that_is_no_finite_number_is_refused(tmp_path, threshold):
    path = MADE.save(tmp_path / "policy.json")
    data = json.loads(path.read_text())
    data["rounds"][0]["threshold"] = threshold
    path.write_text(json.dumps(data))
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
    assert (made.first.n, len(made.rounds)) == (200, 1)
    assert made.first.threshold == pytest.approx(0.5, abs=0.15)
    assert made.first.seen.point < 0.1
    assert made.first.attempted.point > 0.7
    assert (made.setting.samples, made.setting.game["answerer"]["model"]) == (1, quoting().answerer.name)


def test_a_question_that_was_asked_before_sets_nothing(tmp_path):
    made = tune(played(tmp_path, 120, questions=40), "unsure", 0.1)
    assert (made.first.n, made.repeated) == (40, 80)
    assert made.first.threshold is None


def test_a_judge_that_never_judged_the_run_is_refused_with_what_has_it_judge(tmp_path):
    with pytest.raises(InputError, match="--choose first,supported has it judge answers"):
        tune(played(tmp_path, 3), "supported", 0.1)


def test_a_judge_that_was_only_asked_about_chosen_answers_is_refused(tmp_path):
    judged = asyncio.run(judge_chosen(played(tmp_path, 3), [unquoted()], ["first"], progress=False))
    with pytest.raises(InputError, match="judged only the chosen answers"):
        tune(judged, "unquoted", 0.1)


def test_further_searches_need_passages_and_samples_for_each(tmp_path):
    with pytest.raises(InputError, match="--documents 12 --samples 24 makes one that fits"):
        tune(played(tmp_path, 3), "unsure", 0.1, searches=2)


def test_a_fault_that_nobody_judged_is_refused_with_those_that_were(tmp_path):
    with pytest.raises(InputError, match="These have judged: unsure, wrong"):
        tune(played(tmp_path, 3), "unsure", 0.1, loss="unsupported")
