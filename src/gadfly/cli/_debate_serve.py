"""gadfly debate serve: people judge debates, or take part in them, live on a page of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o
from gadfly.cli._review import HERE, Listening, _greet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gadfly.debate import Chair, DebateJudge, Protocol
    from gadfly.review import Store


@o.spread
def serve(
    questions: Annotated[
        Path, typer.Argument(help="A .jsonl of questions with two answers (gadfly debate make).")
    ],
    debaters: Annotated[
        str,
        typer.Option(
            help="Who argues: MODEL, best_of:N:MODEL or refining:MODEL; two with a comma: one a side."
        ),
    ],
    protocol: Annotated[
        str, typer.Option(help="A name (gadfly debate protocols) or your own .yaml.")
    ] = "interactive_debate",
    debate_as: Annotated[
        str,
        typer.Option(help="The seat people take. Default: they judge. Else: first, second, consultant, …"),
    ] = "",
    judge: Annotated[
        str, typer.Option(help="Who decides where people debate, and whom best_of consults: a model.")
    ] = "",
    people: Annotated[str, typer.Option(help="Who gets a link, with commas: ann,ben.")] = "",
    raters: Annotated[int, typer.Option(min=1, help="Or how many people get one.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many questions.")] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Say which answer is right once a debate is over.")
    ] = False,
    days: Annotated[float, typer.Option(min=0.01, help="How long links work.")] = 30,
    new_links: Annotated[bool, typer.Option("--new-links", help="Replace all links.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the runs go. Default: as for every run.")
    ] = None,
    store: o.STORE = "",
    seed: o.SEED = 0,
    listening: Listening = HERE,
) -> None:
    """Open the page, and print a link for each person; their debates are a run of their own. The same command goes
    on where it was.
    """
    from gadfly import debate as d
    from gadfly.review import Hall, Sitting, Store, hear
    from gadfly.runs import home

    found, decider = d.protocol(protocol), _judge(judge)
    seat = debate_as or "judge"
    sitting = Sitting(
        d.read_set(questions)[:limit],
        found,
        _chairs(found, debaters, decider),
        decider,
        seat,
        output or home(),
        reveal,
        seed,
    )
    names = o.listed(people, "--people") or [f"person-{n}" for n in range(1, raters + 1)]
    serving = listening.serving()
    with Store(store or None) as kept:
        queue = f"{questions.name.split('.')[0][:40]}-{found.name}-{seat}"
        links = _links(kept, queue, names, days, new_links)
        hall = Hall(kept, queue, sitting, serving)
        hear(hall, ready=lambda url: _greet(url, links))


def _links(store: Store, queue: str, names: list[str], days: float, renew: bool) -> dict[str, str]:
    """Tokens for those who have none that works; with `renew`, for everybody."""
    from datetime import UTC, datetime

    from gadfly.review import make_hearing_queue

    make_hearing_queue(store, queue)
    now = datetime.now(UTC)
    there = {rater.name for rater in store.raters(queue) if rater.expires and rater.expires > now}
    return {name: store.add_rater(queue, name, days=days) for name in names if renew or name not in there}


def _judge(name: str) -> DebateJudge | None:
    from gadfly import debate as d
    from gadfly.models import System, model

    return d.DebateJudge.of(System(model(name))) if name else None


def _chairs(protocol: Protocol, debaters: str, decider: DebateJudge | None) -> Mapping[str, Chair]:
    """The first player in every seat, but where two are named the second in those that argue the second answer."""
    from gadfly import debate as d
    from gadfly.errors import InputError

    names = o.listed(debaters, "--debaters")
    if not 1 <= len(names) <= 2:
        raise InputError(f"--debaters names one player or two, one for each side; got {len(names)}.")
    players = [d.seated(name, decider) for name in names]
    seats = {name: seat for name, seat in protocol.seats.items() if not seat.copy_of}
    return {
        name: players[-1] if seat.side in ("second", "other") else players[0] for name, seat in seats.items()
    }
