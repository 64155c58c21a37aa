"""gadfly runs, show, report, export, resume, sql: what has been run, and what to do with it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.runs import Run

SERVING = (["debate", "serve"],)
"""The verbs whose runs wait for people, so that only the page itself goes on with them."""

RUNS = Annotated[list[str], typer.Argument(help="Run ids, the starts of them, or directories.")]


def runs() -> None:
    """List the runs under $GADFLY_RUNS or ./gadfly-runs, newest first."""
    from gadfly.pages import visible
    from gadfly.runs import all_runs, home

    found = all_runs()
    if not found:
        typer.echo(f"No runs in {home()} yet. Start one: gadfly audit gadfly/smollm2")
        return
    rows = [("run", "models", "cases", "status", "started")]
    for run in found:
        started = run.info["started"][:16].replace("T", " ")
        rows.append((run.id, visible(_played(run)), str(run.info["cases"]), run.status, started))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:  # as wide as it is: a name one cannot copy is none
        typer.echo("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


def _played(run: Run) -> str:
    """The model under audit; where there is none, who plays and who decides."""
    from gadfly.debate._people import argued_by, decided_by

    players, verdict = run.info["players"], run.info.get("verdict", "")
    if "target" in players:
        return str(players["target"].get("model", ""))
    models = argued_by(run) or dict.fromkeys(str(one.get("model", "")) for one in players.values())
    return ", ".join(filter(None, [*models, decided_by(run) or verdict]))


def show(run: o.RUN, judge: o.JUDGE = "") -> None:
    """A run's numbers in the terminal."""
    from rich.console import Console

    from gadfly.report import from_runs, print_summary

    print_summary(from_runs([_told_by(run, judge)]), Console())


def report(runs: RUNS, judge: o.JUDGE = "", output: o.OUTPUT = Path("report.html")) -> None:
    """One HTML file from one or several runs; two runs of one focus are compared."""
    from gadfly.report import from_runs, write

    write(from_runs([_told_by(run, judge) for run in runs]), output)
    typer.echo(f"Written: {output}")


def _told_by(name: str, judge: str) -> Run:
    """A run with its rates up to date and this judge's verdicts as those that count."""
    from gadfly.errors import InputError
    from gadfly.runs import open_run

    run = open_run(name)
    if judge and run.info["spec"].get("game") in ("quoting", "pressing"):
        raise InputError(f"Each figure of run {run.id} has a judge of its own: leave out --judge.")
    return o.re_estimated(run.as_judged_by(judge)).as_judged_by(judge)


def export(
    run: o.RUN,
    to: Annotated[Path, typer.Option(help="The .eval file to write.")],
    failures: Annotated[bool, typer.Option("--failures", help="Only the cases judged a failure.")] = False,
) -> None:
    """Write a run's cases as an Inspect log: inspect view, Scout and read_eval_log open it."""
    from gadfly.redteam import is_failure
    from gadfly.runs import export as write
    from gadfly.runs import open_run

    opened = open_run(run)
    count = write(opened, to, is_failure(opened) if failures else None)
    typer.echo(f"Wrote {count} cases to {to}. Look at them: inspect view --log-dir {to.parent}")


def resume(
    run: o.RUN,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Play failed cases again.")] = False,
) -> None:
    """Go on with a run: the command that started it, again, in the directory it was started in."""
    from gadfly.cli import app
    from gadfly.errors import InputError
    from gadfly.runs import open_run

    opened = open_run(run)
    command, directory = _command(opened, retry_failed), opened.info["directory"]
    home = opened.path.resolve().parent
    os.environ["GADFLY_RUNS"] = str(home.parent if (home / "suite.json").exists() else home)
    try:
        os.chdir(directory)
    except OSError as error:
        raise InputError(
            f"Run {opened.id} was started in {directory}, which cannot be entered ({error.strerror}). Give the same "
            f"command elsewhere, with GADFLY_RUNS={os.environ['GADFLY_RUNS']}: {shlex.join(['gadfly', *command[1:]])}"
        ) from error
    sys.argv = command  # what the run remembers as the command that made it
    app([*command[1:], *(["--retry-failed"] if retry_failed else [])], prog_name="gadfly")


def _command(run: Run, retry_failed: bool) -> list[str]:
    """The command that started a run. Raises `InputError` where it cannot be given again like this."""
    from gadfly.errors import InputError

    command: list[str] = run.info["command"]
    if not command[1:] or Path(command[0]).name != "gadfly":
        raise InputError(
            f"Run {run.id} was started from Python, by {' '.join(command) or 'a session'}. Call the same code "
            "again: it goes on."
        )
    if command[1:3] in SERVING:
        raise InputError(
            f"Run {run.id} waits for people. Serve its page again: {shlex.join(['gadfly', *command[1:]])}"
        )
    if retry_failed and not _retries(command[1:]):
        raise InputError(
            f"gadfly {' '.join(command[1:3])} cannot play failed cases again: leave out --retry-failed."
        )
    return command


def _retries(words: list[str]) -> bool:
    """Whether the verb that a command begins with takes --retry-failed."""
    from gadfly.cli import app

    verb = typer.main.get_command(app)
    for word in words[:2]:
        verb = getattr(verb, "commands", {}).get(word, verb)
    return any("--retry-failed" in option.opts for option in verb.params)


def sql(
    run: o.RUN,
    query: Annotated[str, typer.Argument(help="Over transcripts, judgements and cases.")],
    csv: Annotated[bool, typer.Option("--csv", help="Whole texts, as CSV.")] = False,
) -> None:
    """Ask DuckDB about a run: transcripts, judgements, and the view cases (a row per case and judge).

    Texts are cut to fit; --csv gives them whole.
    """
    from gadfly.pages import visible
    from gadfly.runs import open_run

    found = open_run(run).sql(query)
    typer.echo(visible(found.to_csv(index=False) if csv else found.to_string(index=False, max_colwidth=80)))
