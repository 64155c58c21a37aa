"""gadfly judge curves: does choosing what to ask people help this judge on this data, and how much?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.judges import Curves, CurveSettings, Example, Items, Learner
    from gadfly.training import Row

POLICIES = ("threshold!", "epistemic!", "bald!", "total!", "aleatoric!")


@dataclass(frozen=True)
class Drawn:
    """How the curves are drawn."""

    seeds: Annotated[int, typer.Option(min=2, help="Splits to average over.")] = 20
    start: Annotated[int, typer.Option(min=4, help="Labels drawn uniformly first.")] = 20
    step: Annotated[int, typer.Option(min=0, help="Labels a round. Default: for twenty rounds.")] = 0
    end: Annotated[int, typer.Option(min=0, help="The last number of labels. Default: half the pool.")] = 0
    jobs: Annotated[int, typer.Option(min=1, help="Curves drawn at once, a process each.")] = 1

    def settings(self, output: Path) -> CurveSettings:
        """The same, checked; finished curves are kept beside the page."""
        from gadfly.judges import CurveSettings

        kept = output.with_suffix(".jsonl")
        return CurveSettings(self.seeds, self.start, self.step, self.end, kept=kept, jobs=self.jobs)


USUAL = Drawn()


@o.spread
def curves(
    data: Annotated[
        Path | None,
        typer.Argument(
            help='.jsonl of {"text", "label"} rows or, for reward, {"chosen", "rejected"[, "p"]}.'
        ),
    ] = None,
    labels: Annotated[str, typer.Option(help="A queue whose labels to learn from instead.")] = "",
    learner: Annotated[
        str, typer.Option(help="fitted: as judge fit learns; reward: as train reward.")
    ] = "fitted",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="fitted: its embedding, default all-minilm-l6-v2; reward: its trunks, default smollm2."
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="As for ask-next; epistemic! without insurance, top-epistemic without chance. Uniform always is there."
        ),
    ] = None,
    drawn: Drawn = USUAL,
    output: o.OUTPUT = Path("curves.html"),
    store: o.STORE = "",
) -> None:
    """Learning curves: what choosing what to ask people is worth. Interrupted, the same command goes on."""
    from gadfly.errors import InputError, UnknownNameError
    from gadfly.judges import acquisition, learning_curves
    from gadfly.report import curves_sentence, write_curves

    o.check_output(output)
    settings = drawn.settings(output)
    asked = [acquisition(name) for name in policy or POLICIES]
    if (data is None) == (not labels):
        raise InputError("Curves are drawn of a .jsonl file or of --labels QUEUE: name one of them.")
    if learner not in _LEARNERS:
        raise UnknownNameError("learner", learner, _LEARNERS)
    made, items = _LEARNERS[learner](data, _Queue(labels, store), tuple(model or ()))
    with _bar() as on_curve:
        found = learning_curves(made, items, asked, settings, on_curve)
    page = write_curves(found, output, _about(learner, str(data or labels), settings, found))
    _print(found)
    typer.echo(f"{curves_sentence(found)}\nThe curves: {page}")


@dataclass(frozen=True)
class _Queue:
    name: str
    store: str

    def examples(self) -> list[Example]:
        from gadfly.review import examples_of

        with o.labels_at(self.store) as kept:
            return examples_of(kept, self.name)[0]


def _fitted(data: Path | None, queue: _Queue, models: tuple[str, ...]) -> tuple[Learner, Items]:
    from gadfly.errors import InputError
    from gadfly.judges import FitSettings, linear_learner
    from gadfly.judges._embedding import EMBEDDING
    from gadfly.models._weights import progress
    from gadfly.training import read_rows

    if len(models) > 1:
        raise InputError("A fitted judge reads through one embedding model; name one with --model.")
    if data is None:
        examples = queue.examples()
    else:
        examples = [_example(row, number) for number, row in enumerate(read_rows(data))]
    with progress(f"Reading {len(examples):,} texts", None):
        return linear_learner(examples, FitSettings(embedding=(models or (EMBEDDING,))[0]))


def _example(row: Row, number: int) -> Example:
    """A labelled text as what a judge reads. Equal texts are one group."""
    from gadfly.errors import InputError
    from gadfly.judges import Example
    from gadfly.transcripts import Case, Transcript, Turn

    if row.other is not None:
        raise InputError("A fitted judge learns from labelled texts, not from pairs; add --learner reward.")
    said = Transcript(Case(str(number), number, 0), (Turn("target", row.text),), "completed")
    return Example(said, row.target, row.weight, row.group or row.text)


def _reward(data: Path | None, queue: _Queue, models: tuple[str, ...]) -> tuple[Learner, Items]:
    from gadfly.judges._features import reply
    from gadfly.training import RewardSettings, read_rows, reward_learner, rows_of, to_rows

    rows = read_rows(data) if data else [row for row in rows_of(queue.examples(), reply) if row.text.strip()]
    made_of = RewardSettings(share="none" if len(models) > 1 else "trunk", trunks=models)
    return reward_learner(to_rows(rows), made_of)


_LEARNERS = {"fitted": _fitted, "reward": _reward}


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A bar of curves; the time left is known after the first few."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Curves"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _about(learner: str, source: str, settings: CurveSettings, found: Curves) -> dict[str, str]:
    """How the curves were made, as (term, text)."""
    counts = found.setup.counts
    return {
        "Learner": learner,
        "Items": f"{source}: {found.setup.pool + found.setup.test:,}, {found.setup.flagged:,} of them flagged",
        "Policies": ", ".join(found.policies),
        "Labels": f"{counts[0]} drawn uniformly, then {counts[1] - counts[0]} a round up to {counts[-1]:,}",
        "Seeds": f"0 to {found.seeds - 1}",
        "Kept": f"every finished curve, in {settings.kept}",
    }


def _print(found: Curves) -> None:
    """A line a policy for each metric, within eighty columns; the page has the intervals of all of it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gadfly.report import curve_rows

    for metric in found.metrics:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        headings = (
            metric.name,
            f"at {found.setup.counts[-1]:,}",
            "less uniform, over the curve",
            "",
            "to 99%, labels",
        )
        for heading in headings:
            table.add_column(Text(heading), overflow="fold")
        for row in curve_rows(found, metric):
            short = (row.last.partition(" ")[0], row.gap, row.verdict, row.labels[1].partition(" (")[0])
            table.add_row(*map(Text, (row.policy, *short)))
        Console().print(table)
