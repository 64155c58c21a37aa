"""The command line: one file per verb. Verbs only parse, call and print.

A `GadflyError` is printed as its one sentence and ends with status 2; Ctrl-C ends with 130; a bug keeps its traceback.
"""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from gadfly.cli import (
    _ask,
    _audit,
    _corpus,
    _curves,
    _debate,
    _debate_digits,
    _debate_serve,
    _debate_slope,
    _debate_tournament,
    _evidence,
    _evidence_train,
    _judge,
    _lists,
    _models,
    _pressure,
    _rate,
    _redteam,
    _review,
    _reward,
    _runs,
    _train,
    _train_debater,
)
from gadfly.errors import GadflyError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find out whether a language model can be trusted.",
)
app.command("audit")(_audit.audit)
app.command("redteam")(_redteam.redteam)
app.add_typer(_pressure.app, name="pressure")
app.command("ask")(_ask.ask)
app.add_typer(_evidence.app, name="evidence")
_evidence.app.command("train")(_evidence_train.train)
app.add_typer(_debate.app, name="debate")
_debate.app.command("tournament")(_debate_tournament.tournament)
_debate.app.command("serve")(_debate_serve.serve)
_debate.app.command("slope", context_settings={"ignore_unknown_options": True})(_debate_slope.slope)
_debate.app.command("digits")(_debate_digits.digits)
app.command("runs")(_runs.runs)
app.command("show")(_runs.show)
app.command("report")(_runs.report)
app.command("export")(_runs.export)
app.command("resume")(_runs.resume)
app.command("sql")(_runs.sql)
app.add_typer(_review.app, name="review")
app.add_typer(_corpus.app, name="corpus")
app.add_typer(_judge.app, name="judge")
_judge.app.command("curves")(_curves.curves)
app.add_typer(_train.app, name="train")
_train.app.command("reward")(_reward.train)
_train.app.command("debater")(_train_debater.debater)
app.command("score")(_reward.score)
app.command("rate")(_rate.rate)
app.command("ask-next")(_rate.ask_next)
app.command("models")(_models.models)
app.command("serve")(_models.serve)
app.command("focuses")(_lists.focuses)
app.command("judges")(_lists.judges)


def main() -> None:
    """The `gadfly` command."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app(prog_name="gadfly")
    except GadflyError as error:
        told = " ".join([str(error), *getattr(error, "__notes__", ())])
        words = "".join(char if char.isprintable() else " " for char in f"gadfly: {told}")
        Console(stderr=True).print(
            words, style="red", markup=False, emoji=False, highlight=False, soft_wrap=True
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
