"""gadfly judge: fit a judge on people's labels, and see how each round moved it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o
from gadfly.cli._reward import print_reward

if TYPE_CHECKING:
    from gadfly.judges import Card
    from gadfly.stats import Estimate

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Judges that learn from people's labels.")

NAME = Annotated[str, typer.Argument(help="The judge's name; --judge NAME then works everywhere.")]


@app.command("fit")
def fit(
    name: NAME,
    labels: o.LABELS,
    recall: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Of what people flag, the share to find.")
    ] = 0.95,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="How sure of that.")] = 0.95,
    base: Annotated[str, typer.Option(help="A judge whose score it may build on.")] = "",
    embedding: Annotated[str, typer.Option(help="A sentence-transformers model.")] = "all-minilm-l6-v2",
    seed: o.SEED = 0,
    store: o.STORE = "",
) -> None:
    """Fit a calibrated judge on a queue's labels; rates it had corrected are estimated anew."""
    from gadfly.errors import GadflyError
    from gadfly.judges import Card, FitSettings, Source, history
    from gadfly.judges import fit as fitted
    from gadfly.report import write_card
    from gadfly.review import examples_of
    from gadfly.runs import all_runs

    settings = FitSettings(recall=recall, confidence=confidence, base=base, embedding=embedding, seed=seed)
    with o.labels_at(store) as kept:
        examples, runs = examples_of(kept, labels)
    made = fitted(name, examples, settings=settings, source=Source(labels, runs))
    where = made.save()
    cards = [card for card in history(name) if isinstance(card, Card)]
    card = write_card(cards, where / "card.html")
    _print(cards[-1:])
    typer.echo(f"Kept in {where}; its card: {card}")
    for run in all_runs():
        try:
            o.re_estimated(run, store)
        except GadflyError as error:  # the judge is kept; one run's trouble is not the next one's
            typer.echo(f"{run.id} was not estimated anew: {error}", err=True)


@app.command("history")
def rounds(name: NAME) -> None:
    """How each round of labels moved a judge."""
    from gadfly.judges import Card, RewardCard, history

    cards = history(name)
    if learned := [card for card in cards if isinstance(card, Card)]:
        _print(learned)
    if rewards := [card for card in cards if isinstance(card, RewardCard)]:
        print_reward(rewards)


def _print(cards: list[Card]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("round", "labels", "flagged", "AUROC", "at", "finds", "false alarms"):
        table.add_column(heading)
    for card in cards:
        counted = (
            card.round,
            card.labels.n,
            card.labels.flagged,
            o.unitless(card.errors.auroc).partition(", n")[0],
        )
        rates = (_short(card.errors.recall), _short(card.errors.false_alarms))
        table.add_row(*map(str, counted), f"{card.promise.threshold:.3f}", *rates)
    console = Console()
    console.print(table, highlight=False)
    if cards:
        console.print(cards[-1].promise.sentence, markup=False, highlight=False)


def _short(estimate: Estimate) -> str:
    """A rate in whole percent, so that a round fits a line."""
    if estimate.point is None:
        return "no data"
    return f"{estimate.point:.0%} [{estimate.low:.0%}, {estimate.high:.0%}]"
