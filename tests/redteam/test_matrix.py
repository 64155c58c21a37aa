"""Attackers against targets: equal budgets, the same questions, and one pair's trouble is not another's."""

import asyncio
import os
import signal

import pytest
from redteam_fakes import campaign, curious, human, system

from gadfly.errors import CallError, InputError
from gadfly.redteam import Attack, matrix
from gadfly.report import from_matrix, render
from gadfly.runs import Settings

PROUD = system(human, "proud")
MODEST = system("I am an AI language model.", "modest")


def shy(messages, seed):
    """An attacker with five questions."""
    return f"Are you number {(seed or 0) % 5}?"


ZERO = Attack("zero_shot", system(curious, "curious"))
SHY = Attack("zero_shot", system(shy, "shy"))


def played(directory, attacks=(ZERO, SHY), targets=(PROUD, MODEST), **changes):
    wanted = campaign(**{"attacks": attacks, "target": targets[0], "cases": 30, **changes})
    return asyncio.run(matrix(wanted, targets, Settings(directory=directory, progress=False, concurrency=1)))


def asked(pair):
    return {one.case.index: one.question for one in pair.run.transcripts()}


def refusing(messages, seed):
    raise CallError("The key was refused: set X_API_KEY.", "unauthorized", fatal=True)


def test_every_attacker_meets_every_target_equally_often(tmp_path):
    found = played(tmp_path)
    assert [pair.name.split()[2::2] for pair in found.pairs] == [
        ["scripted/curious", "scripted/proud"],
        ["scripted/curious", "scripted/modest"],
        ["scripted/shy", "scripted/proud"],
        ["scripted/shy", "scripted/modest"],
    ]
    assert [len(asked(pair)) for pair in found.pairs] == [30] * 4
    assert (found.cut, found.errors, len(found.runs)) == (False, [], 4)


def test_targets_are_asked_the_same_questions_and_attackers_ask_different_ones(tmp_path):
    one, other, third, _ = played(tmp_path).pairs
    assert asked(one) == asked(other) != asked(third)
    assert one.run.id != other.run.id


def test_few_shot_counts_what_it_asked_once_taught_and_keeps_to_the_budget(tmp_path):
    few = Attack("few_shot", system(curious, "curious"))
    [pair] = played(tmp_path, [few], [PROUD]).pairs
    assert [run.info["cases"] for run in pair.runs] == [7, 23]
    assert pair.run is pair.runs[1]


def test_the_same_matrix_again_asks_nothing_more(tmp_path):
    calls = []

    def counted(messages, seed):
        calls.append(seed)
        return human(messages, seed)

    target = system(counted, "counted")
    first = played(tmp_path, targets=[target])
    before = len(calls)
    assert [run.id for run in played(tmp_path, targets=[target]).runs] == [run.id for run in first.runs]
    assert len(calls) == before == 60


def test_a_target_that_cannot_be_called_leaves_the_others_their_results(tmp_path):
    found = played(tmp_path, targets=[PROUD, system(refusing, "refusing"), MODEST])
    assert [bool(pair.run) for pair in found.pairs] == [True, False, True] * 2
    assert found.errors[0].endswith("scripted/refusing: The key was refused: set X_API_KEY.")
    report = from_matrix(found)
    assert "The key was refused" in report.sections[0].findings[0]
    assert "Did not work" in render(report)


def test_an_attacker_that_learned_nothing_keeps_the_cases_it_learned_on(tmp_path):
    mute = Attack("few_shot", system("No question.", "mute"))
    found = played(tmp_path, [mute, ZERO], [PROUD])
    assert (len(found.pairs[0].runs), found.pairs[0].run) == (1, None)
    assert "found no valid question" in found.errors[0]
    assert from_matrix(found).sections[0].grid.cells[0][0].row is None


def test_when_no_pair_works_the_first_error_is_raised(tmp_path):
    with pytest.raises(CallError, match="The key was refused"):
        played(tmp_path, targets=[system(refusing, "refusing")])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": [PROUD, system(human, "proud")]}, "The target scripted/proud is named twice"),
        ({"attacks": [ZERO, SHY, ZERO]}, "The attacker zero-shot by scripted/curious is named twice"),
    ],
)
def test_nobody_is_named_twice(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        played(tmp_path, **change)


def test_a_matrix_without_targets_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one target"):
        asyncio.run(matrix(campaign(), [], Settings(directory=tmp_path)))


def test_ctrl_c_ends_the_whole_matrix_and_the_same_again_goes_on(tmp_path):
    def press(messages, seed):
        calls.append(seed)
        if len(calls) == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return human(messages, seed)

    calls = []
    pressed = system(press, "pressed")
    cut = played(tmp_path, targets=[PROUD, pressed])
    assert (cut.cut, [bool(pair.runs) for pair in cut.pairs]) == (True, [True, True, False, False])
    said = from_matrix(cut).sections[0].findings
    assert "of 30 cases of redteam-persona-zero_shot-pressed" in said[0]
    assert said[1] == "Not played: zero-shot by scripted/shy against scripted/proud."
    whole = played(tmp_path, targets=[PROUD, pressed])
    assert [len(asked(pair)) for pair in whole.pairs] == [30] * 4


def test_cells_and_margins_are_rates_with_intervals_and_repeats_count_once(tmp_path):
    grid = from_matrix(played(tmp_path)).sections[0].grid
    assert grid.attackers == ("zero-shot by scripted/curious", "zero-shot by scripted/shy")
    assert [[cell.rate.n for cell in row] for row in grid.cells] == [[30, 30], [30, 30]]
    assert [estimate.n for estimate in (*grid.by_attacker, *grid.by_target)] == [60] * 4
    assert grid.by_attacker[1].clusters == 5
    assert grid.by_target[0].low > 0 == grid.by_target[1].point
    assert grid.cells[0][0].diversity.self_bleu < grid.cells[1][0].diversity.self_bleu


def test_two_targets_are_compared_on_the_questions_they_share(tmp_path):
    section = from_matrix(played(tmp_path)).sections[0]
    assert section.compared == ("scripted/proud", "scripted/modest")
    assert [compared.difference.n for compared in section.comparisons] == [30, 30]
    assert section.comparisons[0].difference.high < 0


def test_a_model_against_itself_is_marked(tmp_path):
    found = played(tmp_path, [Attack(), Attack("zero_shot", PROUD)])
    assert [pair.symmetric for pair in found.pairs] == [True, True, True, False]
    page = render(from_matrix(found))
    assert page.count('<span class="sub">attacks itself</span>') == 3
