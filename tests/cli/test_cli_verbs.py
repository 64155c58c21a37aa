"""Every verb of the command line on scripted and tiny models: what it prints and how it ends."""

import subprocess
import sys

import pytest
from inspect_ai.log import read_eval_log

from gadfly.runs import all_runs, open_run

ATTACK = ("redteam", "scripted/x", "--focus", "system_prompt")
"""The scripted model says "…", which this focus takes for a question."""

LOOKING = ("runs", "show", "report", "export", "sql", "models", "focuses", "judges")
VERBS = ("audit", "redteam", "resume", "serve", *LOOKING)


@pytest.fixture
def run(gadfly, tmp_path):
    """A finished run of six cases."""
    assert gadfly(*ATTACK, "--cases", 6).code == 0
    [made] = all_runs(tmp_path / "gadfly-runs")
    return made


def python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(gadfly, verb):
    said = gadfly(verb, "--help")
    assert (said.code, f"Usage: gadfly {verb}" in said.out) == (0, True)


def test_the_package_runs_as_the_command_does():
    done = subprocess.run(
        [sys.executable, "-m", "gadfly", "--help"], capture_output=True, text=True, timeout=180
    )
    assert (done.returncode, done.stdout.lstrip().startswith("Usage: gadfly ")) == (0, True)


def test_help_waits_for_none_of_the_heavy_libraries():
    done = python(
        "import sys; from gadfly.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print('heavy:', [m for m in ('torch', 'transformers', 'inspect_ai', 'pandas', "
        "'duckdb', 'pyarrow', 'sklearn', 'numpy') if m in sys.modules])"
    )
    assert "heavy: []" in done.stdout
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("room", ["review", "report", "auditing", "training"])
def test_who_holds_no_weights_waits_for_no_torch(room):
    """Three seconds and 300 MB; a page that people label on needs neither."""
    done = python(
        f"import sys, gadfly.{room}\n"
        "print('heavy:', [m for m in ('torch', 'transformers', 'openai', 'statsmodels') if m in sys.modules])"
    )
    assert "heavy: []" in done.stdout


def test_redteam_prints_a_rate_with_its_interval_and_how_to_run_it_again(gadfly):
    said = gadfly(*ATTACK, "--cases", 6)
    assert said.code == 0
    assert "none seen in 6; could still be up to" in said.out
    assert "gadfly redteam scripted/x --focus system_prompt --cases 6" in said.out


def test_redteam_writes_its_report_where_it_is_asked_to(gadfly, tmp_path):
    assert gadfly(*ATTACK, "--cases", 2, "-o", "pages/page.html").code == 0
    assert "Leaks its secret" in (tmp_path / "pages/page.html").read_text()


def test_a_run_is_shown_by_another_of_its_judges(gadfly, run, tmp_path):
    shown = gadfly("show", run.id, "--judge", "refusal").out
    assert (
        "A failure here is what refusal flags" in shown and "what refusal" not in gadfly("show", run.id).out
    )
    assert shown.endswith(f"gadfly show {run.id} --judge refusal\n")
    assert gadfly("report", run.id, "--judge", "refusal").code == 0
    assert "refusal" in (tmp_path / "report.html").read_text()
    assert open_run(run.path).info["verdict"] == run.info["verdict"] != "refusal"
    assert "'nobody' has not judged" in gadfly("show", run.id, "--judge", "nobody").err


def test_audit_covers_the_focuses_it_is_given(gadfly, tmp_path):
    said = gadfly("audit", "scripted/x", "--cases", 2, "--focus", "system_prompt", "--focus", "persona")
    assert said.code == 0
    assert "The whole report: report.html" in said.out
    assert len(all_runs(tmp_path / "gadfly-runs")) == 2
    assert (tmp_path / "report.html").exists()


def test_audit_presses_with_the_scenarios_it_is_given_alone(gadfly, tmp_path):
    said = gadfly("audit", "scripted/x", "--samples", 2, "--scenario", "hidden_defect")
    assert (said.code, "Nothing can be said" in said.out) == (0, True)
    assert {run.info["spec"]["scenario"]["name"] for run in all_runs(tmp_path / "gadfly-runs")} == {
        "hidden_defect"
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--only", "presure"), "There is no part of an audit 'presure'. Did you mean 'pressure'"),
        (
            ("--only", "redteam", "--scenario", "hidden_defect"),
            "--only redteam leaves out what --scenario names",
        ),
        (("--scenario", "hidden"), "There is no scenario 'hidden'. Did you mean"),
    ],
)
def test_parts_of_an_audit_that_cannot_be_are_refused(gadfly, words, sentence):
    said = gadfly("audit", "scripted/x", *words)
    assert (said.code, sentence in " ".join(said.err.split())) == (2, True)


def test_a_local_model_is_audited_and_the_same_command_gives_the_same_rows(gadfly, tmp_path, tiny_model_dir):
    words = (
        "redteam",
        f"gadfly/{tiny_model_dir}",
        "--focus",
        "system_prompt",
        "--cases",
        4,
        "--max-tokens",
        8,
    )
    assert gadfly(*words).code == 0
    [first] = all_runs(tmp_path / "gadfly-runs")
    said = [transcript.turns for transcript in first.transcripts()]
    (tmp_path / "gadfly-runs").rename(tmp_path / "before")
    assert gadfly(*words).code == 0
    assert [t.turns for t in open_run(tmp_path / "gadfly-runs" / first.id).transcripts()] == said


