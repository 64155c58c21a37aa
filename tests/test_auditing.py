"""The whole audit: every focus, one report, from Python."""

import asyncio
import inspect

import pytest

import gadfly
from gadfly.auditing import SAMPLING, Plan, audit, audit_async
from gadfly.cli import _audit
from gadfly.errors import InputError, UnknownNameError
from gadfly.models import System, scripted
from gadfly.redteam import focus, known_focuses
from gadfly.runs import Settings

READY = [name for name in known_focuses() if focus(name).ready]


def talk(messages, seed):
    return f"Why is number {(seed or 0) % 9} so?"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("GADFLY_RUNS", str(tmp_path / "runs"))


def test_an_audit_covers_every_focus_and_writes_one_page(tmp_path):
    done = gadfly.audit(System(scripted(talk)), cases=3)
    assert [run.info["spec"]["focus"]["name"] for run in done.runs] == READY
    assert len(done.report.sections[0].rows) == len(READY)
    assert done.write(tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_the_same_audit_again_asks_nothing():
    calls = []
    target = System(scripted(lambda messages, seed: calls.append(seed) or talk(messages, seed)))
    first = audit(target, cases=2)
    asked = len(calls)
    assert [run.id for run in audit(target, cases=2).runs] == [run.id for run in first.runs]
    assert len(calls) == asked


def test_python_and_the_command_sample_the_target_alike():
    options = inspect.signature(_audit.audit).parameters
    assert {
        name: options[name].default for name in ("temperature", "top_p", "max_tokens")
    } == SAMPLING.model_dump(exclude_none=True)
    assert options["cases"].default == inspect.signature(audit).parameters["cases"].default


def test_a_plan_may_name_its_focuses(tmp_path):
    plan = Plan(System(scripted(talk)), focuses=(focus("persona"),), cases=2)
    done = asyncio.run(audit_async(plan, Settings(directory=tmp_path, progress=False)))
    assert [row.focus for row in done.report.sections[0].rows] == [focus("persona").title]


async def _inside():
    return audit("scripted/x")


def test_within_an_event_loop_one_is_told_to_await():
    with pytest.raises(InputError, match=r"await gadfly\.audit_async"):
        asyncio.run(_inside())


@pytest.mark.parametrize(("target", "attacker"), [("nowhere/x", "zero_shot"), ("scripted/x", "zeroshot")])
def test_names_are_checked_before_anything_runs(target, attacker, tmp_path):
    with pytest.raises(UnknownNameError):
        audit(target, attacker=attacker)
    assert not (tmp_path / "runs").exists()
