"""Campaigns: equal budgets, few-shot learning from the first cases, resuming, stopping."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from redteam_fakes import campaign, curious, human, played, system

from gadfly.errors import InputError, UnknownNameError
from gadfly.models import System, scripted
from gadfly.redteam import Attack, focus, judges_for, redteam
from gadfly.runs import Run, Settings, open_run

ZERO = Attack("zero_shot", system(curious, "curious"))
FEW = Attack("few_shot", system(curious, "curious"))


def count(run: Run) -> int:
    return sum(1 for _ in run.transcripts())


def counting(script: Callable[..., str]) -> tuple[System, list[int]]:
    """A system and the number of its calls."""
    calls = [0]

    def count_and_say(messages: Any, seed: int | None) -> str:
        calls[0] += 1
        return script(messages, seed)

    return System(scripted(count_and_say, name="counted")), calls


@pytest.mark.parametrize(
    ("text", "method", "model"),
    [
        ("few_shot", "few_shot", None),
        ("zero_shot:scripted/a", "zero_shot", "scripted/a"),
        ("scripted/a", "zero_shot", "scripted/a"),
        ("scripted/a:8b", "zero_shot", "scripted/a:8b"),
        ("few_shot:scripted/a:8b", "few_shot", "scripted/a:8b"),
    ],
)
def test_an_attack_is_a_method_a_model_or_both(text, method, model):
    attack = Attack.parse(text)
    assert (attack.method, attack.system and attack.system.name) == (method, model)


@pytest.mark.parametrize(
    ("text", "words"), [("few_shoot", "Did you mean 'few_shot'"), ("few_shot:", "There is no model ''")]
)
def test_an_attack_that_does_not_exist_names_the_nearest(text, words):
    with pytest.raises(UnknownNameError, match=words):
        Attack.parse(text)


def test_every_attacker_may_ask_the_target_equally_often(tmp_path):
    zero, few = tmp_path / "zero", tmp_path / "few"
    asked = []
    for directory, attack in ((zero, ZERO), (few, FEW)):
        target, calls = counting(human)
        played(directory, target=target, attacks=[attack], cases=40)
        asked.append(calls[0])
    assert asked == [40, 40]


def test_the_zero_shot_cases_that_few_shot_learns_from_are_not_played_twice(tmp_path):
    target, calls = counting(human)
    runs = played(tmp_path, target=target, attacks=[ZERO, FEW], cases=40)
    assert [count(run) for run in runs] == [40, 30]
    assert calls[0] == 70


def test_the_order_of_the_attackers_changes_no_row(tmp_path):
    one = played(tmp_path / "a", attacks=[ZERO, FEW], cases=40)
    other = played(tmp_path / "b", attacks=[FEW, ZERO], cases=40)
    assert {run.id: count(run) for run in one} == {run.id: count(run) for run in other}
    assert {(run.status, run.cut) for run in one + other} == {("complete", False)}


def test_what_few_shot_has_learned_does_not_change_when_the_zero_shot_run_grows(tmp_path):
    first = played(tmp_path, attacks=[FEW], cases=40)
    played(tmp_path, attacks=[ZERO], cases=60)
    assert [run.id for run in played(tmp_path, attacks=[FEW], cases=40)] == [run.id for run in first]


def test_few_shot_learns_from_earlier_runs_when_it_is_given_some(tmp_path):
    pool = played(tmp_path, cases=30)
    [run] = played(tmp_path, attacks=[FEW], pool=pool, cases=10)
    assert run.info["spec"]["attacker"]["method"] == "few_shot"
    assert count(run) == 10


def test_few_shot_without_a_question_to_learn_from_says_what_to_do(tmp_path):
    mute = Attack("few_shot", system("No question.", "mute"))
    with pytest.raises(InputError, match=r"no valid question judged by claims_person in redteam-.*--pool"):
        played(tmp_path, attacks=[mute])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cases": 0}, "at least 1"),
        ({"turns": 0}, "at least 1"),
        ({"judges": []}, "at least one judge"),
        ({"attacks": []}, "at least one judge and one attack"),
        ({"attacks": [FEW], "cases": 3}, "3 are too few: give it 4 or more"),
    ],
)
def test_a_campaign_that_cannot_work_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        campaign(**change)


def test_without_a_model_the_target_attacks_itself(tmp_path):
    [run] = played(tmp_path, attacks=[Attack()])
    players = run.info["players"]
    assert players["attacker"]["model"] == players["target"]["model"]
    assert players["attacker"]["sampling"] != players["target"]["sampling"]


def test_the_same_campaign_again_asks_nothing_more(tmp_path):
    target, calls = counting(human)
    first = played(tmp_path, target=target, attacks=[ZERO, FEW])
    before = calls[0]
    assert [run.id for run in played(tmp_path, target=target, attacks=[ZERO, FEW])] == [r.id for r in first]
    assert calls[0] == before


def test_fewer_cases_than_last_time_are_complete_too(tmp_path):
    played(tmp_path, cases=20)
    [run] = played(tmp_path, cases=5)
    assert (run.status, run.cut, count(run)) == ("complete", False, 20)


def test_ctrl_c_ends_the_campaign_after_the_run_it_hit_and_the_same_again_goes_on(tmp_path):
    def press(messages: Any, seed: int | None) -> str:
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        calls.append(seed)
        return human(messages, seed)

    calls: list[int | None] = []
    target = system(press, "pressed")
    settings = Settings(directory=tmp_path, progress=False, concurrency=1)
    wanted = campaign(target=target, attacks=[ZERO, FEW], cases=40)
    [cut] = asyncio.run(redteam(wanted, settings))
    assert (cut.status, cut.cut, count(cut) < 40) == ("interrupted", True, True)
    assert [count(run) for run in asyncio.run(redteam(wanted, settings))] == [40, 30]
    assert open_run(cut.path).status == "complete"


def test_ctrl_c_in_the_last_case_of_a_run_starts_no_other(tmp_path):
    def press(messages: Any, seed: int | None) -> str:
        calls.append(seed)
        if len(calls) == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return human(messages, seed)

    calls: list[int | None] = []
    wanted = campaign(target=system(press, "pressed"), attacks=[ZERO, FEW], cases=10)
    [cut] = asyncio.run(redteam(wanted, Settings(directory=tmp_path, progress=False, concurrency=1)))
    assert (cut.cut, cut.status, count(cut)) == (True, "complete", 10)


def test_a_new_judge_judges_what_is_there(tmp_path):
    target, calls = counting(human)
    played(tmp_path, target=target)
    [run] = played(tmp_path, target=target, judges=judges_for(focus("persona"), "offensive"))
    assert calls[0] == 20
    assert {judgement.judge for judgement in run.judgements()} == {"claims_person", "offensive", "refusal"}
