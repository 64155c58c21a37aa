"""The options that several verbs share, and what is built from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gadfly.models import System
    from gadfly.review import Store
    from gadfly.runs import Run
    from gadfly.stats import Estimate

MODEL = Annotated[
    str, typer.Argument(help="The target: gadfly/smollm2, openai/gpt-4.1-mini, any Inspect model.")
]
CASES = Annotated[int, typer.Option(min=1, help="Cases per focus and attacker.")]
SEED = Annotated[int, typer.Option(help="The same seed gives the same rows on the same machine.")]
TURNS = Annotated[int, typer.Option(min=1, help="Questions per case; the attacker sees the replies.")]
SYSTEM = Annotated[str, typer.Option(help="The target's system prompt, or @FILE.")]
TEMPERATURE = Annotated[float, typer.Option(min=0.0, max=2.0, help="The target's temperature.")]
TOP_P = Annotated[float, typer.Option(min=0.0, max=1.0, help="The target's nucleus.")]
MAX_TOKENS = Annotated[int, typer.Option(min=1, help="The longest reply, in tokens.")]
CONCURRENCY = Annotated[int | None, typer.Option(min=1, help="Cases in flight against a remote model.")]
RETRY_FAILED = Annotated[
    bool, typer.Option("--retry-failed", help="Play the failed cases of this run again.")
]
OUTPUT = Annotated[Path, typer.Option("--output", "-o", help="Where the report goes.")]
STORE = Annotated[
    str,
    typer.Option(
        help="Where labels are kept: a database URL. Default: $GADFLY_REVIEW or gadfly-review.db here."
    ),
]
JUDGE = Annotated[str, typer.Option(help="The judge. Default: the one that decided the run.")]
LABELS = Annotated[str, typer.Option(help="The queue whose labels count.")]
POLICY = Annotated[
    str,
    typer.Option(help="uniform, stratified, threshold, total, epistemic, bald, or a mixture: uniform:0.5+threshold:0.5."),
]
RUN = Annotated[str, typer.Argument(help="A run's id, the start of it, or its directory.")]


def target(model: str, system_prompt: str, temperature: float, top_p: float, max_tokens: int) -> System:
    """The system under test."""
    from inspect_ai.model import GenerateConfig

    from gadfly.errors import InputError
    from gadfly.models import System
    from gadfly.models import model as load

    if system_prompt.startswith("@"):
        path = Path(system_prompt[1:])
        try:
            system_prompt = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"The system prompt {path} is not text in UTF-8.") from error
        except OSError as error:
            raise InputError(f"The system prompt {path} cannot be read ({error.strerror}).") from error
    sampling = GenerateConfig(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    return System(load(model), system_prompt or None, sampling)


def check_output(path: Path) -> None:
    """Refuse a report path that cannot be written before hours are spent on what goes into it."""
    from gadfly.errors import InputError

    if path.is_dir():
        raise InputError(f"{path} is a directory; name the report's file with --output.")
    there = next(folder for folder in path.resolve().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"Nothing can be written in {there}; name another place with --output.")


def interrupted(runs: list[Run]) -> None:
    """End with status 130 when Ctrl-C cut the last run short."""
    if runs and runs[-1].cut:
        raise typer.Exit(130)


def judge_of(run: Run, name: str) -> str:
    """The judge asked for, or the one whose verdict counts in the run."""
    from gadfly.errors import InputError

    found = name or run.info.get("verdict", "")
    if not found:
        raise InputError(f"No judge has judged run {run.id}: name one with --judge.")
    return str(found)


def labels_at(store: str) -> Store:
    """The labels that are there. Raises `InputError` where there are none: only serving makes a place for them."""
    from gadfly.errors import InputError
    from gadfly.review import Store, address

    url = address(store or None)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise InputError(
            f"There are no labels in {url.database}: gadfly review serve RUN makes a place for them; one elsewhere is "
            "named with --store or GADFLY_REVIEW."
        )
    return Store(store or None)


def re_estimated(run: Run, store: str = "") -> Run:
    """The run after every rate that labels corrected is brought up to date; says what moved.

    Labels are looked for in this store, by default the default one. Where there are none, the rates stand as they are.
    """
    from gadfly.errors import InputError
    from gadfly.runs import corrections, open_run

    if not corrections(run):
        return run
    from gadfly.review import re_estimate

    try:
        opened = labels_at(store)
    except InputError:
        return run
    with opened as kept:
        for before, now in re_estimate(run, kept):
            typer.echo(
                f"{run.id}: {now.judge} or the labels of {now.queue} changed; {before.after} became {now.after}"
            )
    return open_run(run.path)


def unitless(estimate: Estimate) -> str:
    """A measure that is no rate (alpha, AUROC) with its interval; why there is none where there is none."""
    if estimate.point is None:
        return estimate.correction or "no data"
    return f"{estimate.point:.2f} [{estimate.low:.2f}, {estimate.high:.2f}], n = {estimate.n}"
