"""gadfly train reward and gadfly score: a reward model that says how sure it is, and what it makes of a file."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.judges import Reward, RewardCard
    from gadfly.training import RewardSettings, Rows


@dataclass(frozen=True)
class Members:
    """What a reward model is made of."""

    members: Annotated[
        int, typer.Option(min=2, help="Members whose spread is the uncertainty (a fold each).")
    ] = 5
    share: Annotated[
        str,
        typer.Option(
            help="What they share: trunk (a head each), layers (adapters on the top layers), none (a trunk each)."
        ),
    ] = "trunk"
    head: Annotated[str, typer.Option(help="bagged, or laplace: samples from one head's posterior.")] = (
        "bagged"
    )
    trunk: Annotated[
        list[str] | None,
        typer.Option(
            help="The pretrained model. Default: smollm2; for none also gemma3-270m and all-minilm-l6-v2."
        ),
    ] = None
    layers: Annotated[int, typer.Option(min=1, help="layers: how many of the top ones are adapted.")] = 1
    reads: Annotated[str, typer.Option(help="Of a transcript: reply, dialogue or auto.")] = "auto"
    label_weight: Annotated[float, typer.Option(min=0.0, help="How much labels count beside pairs.")] = 1.0
    seed: o.SEED = 0

    def settings(self) -> RewardSettings:
        """The same, checked."""
        from gadfly.training import RewardSettings

        return RewardSettings(
            share=self.share,  # type: ignore[arg-type]
            head=self.head,  # type: ignore[arg-type]
            trunks=tuple(self.trunk or ()),
            members=self.members,
            layers=self.layers,
            reads=self.reads,
            label_weight=self.label_weight,
            seed=self.seed,
        )


USUAL = Members()


@o.spread
def train(
    data: Annotated[
        Path | None,
        typer.Argument(help='.jsonl of {"chosen", "rejected"[, "p"]} or {"text", "label"} rows.'),
    ] = None,
    labels: Annotated[str, typer.Option(help="A queue whose labels to learn from instead.")] = "",
    run: Annotated[str, typer.Option("--from", help="Of that queue, only this run's cases.")] = "",
    name: Annotated[str, typer.Option(help="The reward model's name. Default: the data's.")] = "",
    made_of: Members = USUAL,
    store: o.STORE = "",
) -> None:
    """Train a reward model that knows what it does not know; as --judge NAME it works everywhere."""
    from gadfly.errors import InputError
    from gadfly.training import read_rows, to_rows, train_reward

    settings = made_of.settings()
    if (data is None) == (not labels):
        raise InputError("A reward model learns from a .jsonl file or from --labels QUEUE: name one of them.")
    if run and not labels:
        raise InputError("--from narrows a queue: name it with --labels.")
    if labels and settings.reads == "auto":
        settings = replace(settings, reads="reply")  # which is what people judged, whatever it looks like
    rows = to_rows(read_rows(data)) if data else _labelled(labels, run, store, settings.reads)
    keep(train_reward(name or _name(data.name if data else labels), rows, settings))


def keep(made: Reward) -> None:
    """Save a reward model with its card, and print the card's line."""
    from gadfly.judges import RewardCard, history
    from gadfly.report import write_reward_card

    where = made.save()
    cards = [card for card in history(made.name) if isinstance(card, RewardCard)]
    page = write_reward_card(cards, where / "card.html")
    print_reward(cards[-1:])
    typer.echo(f"Kept in {where}; its card: {page}")


def _labelled(queue: str, run: str, store: str, reads: str) -> Rows:
    """A queue's labels as rows."""
    from gadfly.errors import InputError
    from gadfly.judges import Source
    from gadfly.judges._features import reply
    from gadfly.judges._reward import dialogue
    from gadfly.review import examples_of
    from gadfly.runs import open_run
    from gadfly.training import rows_of, to_rows

    with o.labels_at(store) as kept:
        examples, runs = examples_of(kept, queue)
    if run:
        wanted = open_run(run)
        if wanted.id not in runs:
            raise InputError(f"Queue {queue} has no labels of {wanted.id}; it has some of {', '.join(runs)}.")
        cases = {transcript.case.id for transcript in wanted.transcripts()}
        examples, runs = [e for e in examples if e.transcript.case.id in cases], (wanted.id,)
    rows = list(rows_of(examples, dialogue if reads == "dialogue" else reply))
    return to_rows([row for row in rows if row.text.strip()], Source(queue, runs))


def _name(source: str) -> str:
    """A judge's name after what it learned from."""
    stem = source.removesuffix(".gz").removesuffix(".jsonl")
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:64] or "reward"


def print_reward(cards: list[RewardCard]) -> None:
    """A line a round: how good the mean is, and what its uncertainty is worth."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("round", "learned from", "AUROC", "off by", "epistemic ~ error", "members"):
        table.add_column(heading)
    for card in cards:
        worth, members = (
            card.worth,
            f"{card.made.members} on {', '.join(Path(name).name for name, _ in card.made.trunks)}",
        )
        measures = (worth.auroc, worth.calibration, card.unsure.epistemic)
        shown = [o.unitless(estimate).partition(", n")[0] for estimate in measures]
        table.add_row(str(card.round), f"{card.labels.n:,} {card.kind}", *shown, members)
    Console().print(table, highlight=False)


def score(
    reward: Annotated[str, typer.Argument(help="The reward model's name.")],
    file: Annotated[
        Path, typer.Argument(help="Texts or transcripts: a .jsonl file, or the .eval of gadfly export.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the lines go; one half done is gone on with.")
    ] = None,
) -> None:
    """Score, aleatoric and epistemic variance of each text: a JSON line each.

    Learned from labels, a score is the chance that people flag the text; from pairs, that they prefer it to a typical
    one (as --judge it is then one minus that, since a judge's score is the chance of a failure).
    """
    from gadfly.judges import load_reward
    from gadfly.judges._scoring import score_file
    from gadfly.models._weights import progress

    loaded = load_reward(reward)
    with progress(f"Scoring {file.name}", None) as advance:
        count, before = score_file(loaded, file, output, advance)
    if output is not None:
        already = f" ({before:,} were there already)" if before else ""
        print(f"Wrote {count:,} scores to {output}{already}.", file=sys.stderr)
