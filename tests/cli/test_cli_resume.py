"""Going on with a run that was cut short: killed, interrupted, from elsewhere."""

import json
import os
import time
from pathlib import Path

import pytest

from forked import GADFLY, Forked
from gadfly.corpora import build
from gadfly.models import System, scripted
from gadfly.redteam import Attack, Campaign, focus, judges_for, redteam
from gadfly.runs import Run, Settings, all_runs, open_run

CASES = 300


def start(directory: Path, model: Path, runs: str = "") -> Forked:
    """`gadfly redteam` on a tiny model in a process of its own, once its first cases are on disk."""
    environment = {name: value for name, value in os.environ.items() if name != "GADFLY_RUNS"}
    if runs:
        environment["GADFLY_RUNS"] = runs
    words = [
        "redteam",
        f"gadfly/{model}",
        "--focus",
        "system_prompt",
        "--cases",
        str(CASES),
        "--max-tokens",
        "8",
    ]
    process = Forked(GADFLY, *words, cwd=directory, env=environment)
    home = directory / (runs or "gadfly-runs")
    while process.running and not any(rows(run) for run in all_runs(home)):
        time.sleep(0.05)  # leaves the processor to the run
    assert process.running, process.ended()
    return process


def rows(run: Run) -> int:
    return sum(1 for _ in run.transcripts())


@pytest.mark.parametrize(("runs", "elsewhere"), [("", False), ("kept", True)])
def test_a_killed_run_goes_on_from_any_directory(
    gadfly, tmp_path, tiny_model_dir, runs, elsewhere, monkeypatch
):
    process = start(tmp_path, tiny_model_dir, runs)
    process.kill()
    [cut] = all_runs(tmp_path / (runs or "gadfly-runs"))
    assert cut.status == "interrupted"
    command = cut.info["command"]
    if elsewhere:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
    said = gadfly("resume", cut.path if elsewhere else cut.id)
    resumed = open_run(cut.path)
    assert (said.code, resumed.status, rows(resumed)) == (0, "complete", CASES)
    assert len({transcript.case.id for transcript in resumed.transcripts()}) == CASES
    assert resumed.info["command"] == command


def test_ctrl_c_finishes_what_is_in_flight_says_how_to_resume_and_ends_with_130(
    gadfly, tmp_path, tiny_model_dir
):
    process = start(tmp_path, tiny_model_dir)
    process.interrupt()
    ended, said = process.ended()
    [cut] = all_runs(tmp_path / "gadfly-runs")
    assert (ended, cut.status) == (130, "interrupted")
    assert f"gadfly resume {cut.id}" in said
    assert "Traceback" not in said
    assert 0 < rows(cut) < CASES


def test_retrying_failed_cases_does_not_become_part_of_the_command(gadfly, tmp_path):
    gadfly("redteam", "scripted/x", "--focus", "system_prompt", "--cases", 4)
    [run] = all_runs(tmp_path / "gadfly-runs")
    assert gadfly("resume", run.id, "--retry-failed").code == 0
    assert open_run(run.path).info["command"] == run.info["command"]


def test_a_run_whose_directory_is_gone_says_how_to_go_on(gadfly, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    monkeypatch.setenv("GADFLY_RUNS", str(tmp_path / "kept"))
    gadfly("redteam", "scripted/x", "--focus", "system_prompt", "--cases", 4)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").rmdir()
    [run] = all_runs(tmp_path / "kept")
    said = gadfly("resume", run.id)
    assert said.code == 2
    assert f"GADFLY_RUNS={tmp_path / 'kept'}: gadfly redteam scripted/x" in said.err


async def in_python(directory: Path) -> list[Run]:
    player = System(scripted("Why?"))
    looked_for = focus("persona")
    campaign = Campaign(looked_for, player, judges_for(looked_for), [Attack()], cases=2)
    return await redteam(campaign, Settings(directory=directory, progress=False))


@pytest.mark.anyio
async def test_a_run_started_from_python_says_to_call_the_same_code(gadfly, tmp_path):
    [run] = await in_python(tmp_path / "gadfly-runs")
    said = gadfly("resume", run.id)
    assert said.code == 2
    assert "was started from Python" in said.err
    assert "Call the same code again" in said.err


SPEAKERS = ("--debaters", "scripted/x", "--judge", "scripted/y")
PLAYING = [
    ("redteam", "scripted/x", "--focus", "system_prompt", "--cases", 2),
    ("pressure", "run", "insider_trading", "--model", "scripted/x", "--samples", 2),
    ("evidence", "eval", "--corpus", "book", "--questions", "asked.jsonl", "--model", "scripted/x", "--orders", 0),
    ("debate", "eval", "set.jsonl", "--protocols", "consultancy", *SPEAKERS),
    ("debate", "make", "set.jsonl", "--model", "scripted/x", "-o", "made.jsonl"),
    ("debate", "tournament", "set.jsonl", "--players", "scripted/x,scripted/z", "--judge", "scripted/y",
     "--rounds", 1, "--questions", 1),
]  # fmt: skip


@pytest.fixture
def material(gadfly, tmp_path, monkeypatch):
    """A set of one question, and a corpus of one text."""
    row = {"question": "Who?", "answers": ["Ann", "Bob"], "correct": 0, "document": "Ann did."}
    (tmp_path / "set.jsonl").write_text(json.dumps(row))
    (tmp_path / "asked.jsonl").write_text(json.dumps({"question": "Who?", "answers": ["Ann"]}))
    (tmp_path / "book.txt").write_text("Ann did.")
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    build("book", [tmp_path / "book.txt"])


@pytest.mark.usefixtures("material")
@pytest.mark.parametrize("words", PLAYING, ids=lambda words: " ".join(words[:2]))
def test_every_verb_that_plays_is_gone_on_with(gadfly, tmp_path, words):
    gadfly(*words)
    [made, *_] = all_runs(tmp_path / "gadfly-runs")
    said = gadfly("resume", made.id, "--retry-failed")
    assert "gadfly: " not in said.err and said.code in (0, 1)
    assert open_run(made.path).info["command"] == ["gadfly", *map(str, words)]


def recorded(run: Run, *words: str) -> str:
    """The id of the run as if that command had started it."""
    return run.save(command=["/usr/bin/gadfly", *words]).id


@pytest.mark.parametrize(
    ("words", "more", "sentence"),
    [
        (("debate", "serve", "a b.jsonl"), (), "Serve its page again: gadfly debate serve 'a b.jsonl'"),
        (("debate", "digits"), ("--retry-failed",), "gadfly debate digits cannot play failed cases again"),
    ],
)
def test_a_command_that_cannot_be_given_again_like_this_says_why(gadfly, tmp_path, words, more, sentence):
    gadfly("redteam", "scripted/x", "--focus", "system_prompt", "--cases", 2)
    [run] = all_runs(tmp_path / "gadfly-runs")
    said = gadfly("resume", recorded(run, *words), *more)
    assert said.code == 2
    assert sentence in said.err


@pytest.mark.anyio
async def test_a_run_that_lies_elsewhere_is_gone_on_with_by_its_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("GADFLY_RUNS", str(tmp_path / "runs"))
    [run] = await in_python(tmp_path / "two words")
    assert run.found_by == str(run.path)
    assert Run(tmp_path / "runs" / run.id, {}).found_by == run.id
