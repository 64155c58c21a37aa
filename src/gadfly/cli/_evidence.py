"""gadfly evidence: how good answers with their evidence are, and the threshold below which to decline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o
from gadfly.cli._ask import ANSWERER, CORPUS, DOCUMENTS, WRITES, checks_of

if TYPE_CHECKING:
    from gadfly.evidence import Decline
    from gadfly.evidence._injection import InjectionFigures
    from gadfly.judges import Judge
    from gadfly.models import System
    from gadfly.runs import Run

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Are answers right, and do their quotes show it?"
)


@dataclass(frozen=True)
class Picking:
    """How many answers there are to a question, what picks one of them, and who says whether it is supported."""

    samples: Annotated[int, typer.Option(min=1, help="Answers to each question.")] = 8
    documents: DOCUMENTS = 4
    choose: Annotated[
        str, typer.Option(help="With commas: first, likelihood, names of reward models or judges.")
    ] = "first,likelihood"
    supported: Annotated[
        str,
        typer.Option(help="Who judges what is supported of the chosen answers: a model, or a judge's name."),
    ] = ""
    against: Annotated[
        str,
        typer.Option(help="A model that looks for quotes against each chosen answer, and judges both sides."),
    ] = ""
    saliency: Annotated[
        bool, typer.Option("--saliency", help="Whether quotes are what a local model went by.")
    ] = False
    unconstrained: Annotated[
        bool, typer.Option("--unconstrained", help="Without the mask, as an experiment.")
    ] = False

    def choices(self) -> list[str]:
        """The names in --choose."""
        from gadfly.errors import InputError

        if names := o.listed(self.choose, "--choose"):
            return list(dict.fromkeys(names))
        raise InputError("--choose is empty: name first, likelihood or a judge.")

    def judges(self) -> tuple[list[Judge], Judge | None]:
        """The judges of every sample, those that choose among them, and the one of supportedness (None: nobody)."""
        from gadfly import evidence as e

        found: dict[str, Judge] = {one.name: one for one in (e.wrong(), e.unquoted(), e.unlikely())}
        told: Judge | None = None
        if self.supported:
            is_model = "/" in self.supported
            told = e.unsupported(self.supported) if is_model else e.scorer(self.supported)
        for name in self.choices():
            if name not in (e.FIRST, e.LIKELIHOOD, *found):
                found[name] = told if told is not None and told.name == name else e.scorer(name)
        return list(found.values()), told


USUAL, AT_EASE = Picking(), o.Playing()


@app.command("eval")
@o.spread
def evaluate(
    corpus: CORPUS,
    questions: Annotated[
        Path, typer.Option(help='A .jsonl: {"question": "…", "answers": ["short", …]} a line.')
    ],
    model: ANSWERER,
    unanswerable: Annotated[
        Path | None, typer.Option(help="A .jsonl of questions whose answer is not in the documents.")
    ] = None,
    picking: Picking = USUAL,
    orders: Annotated[
        int, typer.Option(min=0, help="Samples on each document with an order hidden in it; 0: none.")
    ] = 1,
    sampling: o.Sampling = WRITES,
    playing: o.Playing = AT_EASE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the report here.")] = None,
) -> None:
    """Answer every question, and say how often it is right, supported, false all the same, and declined."""
    from rich.console import Console

    from gadfly import corpora, evidence, runs
    from gadfly.report import from_evidence, print_summary, write

    if output:
        o.check_output(output)
    rows = evidence.read_questions(questions)
    rows += [
        {**row, "unanswerable": True}
        for row in (evidence.read_questions(unanswerable) if unanswerable else ())
    ]
    judges, supported = picking.judges()
    documents = corpora.corpus(corpus)
    answerer = sampling.system(model)
    game = evidence.Quoting(documents, answerer, picking.documents, constrained=not picking.unconstrained)
    cases = evidence.cases_of(rows, picking.samples)
    made = asyncio.run(runs.run(game, cases, judges, seed=playing.seed, settings=playing.settings()))
    made = made.save(evidence={"choose": picking.choices(), "supported": supported.name if supported else ""})
    dear = [supported] if supported and supported.name not in {judge.name for judge in judges} else []
    dear += checks_of(game, picking.against, picking.saliency)
    if dear and not made.cut:
        made = asyncio.run(evidence.judge_chosen(made, dear, picking.choices()))
    found = () if made.cut else _orders(answerer, orders, picking, playing)
    report = from_evidence(made, found)
    print_summary(report, Console())
    if output:
        write(report, output)
        typer.echo(f"The whole report: {output}")
    _next(made)
    o.interrupted([made])


@app.command("tune")
def tune(
    run: o.RUN,
    judge: Annotated[str, typer.Option(help="Whose confidence decides: a judge of this run.")] = "unlikely",
    risk: Annotated[
        float,
        typer.Option(min=0.001, max=0.999, help="Of the answers given, the share that may be at fault."),
    ] = 0.1,
    loss: Annotated[
        str, typer.Option(help="What a fault is: wrong, unsupported, or another judge of this run.")
    ] = "wrong",
    assurance: Annotated[float, typer.Option(min=0.5, max=0.999, help="How sure of that.")] = 0.99,
    searches: Annotated[
        int,
        typer.Option(
            min=0,
            help="Further searches before declining: the run's passages are looked at in so many parts more.",
        ),
    ] = 0,
    out: Annotated[Path, typer.Option(help="Where the threshold goes.")] = Path("decline.json"),
) -> None:
    """Set the threshold below which to decline, for a stated risk. Then: gadfly ask --decline FILE.

    Ends with status 1 where no threshold keeps it.
    """
    from gadfly import evidence
    from gadfly.runs import open_run

    o.check_output(out)
    found = evidence.tune(open_run(run), judge, risk, loss=loss, assurance=assurance, searches=searches)
    typer.echo(found.promise)
    for sentence in _set_by(found):
        typer.echo(sentence)
    typer.echo(f"Kept in {found.save(out)}")
    if found.first.threshold is None:
        raise typer.Exit(1)


def _set_by(found: Decline) -> Iterator[str]:
    """What set a threshold, search by search, and what was left out."""
    yield f"{found.first.n:,} questions set it; {found.missing:,} could not be judged."
    if found.learned:
        yield f"Left out: {found.learned:,} questions that {found.judge} or {found.loss} learned from."
    if found.repeated:
        yield f"Left out: {found.repeated:,} questions that had been asked before."
    for number, search in enumerate(found.rounds):
        if search.threshold is not None:
            which = f"Further search {number}, of {search.n:,} questions: c" if number else "C"
            least = f"{search.threshold:.4g}"
            yield f"{which}onfidence by {found.judge} of at least {least}: attempts {search.attempted}"
            yield f"Of those {found.loss.replace('_', ' ')} here: {search.seen}"
    if found.searches >= len(found.rounds) and found.first.threshold is not None:
        yield f"No search after {len(found.rounds) - 1} further ones keeps that risk, so none is made."


def _orders(
    answerer: System, samples: int, picking: Picking, playing: o.Playing
) -> tuple[InjectionFigures, ...]:
    """What orders hidden in documents do to this model; nothing where none are asked for."""
    from gadfly import evidence

    if not samples:
        return ()
    game = {"constrained": not picking.unconstrained}
    made = evidence.injected(answerer, samples, seed=playing.seed, game=game, settings=playing.settings())
    return asyncio.run(made).figures


def _next(run: Run) -> None:
    typer.echo(f"\nTo decline below a stated risk: gadfly evidence tune {run.id} --judge unlikely --risk 0.1")
