"""Reports of debates before several judges, of runs that broke off, and of people: what may be said of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from io import StringIO

import pytest
from debates_samples import Person, judged_by, named_report, played, report
from rich.console import Console

from gadfly.debate import ScriptedJudge, Skilled
from gadfly.report import from_runs, print_summary, render
from gadfly.report._debate import section_of
from gadfly.report._debated import Debated
from gadfly.runs import open_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return report(tmp_path_factory.mktemp("debates"))


def printed(made, width: int) -> str:
    """What the terminal shows."""
    console = Console(file=StringIO(), width=width)
    print_summary(made, console)
    return console.file.getvalue()


def test_of_two_judges_each_is_named_with_what_debate_did_to_it(tmp_path):
    good, bad = (
        ScriptedJudge(truth=truth, name=name) for name, truth in (("judge:good", 9.0), ("judge:bad", 0.0))
    )
    chairs = {"judge:good": Skilled(0.0), "judge:bad": Skilled(0.0)}
    made = [
        played(tmp_path / judge.name[6:], name, judge, chairs[judge.name], n=12)
        for judge in (good, bad)
        for name in ("naive", "debate")
    ]
    found = from_runs(made)
    assert [one.title for one in found.sections] == ["Debate before good", "Debate before bad"]
    assert found.title == "Does debate help good and bad?" and found.target == "judges good and bad"
    assert found.verdict.startswith("Debate before good: ") and " Debate before bad: " in found.verdict
    assert "Debate before good" in printed(found, 120) and "Debate before bad" in render(found)


def test_a_run_that_was_stopped_before_its_first_case_is_of_the_same_comparison(tmp_path):
    made = [played(tmp_path, name, n=6) for name in ("naive", "debate")]
    for part in ("transcripts", "judgements"):
        for kept in made[1].path.glob(f"{part}*"):
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    found = from_runs([open_run(one.path) for one in made])
    assert len(found.sections) == 1 and "Nobody argued" not in found.verdict
    assert any(one.startswith("Cut short: 0 of 12 cases") for one in found.sections[0].findings)


def test_people_who_heard_debates_and_others_who_judged_alone_are_not_said_to_differ_by_debate_alone(
    tmp_path,
):
    ann, ben = Person("ann", knows=-0.2), Person("ben", knows=2.5)
    found = from_runs([judged_by(tmp_path, ann, "naive"), judged_by(tmp_path, ben, "debate")])
    assert found.level == "warn" and "who are other people" in found.verdict
    assert "other people judged alone" in " ".join(printed(found, 300).split())
    same = from_runs(
        [
            judged_by(tmp_path / "same", replace(ben, knows=knows), name)
            for name, knows in (("naive", -0.2), ("debate", 2.5))
        ]
    )
    assert same.level == "pass"


def test_how_many_verdicts_came_without_probabilities_is_said_of_those_that_there_are(tmp_path):
    table = named_report(tmp_path).sections[0].debate.table
    twice = [replace(one, within="all") for one in table.lines]
    said = [
        section_of(Debated(replace(table, lines=lines))).findings
        for lines in (table.lines, (*table.lines, *twice))
    ]
    assert said[0][0] == said[1][0] and "no probabilities" in said[0][0]
    unknown = [
        replace(one, told=12, untold=4, confidence=replace(one.confidence, n=0)) for one in table.lines[:1]
    ]
    [first, *_] = section_of(Debated(replace(table, lines=tuple(unknown)))).findings
    assert "in 4 of 16 verdicts" in first


def test_causes_are_not_cut_off_in_the_terminal(made):
    table = made.sections[0].debate.table
    causes = {
        f"call_failed:{cause}": 3
        for cause in ("server_error", "rate_limited", "timeout", "bad_reply", "rejected")
    }
    lines = tuple(replace(one, causes=causes | {"no_known_answer": 7}) for one in table.lines)
    shown = " ".join(
        printed(replace(made, sections=(section_of(Debated(replace(table, lines=lines))),)), 400).split()
    )
    assert shown.count("7") >= len(lines)
