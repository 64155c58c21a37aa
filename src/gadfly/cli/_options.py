"""The options that several verbs share, and what is built from them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, get_type_hints

import typer

if TYPE_CHECKING:
    from gadfly.corpora import Library
    from gadfly.models import System
    from gadfly.review import Store
    from gadfly.runs import Run, Settings
    from gadfly.stats import Estimate

MODEL = Annotated[
    str, typer.Argument(help="The target: gadfly/smollm2, openai/gpt-4.1-mini, any Inspect model.")
]
CASES = Annotated[int, typer.Option(min=1, help="Cases per focus and attacker.")]
SEED = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same rows on the same machine.")
]
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
        help="Where labels are kept: a file or a database URL. Default: $GADFLY_REVIEW or gadfly-review.db here."
    ),
]
JUDGE = Annotated[str, typer.Option(help="The judge. Default: the one that decided the run.")]
LABELS = Annotated[str, typer.Option(help="The queue whose labels count.")]
POLICY = Annotated[
    str,
    typer.Option(
        help="uniform, stratified, threshold, total, epistemic, bald, or a mixture: uniform:0.5+threshold:0.5."
    ),
]
CHOSEN = Annotated[
    str,
    typer.Option(
        help="Of a run of questions and quotes only one answer to each, the one this picks: first, likelihood or a "
        "judge's name. Default: all cases."
    ),
]
SEARCH = Annotated[
    str, typer.Option(help="bm25 (by words), embeddings (by meaning) or fusion (both rankings joined).")
]
RUN = Annotated[str, typer.Argument(help="A run's id, the start of it, or its directory.")]


@dataclass(frozen=True)
class Sampling:
    """How a system under test answers."""

    system_prompt: SYSTEM = ""
    temperature: TEMPERATURE = 1.0
    top_p: TOP_P = 0.8
    max_tokens: MAX_TOKENS = 64

    def system(self, model: str) -> System:
        """The system under test."""
        from inspect_ai.model import GenerateConfig

        from gadfly.models import System
        from gadfly.models import model as load

        sampling = GenerateConfig(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens)
        return System(load(model), _prompt(self.system_prompt) or None, sampling)


@dataclass(frozen=True)
class Playing:
    """How cases are played."""

    concurrency: CONCURRENCY = None
    seed: SEED = 0
    retry_failed: RETRY_FAILED = False

    def settings(self) -> Settings:
        """What the runner takes."""
        from gadfly.runs import Settings

        return Settings(concurrency=self.concurrency, retry_failed=self.retry_failed)


def spread(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with every parameter that is one of the dataclasses above spread into the options it is made of.

    Typer takes one parameter an option. Their defaults are those of the parameter's own default value.
    """
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {}
    options: list[inspect.Parameter] = []
    for parameter in inspect.signature(verb).parameters.values():
        kind = hints[parameter.name]
        if not is_dataclass(kind):
            options.append(parameter.replace(annotation=kind))
            continue
        groups[parameter.name] = kind
        for name, hint in get_type_hints(kind, include_extras=True).items():
            default = getattr(parameter.default, name)
            options.append(inspect.Parameter(name, parameter.kind, default=default, annotation=hint))

    def spread_verb(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{one.name: given.pop(one.name) for one in fields(kind)})
        verb(**given)

    spread_verb.__doc__, spread_verb.__name__ = verb.__doc__, verb.__name__
    spread_verb.__annotations__ = {option.name: option.annotation for option in options}
    spread_verb.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return spread_verb


def _prompt(text: str) -> str:
    """A system prompt as it was typed, or what stands in the file it names."""
    if not text.startswith("@"):
        return text
    from gadfly.documents import text_in

    return text_in(Path(text[1:]))


def listed(text: str, option: str) -> list[str]:
    """The names in a list with commas. Raises `InputError` for an empty one among them."""
    from gadfly.errors import InputError

    names = [name.strip() for name in text.split(",")] if text else []
    if not all(names):
        raise InputError(f"{option} {text!r} has an empty entry: write names with commas between them, A,B.")
    return names


def check_output(path: Path, *read: Path | str | None) -> None:
    """Refuse a path that cannot be written before hours are spent on what goes there, and one that holds what the
    command reads; and make its folder.
    """
    from gadfly.errors import InputError

    try:
        if any(one and Path(one).exists() and path.exists() and path.samefile(one) for one in read):
            raise InputError(f"{path} holds what is read here: name another place with --output.")
        if path.is_dir():
            raise InputError(f"{path} is a directory; name a file with --output.")
        there = next(folder for folder in path.resolve().parents if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise InputError(f"Nothing can be written in {there}; name another place with --output.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch()
            path.unlink()
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); name another place with --output."
        ) from error


@contextmanager
def whole(path: Path) -> Iterator[TextIO]:
    """A file to write in, which is `path` once all is in it; where that fails nothing is left of it."""
    part = path.parent / f".{path.name}.part"
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


def put(path: Path, text: str) -> None:
    """Write a file whole or not at all. `InputError` where it cannot be written."""
    from gadfly.errors import InputError

    try:
        with whole(path) as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror}). Mend that and give the same command again: nothing is "
            "asked twice."
        ) from error


def library(corpus: str, search: str) -> Library | None:
    """What is searched, and how; None for no corpus. Raises `InputError` for a way to search nothing."""
    from gadfly.corpora import library as named
    from gadfly.errors import InputError

    if not corpus and search != "bm25":
        raise InputError(f"--search {search} searches nothing: name what is searched with --corpus.")
    return named(corpus, search) if corpus else None


def interrupted(runs: list[Run]) -> None:
    """End with status 130 when Ctrl-C cut the last run short."""
    if runs and runs[-1].cut:
        raise typer.Exit(130)


def judge_of(run: Run, name: str, kind: str = "label") -> str:
    """The judge asked for, or the one whose verdict counts in the run; of support, the run's judge of that."""
    from gadfly.errors import InputError

    found = name or run.info.get("verdict", "")
    if kind == "supported" and not name:
        told = (run.info.get("evidence", {}).get("supported"), "unsupported", "unquoted")
        found = next((one for one in told if one in run.info["judges"]), found)
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
