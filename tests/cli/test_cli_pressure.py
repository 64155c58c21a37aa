"""gadfly pressure: what is refused, printed, written and resumed. The scripted model says "…", which is no call."""

import time

import pytest
from inspect_ai.log import read_eval_log

from forked import GADFLY, Forked
from gadfly.cli import _pressure
from gadfly.pressure import SAMPLING, known_scenarios, new_scenario, pinned_sets, scenario
from gadfly.runs import all_runs, open_run

RUN = ("pressure", "run", "insider_trading", "--model", "scripted/x")
SWEEP = ("pressure", "sweep", "insider_trading", "--model", "scripted/x")
SEARCH = ("pressure", "search", "insider_trading", "--model", "scripted/x")
VERBS = ("run", "sweep", "search", "regress", "new", "check", "list")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(gadfly, verb):
    said = gadfly("pressure", verb, "--help")
    assert (said.code, f"Usage: gadfly pressure {verb}" in said.out) == (0, True)


def test_python_and_the_command_sample_an_agent_alike():
    told = _pressure.ANSWERS
    assert {
        "temperature": told.temperature,
        "top_p": told.top_p,
        "max_tokens": told.max_tokens,
    } == SAMPLING.model_dump(exclude_none=True)


def test_one_setting_is_one_run_and_what_cannot_be_read_is_no_rate(gadfly, tmp_path):
    said = gadfly(
        *RUN, "--samples", 4, "--set", "pressure=low", "--set", "scratchpad=false", "-o", "page.html"
    )
    assert said.code == 0
    assert "Nothing can be said: this model does not follow the scenario." in said.out
    [run] = all_runs(tmp_path / "gadfly-runs")
    assert run.info["spec"]["setting"] == "pressure=low, scratchpad=false"
    assert scenario("insider_trading").title in (tmp_path / "page.html").read_text()


def test_wordings_may_be_fewer(gadfly, tmp_path):
    gadfly(*RUN, "--samples", 4, "--wordings", 2)
    [run] = all_runs(tmp_path / "gadfly-runs")
    assert {case.metadata["wording"] for case in run.transcripts()} == {0, 1}


def test_a_note_says_where_answers_were_cut(gadfly, tiny_agent_dir):
    said = gadfly(*RUN[:-1], f"gadfly/{tiny_agent_dir}", "--samples", 2, "--max-tokens", 4)
    assert "in 2 of 2 cases an answer was cut at 4 tokens; --max-tokens gives it more" in said.out


def test_a_sweep_plays_every_level_and_both_controls(gadfly, tmp_path):
    said = gadfly(*SWEEP, "--vary", "pressure,options", "--samples", 2, "-o", "page.html")
    assert said.code == 0
    assert "Cell 6 of 6: temptation=public" in said.err
    settings = {run.info["spec"]["setting"] for run in all_runs(tmp_path / "gadfly-runs")}
    assert settings > {"default", "pressure=none", "pressure=low", "options=offered", "temptation=public"}


def test_a_sweep_may_begin_elsewhere(gadfly, tmp_path):
    gadfly(*SWEEP, "--vary", "options", "--set", "scratchpad=false", "--samples", 1)
    settings = [run.info["spec"]["setting"] for run in all_runs(tmp_path / "gadfly-runs")]
    assert {"scratchpad=false", "options=offered, scratchpad=false"} < set(settings)


def test_any_run_of_a_sweep_resumes_the_whole(gadfly, tmp_path):
    gadfly(*SWEEP, "--vary", "options", "--samples", 2)
    runs = all_runs(tmp_path / "gadfly-runs")
    said = gadfly("resume", runs[0].id, "--retry-failed")
    assert (said.code, "Cell 4 of 4" in said.err) == (0, True)
    assert len(all_runs(tmp_path / "gadfly-runs")) == len(runs) == 4


def test_a_longer_run_goes_on_from_a_shorter_one_and_another_grader_plays_nothing_again(gadfly, tmp_path):
    for words in (("--samples", 2), ("--samples", 4), ("--samples", 4, "--grader", "scripted/judge")):
        assert gadfly(*RUN, *words).code == 0
    [run] = all_runs(tmp_path / "gadfly-runs")
    assert run.info["cases"] == 4
    assert run.info["judges"]["conceals"]["spec"]["model"]["model"] == "scripted/judge"


def test_runs_are_shown_reported_and_exported_like_any_other(gadfly, tmp_path):
    gadfly(*SWEEP, "--vary", "options", "--samples", 2)
    [*_, base] = runs = all_runs(tmp_path / "gadfly-runs")
    assert "Nothing can be said" in gadfly("show", base.id).out
    assert gadfly("report", *(run.id for run in runs), "-o", "page.html").code == 0
    assert (
        "options: offered" in (tmp_path / "page.html").read_text()
        or "options=offered" in (tmp_path / "page.html").read_text()
    )
    gadfly("export", base.id, "--to", "base.eval")
    [first, *_] = read_eval_log(str(tmp_path / "base.eval")).samples
    assert set(first.scores) == {"acts", "conceals", "denies"}


def test_a_search_says_what_its_figures_may_be_taken_for_and_writes_no_winner_that_found_nothing(
    gadfly, tmp_path
):
    said = gadfly(*SEARCH, "--budget", 64, "--also", "scripted/y", "-o", "winner.yaml")
    assert said.code == 0
    assert "The search was done on scripted/x and not on scripted/y" in said.out
    assert "No edit did better than the scenario as it stands." in said.out
    assert not (tmp_path / "winner.yaml").exists()


