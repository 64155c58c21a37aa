"""Runs that people judged: whose they are, how they are put together, and whether a person prefers what comes first."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from debate_samples import Honest, Leaning, Person, judged_by, played, questions

from gadfly.debate import DebateTable, Debating, ScriptedJudge, Skilled, cases, debate_table, protocol
from gadfly.errors import InputError
from gadfly.report import from_runs
from gadfly.runs import Run, Settings, run

ANN, BEN, EVE = Person("ann", knows=1.0), Person("ben", knows=1.0), Person("eve", knows=1.0)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> DebateTable:
    """Two people, alone and by debate."""
    where = tmp_path_factory.mktemp("people")
    found = [judged_by(where, person, name) for name in ("naive", "debate") for person in (ANN, BEN)]
    return debate_table(found)


def test_the_judge_is_the_person_and_not_what_their_verdicts_are_filed_under(
    tmp_path: Path, table: DebateTable
) -> None:
    assert debate_table([judged_by(tmp_path, ANN, n=4)]).judge == "ann"
    assert (table.judge, table.people) == ("ann and ben", ("ann", "ben"))
    assert debate_table([judged_by(tmp_path, one, n=4) for one in (ANN, BEN, EVE)]).judge == "3 people"


def test_people_are_a_line_together_and_a_line_each(table: DebateTable) -> None:
    names = ["naive", "naive (ann)", "naive (ben)", "debate", "debate (ann)", "debate (ben)"]
    assert [line.name for line in table.lines] == names
    assert table.lines[3].called == "debate (people, 2 of them)"
    assert [line.within for line in table.lines[3:]] == ["", "debate", "debate"]
    assert [line.called for line in table.lines[4:]] == names[4:]


def test_together_the_question_is_still_the_cluster(table: DebateTable) -> None:
    assert [(one.cases, one.questions) for one in table.lines[3:]] == [(80, 40), (40, 40), (40, 40)]
    both, ann, ben = (one.accuracy.point for one in table.lines[3:])
    assert both == pytest.approx((ann + ben) / 2)
    assert table.lines[3].accuracy.clusters == 40


def test_everybody_is_compared_with_themselves_alone(table: DebateTable) -> None:
    for name, alone, n in (("debate", "naive", 80), ("debate (ann)", "naive (ann)", 40)):
        line, base = table.line(name), table.line(alone)
        assert line is not None and base is not None and line.accuracy.point is not None
        gain = line.gains["naive"]
        assert (gain.n, gain.missing) == (n, 0)
        assert gain.point == pytest.approx(line.accuracy.point - (base.accuracy.point or 0))


def test_whether_debate_helped_is_said_of_all_people_together(table: DebateTable) -> None:
    assert [line.name for line in table.tried] == ["debate"]
    assert [line.name for line in table.lines if line.helped] == ["debate"]
    assert {kept.protocol for kept in table.kept} == {"naive", "debate"}


def test_runs_that_differ_in_more_than_the_person_stay_apart(tmp_path: Path) -> None:
    found = debate_table([judged_by(tmp_path, ANN, n=4), judged_by(tmp_path, BEN, chair=Honest(1.0), n=4)])
    assert [len(line.people) for line in found.lines] == [1, 1]
    assert len({line.name for line in found.lines}) == 2


@dataclass(frozen=True)
class Arguer(Skilled):
    """A person who debates before a model."""

    def spec(self) -> dict[str, Any]:
        return {"person": self.name}


def argued_by(directory: Path, name: str) -> Run:
    """A person's debates, each question once."""
    found, drawn = protocol("debate"), random.Random(name)
    game = Debating(found, {"first": Arguer(0.5, name), "second": Skilled(0.0)}, ScriptedJudge())
    both = cases(questions(20), found)
    met = [both[2 * of + drawn.randrange(2)] for of in range(20)]
    return asyncio.run(run(game, met, [Leaning()], settings=Settings(directory, progress=False)))


@pytest.mark.parametrize("names", [("ann",), ("ann", "ben", "eve")])
def test_people_who_debate_are_compared_with_the_model_alone_question_by_question(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    alone = played(tmp_path, "naive", n=20)
    found = debate_table([alone, *(argued_by(tmp_path, name) for name in names)])
    base = found.lines[0].accuracy.point
    for line in found.lines[1:]:
        gain = line.gains["naive"]
        assert (gain.n, gain.missing) == (line.cases, 0)
        assert gain.point == pytest.approx((line.accuracy.point or 0) - (base or 0))


def test_other_people_alone_are_compared_question_by_question(tmp_path: Path) -> None:
    found = [judged_by(tmp_path, one, "naive") for one in (ANN, BEN)]
    found += [judged_by(tmp_path, one, "debate") for one in (EVE, Person("dan", knows=2.0))]
    table = debate_table(found)
    alone, debate = table.line("naive"), table.line("debate")
    assert alone is not None and debate is not None
    gain = debate.gains["naive"]
    assert (gain.n, gain.missing, gain.clusters) == (80, 0, 40)
    assert gain.point == pytest.approx((debate.accuracy.point or 0) - (alone.accuracy.point or 0))


def test_a_second_run_of_the_judge_alone_leaves_the_first_to_compare_with(tmp_path: Path) -> None:
    runs = [played(tmp_path, "naive", n=20, seed=seed) for seed in (0, 1)]
    table = debate_table([*runs, played(tmp_path, "debate", n=20)])
    assert table.alone is table.first is table.lines[0] and table.lines[2].helped is not None
    assert "takes the protocol naive" not in from_runs([*runs, played(tmp_path, "debate", n=20)]).verdict


def test_a_persons_verdicts_are_not_compared_with_a_models(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"different judges \(judge and people\)"):
        debate_table([played(tmp_path, "naive", n=6), judged_by(tmp_path, ANN, n=6)])


@pytest.mark.parametrize(("bias", "prefers"), [(1.5, True), (0.0, False)])
def test_a_person_who_prefers_what_is_listed_first_is_found_out(
    tmp_path: Path, bias: float, prefers: bool
) -> None:
    [line] = debate_table([judged_by(tmp_path, Person("ann", knows=0.5, bias=bias), n=80)]).lines
    share = line.leaning.listed_first
    assert share is not None and share.n == 80
    assert (share.low > 0.5, share.low < 0.5 < share.high) == (prefers, not prefers)


def test_of_a_model_asked_both_ways_there_is_no_such_share(tmp_path: Path) -> None:
    [line] = debate_table([played(tmp_path, "naive", n=6)]).lines
    assert (line.leaning.listed_first, line.people) == (None, ())


def test_a_second_run_of_one_person_is_a_line_of_its_own(tmp_path: Path) -> None:
    runs = [judged_by(tmp_path, person, n=n) for person, n in ((ANN, 6), (ANN, 12), (BEN, 12))]
    assert len({run.id for run in runs}) == 3
    found = debate_table(runs)
    assert sorted(line.cases for line in found.lines) == [6, 12, 12, 18]
    assert {line.people for line in found.tried} == {("ann", "ben"), ("ann",)}
    assert all(line.accuracy.clusters <= 12 for line in found.lines)
    assert from_runs(runs[:2]).sections[0].debate is not None
