"""gadfly evidence: how good answers with their evidence are, and the threshold below which to decline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gadfly.cli import _options as o
from gadfly.cli._ask import ANSWERER, CORPUS, DOCUMENTS, WRITES, checks_of

if TYPE_CHECKING:
    from gadfly.evidence import Decline
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
        str,
        typer.Option(
            help="With commas: first, likelihood, names of reward models or judges. Default: first, and likelihood "
            "where the weights are here to tell it."
        ),
    ] = ""
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

    def choices(self, answerer: System) -> list[str]:
        """The names in --choose, or what any model can be chosen by."""
        from gadfly.errors import InputError
        from gadfly.evidence import FIRST, LIKELIHOOD

        if not self.choose:
            return [FIRST, *([LIKELIHOOD] if answerer.white_box else [])]
        names = list(dict.fromkeys(o.listed(self.choose, "--choose")))
        if not answerer.white_box and {LIKELIHOOD, "unlikely"} & set(names):
            raise InputError(
                f"{answerer.name} does not say how likely its answers are; leave likelihood out of --choose, or name a "
                "reward model or another judge."
            )
        return names

    def judges(self, choices: Sequence[str]) -> tuple[list[Judge], Judge | None]:
        """The judges of every sample, those that choose among them, and the one of supportedness (None: nobody)."""
        from gadfly import evidence as e

        found: dict[str, Judge] = {one.name: one for one in (e.wrong(), e.unquoted(), e.unlikely())}
        told: Judge | None = None
        if self.supported:
            is_model = "/" in self.supported
            told = e.unsupported(self.supported) if is_model else e.scorer(self.supported)
        for name in choices:
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
    search: o.SEARCH = "bm25",
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
        o.check_output(output, questions, unanswerable)
    rows = _rows(questions, unanswerable)
    answerer = sampling.system(model)
    choices = picking.choices(answerer)
    judges, supported = picking.judges(choices)
    documents = corpora.library(corpus, search)
    game = evidence.Quoting(documents, answerer, picking.documents, constrained=not picking.unconstrained)
    cases = evidence.cases_of(rows, picking.samples)
    made = asyncio.run(runs.run(game, cases, judges, seed=playing.seed, settings=playing.settings()))
    made = made.save(evidence={"choose": choices, "supported": supported.name if supported else ""})
    dear = [supported] if supported and supported.name not in {judge.name for judge in judges} else []
    dear += checks_of(game, picking.against, picking.saliency)
    if dear and not made.cut:
        made = asyncio.run(evidence.judge_chosen(made, dear, choices))
    obeying = _orders(answerer, orders, picking, playing) if orders and not made.cut else None
    report = from_evidence(made, obeying)
    print_summary(report, Console())
    if output:
        write(report, output)
        typer.echo(f"The whole report: {output}")
    _next(made, choices, answerer)
    o.interrupted([obeying or made])


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


def _orders(answerer: System, samples: int, picking: Picking, playing: o.Playing) -> Run:
    """What this model says of documents with orders hidden in them."""
    from gadfly import evidence

    game = {"constrained": not picking.unconstrained}
    made = evidence.injected(answerer, samples, seed=playing.seed, game=game, settings=playing.settings())
    return asyncio.run(made).run


def _rows(questions: Path, unanswerable: Path | None) -> list[dict[str, Any]]:
    """All questions of both files, checked before a model is asked anything."""
    from gadfly.errors import InputError
    from gadfly.evidence import read_questions

    rows = read_questions(questions)
    if all(row.get("unanswerable") for row in rows):
        raise InputError(f"Every question of {questions} is marked unanswerable; rates take one that is not.")
    hidden = read_questions(unanswerable) if unanswerable else []
    return rows + [{**row, "unanswerable": True} for row in hidden]


def _next(run: Run, choices: Sequence[str], answerer: System) -> None:
    """How to decline, by a judge that says how sure an answer of this run is; how to get one where none does."""
    from gadfly.evidence import FIRST, LIKELIHOOD

    if not answerer.white_box:
        typer.echo("\nThis model does not say how likely its answers are, so none was chosen by likelihood.")
    named = [{LIKELIHOOD: "unlikely"}.get(one, one) for one in choices if one != FIRST]
    judge = next((one for one in named if one in run.info["judges"]), "")
    if judge:
        typer.echo(
            f"\nTo decline below a stated risk: gadfly evidence tune {run.id} --judge {judge} --risk 0.1"
        )
    else:
        typer.echo(f"\nFor a judge to choose and to decline by: gadfly evidence train {run.id}")
