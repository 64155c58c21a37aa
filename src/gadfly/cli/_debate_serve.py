"""gadfly debate serve: people judge debates, or take part in them, live on a page of their own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from gadfly.cli import _options as o
from gadfly.cli._debate import DEBATERS, FOUND, PROTOCOL, SET, USUAL, Finding, Setting, questions_in
from gadfly.cli._review import HERE, INVITED, Inviting, Listening, _greet


@o.spread
def serve(
    questions: SET,
    debaters: DEBATERS,
    protocol: PROTOCOL = "interactive_debate",
    debate_as: Annotated[
        str,
        typer.Option(help="The seat people take. Default: they judge. Else: first, second, consultant, …"),
    ] = "",
    judge: Annotated[
        str,
        typer.Option(
            help="Who decides where people debate, and whom best_of consults: a model, calibrated:NAME or reward:NAME."
        ),
    ] = "",
    setting: Setting = USUAL,
    people: Annotated[str, typer.Option(help="Who gets a link, with commas: ann,ben.")] = "",
    raters: Annotated[
        int | None, typer.Option(min=1, help="Or how many people get one. Default: one.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many questions.")] = None,
    finding: Finding = FOUND,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Say which answer is right once a debate is over.")
    ] = False,
    inviting: Inviting = INVITED,
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
    from gadfly.errors import InputError
    from gadfly.review import Hall, Sitting, Store, hear, listen, make_hearing_queue
    from gadfly.runs import home

    if people and raters:
        raise InputError("Name the people or say how many there are, not both: --people or --raters.")
    found = setting.protocol(protocol)
    decider = d.judge(judge, setting.orders) if judge else None
    seat = debate_as or "judge"
    sitting = Sitting(
        questions_in(questions, limit, finding.at_hand()),
        found,
        d.seating(found, o.listed(debaters, "--debaters"), decider),
        decider,
        seat,
        output or home(),
        reveal,
        seed,
    )
    names = o.listed(people, "--people") or [f"person-{n}" for n in range(1, (raters or 1) + 1)]
    serving = listening.serving()
    with Store(store or None) as kept:
        queue = f"{questions.name.split('.')[0][:40]}-{found.name}-{seat}"
        listener = listen(serving.host, serving.port)  # before there are links, which are shown once
        make_hearing_queue(kept, queue)
        links = inviting.links(kept, queue, dict.fromkeys(names, "rater"))
        hall = Hall(kept, queue, sitting, serving)

        def ready(url: str) -> None:
            _greet(url, links)
            kept_as = [str(run) if output else run.name for run in hall.runs]
            typer.echo(
                f"What they say and decide is kept; to see it: gadfly report {shlex.join(kept_as)}", err=True
            )

        hear(hall, listener, ready)