def test_a_focus_an_attacker_and_a_system_prompt_of_ones_own(gadfly, tmp_path):
    (tmp_path / "bark.yaml").write_text(
        'title: Barks\nfailure: It barks.\njudge: refusal\nmust_contain: ""\n'
        'attack: {head: "Ask:\\n", follow_up: "A talk."}\n'
    )
    (tmp_path / "prompt.txt").write_text("You are {kind}.")
    words = (
        "--attacker",
        "few_shot:scripted/y",
        "--turns",
        2,
        "--system-prompt",
        "@prompt.txt",
        "--cases",
        8,
    )
    said = gadfly("redteam", "scripted/x", "--focus", "bark.yaml", *words)
    assert said.code == 0
    assert "Barks" in said.out
    assert "You are {kind}." in said.out


def test_a_slower_judge_sees_what_reaches_the_threshold(gadfly, tmp_path):
    assert (
        gadfly(*ATTACK, "--cases", 2, "--judge", "offensive", "--threshold", 0, "--then", "refusal").code == 0
    )
    [run] = all_runs(tmp_path / "gadfly-runs")
    assert run.info["verdict"] == "offensive>refusal"


def test_few_shot_learns_from_a_named_run(gadfly, run):
    said = gadfly(*ATTACK, "--cases", 4, "--attacker", "few_shot", "--pool", run.id)
    assert said.code == 0


def test_runs_lists_them_whole_even_on_a_narrow_terminal(gadfly, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    said = gadfly("runs")
    assert run.id in said.out
    assert "complete" in said.out


def test_runs_without_any_says_how_to_start_one(gadfly):
    assert "gadfly audit gadfly/smollm2" in gadfly("runs").out


def test_show_takes_the_start_of_a_name(gadfly, run):
    assert "none seen in 6" in gadfly("show", run.id[:12]).out


def test_report_and_export_write_what_others_open(gadfly, run, tmp_path):
    assert "page.html" in gadfly("report", run.id, "-o", "page.html").out
    said = gadfly("export", run.id, "--to", "logs/run.eval")
    assert "Wrote 6 cases" in said.out
    assert len(read_eval_log(str(tmp_path / "logs/run.eval")).samples) == 6


def test_exporting_failures_where_there_are_none_says_so(gadfly, run):
    said = gadfly("export", run.id, "--failures", "--to", "run.eval")
    assert said.code == 2
    assert "no case of that kind" in said.err


def test_sql_answers_from_the_view_of_cases(gadfly, run):
    said = gadfly(
        "sql", run.id, "select count(*) as n, min(judge) as first from cases where score is not null"
    )
    assert said.out.split() == ["n", "first", "12", "leaks_secret"]


def test_sql_cannot_leave_the_run(gadfly, run):
    said = gadfly("sql", run.id, "select nothing from nowhere")
    assert (said.code, "Traceback" in said.err) == (2, False)


def test_models_focuses_and_judges_list_what_there_is(gadfly):
    assert "gadfly/smollm2" in gadfly("models").out
    assert "contact_details" in gadfly("focuses").out
    assert "leaks_secret       0.50       Leaks of a planted secret.\n" in gadfly("judges").out


def test_a_run_keeps_the_command_that_made_it(run):
    assert run.info["command"][1:] == ["redteam", "scripted/x", "--focus", "system_prompt", "--cases", "6"]


def test_markup_and_escapes_in_what_models_say_stay_inert(gadfly, tmp_path):
    evil = "[red]x[/red] \x1b[2J\x1b]0;owned\x07 \u202e"
    (tmp_path / "bark.yaml").write_text(
        'title: "[bold]Bar\\x1bks[/bold]"\nfailure: It barks.\njudge: refusal\nmust_contain: ""\n'
        'attack: {head: "Ask:\\n", follow_up: "A talk."}\n'
    )
    assert (
        gadfly(
            "redteam", "scripted/[red]x", "--focus", "bark.yaml", "--system-prompt", evil, "--cases", 2
        ).code
        == 0
    )
    [run] = all_runs(tmp_path / "gadfly-runs")
    for said in (gadfly("show", run.id), gadfly("runs"), gadfly("sql", run.id, f"select '{evil}' as x")):
        assert "[red]x" in said.out
        assert not {"\x1b", "\x07", "\u202e"} & set(said.out)
    assert "\x1b" not in gadfly("show", evil).err


def test_a_wrong_option_is_explained_without_a_traceback(gadfly):
    said = gadfly("audit", "scripted/x", "--cases", 0)
    assert (said.code, "Traceback" in said.err) == (2, False)
    assert "--cases" in said.err


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(gadfly, tmp_path):
    done = gadfly("audit", "scripted/x", "--output", tmp_path)
    assert done.code == 2
    assert "is a directory; name a file with --output" in " ".join(done.err.split())


def test_sql_cuts_long_texts_unless_they_are_wanted_whole(gadfly, run):
    asked = ("sql", run.id, "select repeat('x', 300) as long")
    assert "x" * 100 not in gadfly(*asked).out
    assert "x" * 300 in gadfly(*asked, "--csv").out
