"""gadfly evidence train: a reward model that reads a question, a claim and its quotes."""

from __future__ import annotations

from typing import Annotated

import typer

from gadfly.cli import _options as o
from gadfly.cli._reward import Members, keep

USUAL = Members(reads="dialogue")


@o.spread
def train(
    run: o.RUN,
    name: Annotated[str, typer.Option(help="The reward model's name.")] = "supported",
    labels: Annotated[str, typer.Option(help="A queue of kind supported: what people said overrules.")] = "",
    made_of: Members = USUAL,
    store: o.STORE = "",
) -> None:
    """Train a reward model on a run's answers and on fabricated bad ones; as --judge NAME it works everywhere.

    Good are the answers whose claim and quote hold the question's short answer, or of which people said so; bad are
    those whose claim does not, and good ones with another quote, without one, or negated.
    """
    from gadfly.errors import InputError
    from gadfly.evidence import fabricated
    from gadfly.judges import Source
    from gadfly.review import examples_of
    from gadfly.runs import open_run
    from gadfly.training import to_rows, train_reward

    answers = open_run(run)
    told: dict[str, float] = {}
    if labels:
        with o.labels_at(store) as kept:
            told = {e.transcript.case.id: e.label for e in examples_of(kept, labels)[0]}
    rows = fabricated(list(answers.transcripts()), told, seed=made_of.seed)
    if not rows:
        raise InputError(
            f"Nothing in {answers.id} can be learned from: its questions have no known short answers; name a queue "
            "with --labels."
        )
    typer.echo(f"Learning from {len(rows):,} answers of {answers.id}.")
    keep(train_reward(name, to_rows(rows, Source(labels, (answers.id,))), made_of.settings()))
    typer.echo(
        f"What it is worth, and a threshold, take other questions: gadfly evidence eval --questions OTHERS.jsonl "
        f"--choose first,{name}"
    )
