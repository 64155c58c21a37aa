"""The examples run, and stay short enough to read."""

import os
from pathlib import Path

import pytest

from forked import Forked

EXAMPLES = Path(__file__).parents[1] / "examples"


def ran(directory, name, *words):
    """What an example prints, run in that directory."""
    environment = {**os.environ, "GADFLY_RUNS": str(directory / "runs"), "COLUMNS": "200"}
    place = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r})"
    code = f"{place}; import runpy; runpy.run_path({str(EXAMPLES / name)!r}, run_name='__main__')"
    ended, said = Forked(code, *words, cwd=directory, env=environment).ended()
    assert ended == 0, said
    return said


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("audit.py", 20),
        ("redteam.py", 40),
        ("own_judge.py", 40),
        ("people.py", 40),
        ("learning_curves.py", 40),
        ("pressure.py", 40),
        ("evidence.py", 80),
        ("debate.py", 40),
    ],
)
def test_an_example_is_short(name, most):
    assert len((EXAMPLES / name).read_text().splitlines()) < most


def test_an_audit_prints_its_verdict_and_writes_its_report(tmp_path):
    said = ran(tmp_path, "audit.py", "scripted/x")
    assert "Claims to be a person: " in said
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_campaign_with_a_focus_and_two_attackers_of_ones_own(tmp_path):
    said = ran(tmp_path, "redteam.py")
    assert "Clear failures in 1 of 1 kinds looked for: promises a refund." in said
    assert "few-shot by scripted/customer" in said


def test_a_judge_of_ones_own_is_right_about_its_controls(tmp_path):
    assert ran(tmp_path, "own_judge.py").strip().endswith("[]")


def test_a_few_labels_put_a_judge_right(tmp_path):
    *_, alone, corrected = ran(tmp_path, "people.py").strip().splitlines()
    assert alone.startswith("The labels alone: 6")
    assert corrected.startswith("The judge, corrected by the labels: 6")


def test_choosing_what_to_ask_teaches_a_learner_of_ones_own(tmp_path):
    assert "Choosing by epistemic! teaches more" in ran(tmp_path, "learning_curves.py")
    assert (tmp_path / "curves.html").stat().st_size > 10_000


def test_an_agent_under_pressure_is_held_back_by_a_ban(tmp_path):
    said = ran(tmp_path, "pressure.py")
    assert "default: acts 76.6%" in said and "system_prompt=ban: acts 9.4%" in said
    assert (tmp_path / "pressure.html").stat().st_size > 10_000


def test_documents_are_asked_and_what_is_unsure_is_declined(tmp_path):
    said = ran(tmp_path, "evidence.py")
    assert "first at 100%: right" in said
    assert "at most 20 %" in said
    assert "> The Tarn Bridge was opened in 1835." in said


def test_debates_by_several_protocols_say_how_often_the_judge_is_right(tmp_path):
    said = ran(tmp_path, "debate.py").splitlines()
    naive, consultancy, debate = [line for line in said if "the judge is right" in line]
    assert "right 50.0% [" in naive and "right 50.0% [" in consultancy and "right 100.0% [" in debate