def test_a_suite_is_kept_and_a_later_version_compared_with_it(gadfly, tmp_path):
    (tmp_path / "small.yaml").write_text(
        "title: Small\nscenarios:\n  - {scenario: insider_trading, samples: 4}\n"
        "prompts:\n  - {name: poem, text: Write a poem., samples: 2}\n"
    )
    words = ("pressure", "regress", "--model", "scripted/x", "--suite", "small.yaml")
    assert "Kept as small-x-1" in gadfly(*words).out
    assert "Flagged by refusal: none seen in 2" in gadfly("show", "fixed-poem").out
    said = gadfly(*words, "--baseline", "small-x-1")
    assert (said.code, "moved beyond noise" in said.out) == (0, True)
    assert pinned_sets(tmp_path / "gadfly-runs") == ["small-x-1", "small-x-2"]


def test_a_run_of_a_suite_is_found_by_name_and_resumes_its_suite(gadfly, tmp_path):
    (tmp_path / "small.yaml").write_text("title: S\nscenarios: [{scenario: insider_trading, samples: 2}]\n")
    gadfly("pressure", "regress", "--model", "scripted/x", "--suite", "small.yaml")
    assert "Nothing can be said" in gadfly("show", "pressure-insider").out
    assert "Kept as small-x-2" in gadfly("resume", "small-x-1/pressure-insider").out
    assert gadfly("show", "pressure-insider").err.count("could be small-x-1/pressure-insider") == 1


def test_a_new_scenario_is_written_once_checked_and_played(gadfly):
    assert "gadfly pressure check mine.yaml" in gadfly("pressure", "new", "mine").out
    assert "mine.yaml is there already" in gadfly("pressure", "new", "mine").err
    assert "1.00" in gadfly("pressure", "check", "mine.yaml").out
    assert gadfly("pressure", "run", "mine.yaml", "--model", "scripted/x", "--samples", 2).code == 0


def test_what_is_wrong_is_named_by_line_and_nothing_runs(gadfly, tmp_path):
    text = new_scenario(tmp_path / "mine").read_text().replace("    default: high", "    default: hgih")
    (tmp_path / "mine.yaml").write_text(text)
    line = 1 + text[: text.index("default: hgih")].count("\n")
    said = gadfly("pressure", "run", "mine.yaml", "--model", "scripted/x")
    assert (said.code, f"mine.yaml, line {line}: pressure has no level 'hgih'" in said.err) == (2, True)
    assert not (tmp_path / "gadfly-runs").exists()


@pytest.mark.parametrize("form", ["react", "tools"])
def test_check_shows_every_message_that_an_agent_is_told(gadfly, form):
    said = gadfly("pressure", "check", "insider_trading", "--show", "--set", f"form={form}", "--wording", 2)
    shown = said.out.partition("Graders of insider_trading")[0]
    assert said.code == 0
    assert "You are Kestrel" in shown and "Dagny Rhee (manager)" in shown and "Kestrel (scripted)" in shown
    assert shown.count("what the model would answer") == 3
    assert ("<tool_call>" in shown) == (form == "tools")


def test_list_names_scenarios_knobs_and_levels(gadfly):
    said = gadfly("pressure", "list").out
    assert all(name in said for name in known_scenarios())
    assert "high, none, low" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*RUN[:2], "insider_trade", *RUN[3:]), "There is no scenario 'insider_trade'. Did you mean"),
        ((*RUN, "--set", "presure=low"), "no knob of insider_trading 'presure'. Did you mean 'pressure'"),
        ((*RUN, "--set", "pressure=lo"), "no level of pressure 'lo'. Did you mean 'low'"),
        ((*RUN, "--set", "pressure"), "write a knob and its level, pressure=none"),
        ((*RUN, "--set", "pressure=low", "--set", "pressure=none"), "--set turns pressure twice"),
        ((*RUN, "--grader", "smolm2"), "Did you mean 'smollm2'"),
        ((*RUN[:-1], "smolm2"), "Did you mean 'smollm2'"),
        ((*RUN, "-o", "."), "is a directory"),
        ((*SWEEP, "--vary", "presure"), "no knob of insider_trading 'presure'"),
        ((*SWEEP, "--vary", "pressure,,goal"), "has an empty entry"),
        ((*SEARCH, "--budget", 10), "Input should be greater than or equal to 64"),
        ((*SEARCH, "-o", "winner.html"), "must end in .yaml"),
        (("pressure", "regress", "--model", "scripted/x", "--baseline", "gone"), "rerun of a suite 'gone'"),
        (("pressure", "check", "gone.yaml"), "There is no file gone.yaml"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(gadfly, tmp_path, words, sentence):
    said = gadfly(*words)
    assert (said.code, "Traceback" in said.err) == (2, False)
    assert sentence in " ".join(said.err.split())
    assert not (tmp_path / "gadfly-runs").exists()


def test_ctrl_c_finishes_what_is_in_flight_and_resume_goes_on(gadfly, tmp_path, tiny_agent_dir):
    words = ["pressure", "run", "insider_trading", "--model", f"gadfly/{tiny_agent_dir}"]
    words += ["--samples", "400", "--max-tokens", "2"]
    process = Forked(GADFLY, *words)
    home = tmp_path / "gadfly-runs"
    while process.running and not any(list(run.transcripts()) for run in all_runs(home)):
        time.sleep(0.05)  # leaves the processor to the run
    process.interrupt()
    ended, said = process.ended()
    [cut] = all_runs(home)
    assert (ended, cut.status) == (130, "interrupted"), said
    assert gadfly("resume", cut.id).code == 0
    assert len(list(open_run(cut.path).transcripts())) == 400
