"""gadfly debate serve: people judge debates, or take part in them, live on a page of their own."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o
from gadfly.cli._debate import DEBATERS, FOUND, PROTOCOL, SET, USUAL, Finding, Setting, questions_in
from gadfly.cli._review import HERE, INVITED, Inviting, Listening, _greet
from gadfly.words import enumerated

if TYPE_CHECKING:
    from gadfly.debate import Chair, Protocol, Referee


@dataclass(frozen=True)
class Seats:
    """Who sits where."""

    debaters: DEBATERS = ""
    debate_as: Annotated[
        str,
        typer.Option(help="The seat people take. Default: they judge. Else: first, second, consultant, …"),
    ] = ""
    judge: Annotated[
        str,
        typer.Option(
            help="Who decides where people debate, and whom best_of consults: a model, calibrated:NAME or reward:NAME."
        ),
    ] = ""

    @property
    def seat(self) -> str:
        """The people's."""
        return self.debate_as or "judge"

    def decider(self, orders: int) -> Referee | None:
        """The model that judges; None where people do. Raises `InputError` for options that would do nothing."""
        from gadfly import debate as d
        from gadfly.errors import InputError

        if not self.judge:
            if orders != USUAL.orders:
                raise InputError(
                    "--orders is of a model that judges: leave it out, or name one with --judge."
                )
            return None
        if not self.debate_as and "best_of:" not in self.debaters:
            raise InputError(
                "People judge, so nobody would ask --judge: leave it out, or say with --debate-as where people sit."
            )
        return d.judge(self.judge, orders)

    def chairs(self, protocol: Protocol, decider: Referee | None) -> dict[str, Chair]:
        """The models' chairs. Raises `InputError` where a seat has nobody, and where somebody has no seat."""
        from gadfly import debate as d
        from gadfly.errors import InputError

        free, named = (
            [seat for seat in protocol.own if seat != self.seat],
            o.listed(self.debaters, "--debaters"),
        )
        if not named and free:
            raise InputError(f"Nobody sits in {enumerated(free)}: name a model with --debaters.")
        if named and not free:
            raise InputError(
                f"No seat of protocol {protocol.name} is left for a model: leave out --debaters."
            )
        if not named:
            return {}
        seated = d.seating(protocol, named, decider)
        if len({id(seated[seat]) for seat in free}) < len(named):
            raise InputError(
                f"People sit in {self.seat!r}, so one player is left to name: {self.debaters!r} are two."
            )
        return {seat: seated[seat] for seat in free}


NOBODY = Seats()


@o.spread
def serve(
    questions: SET,
    protocol: PROTOCOL = "interactive_debate",
    seats: Seats = NOBODY,
    setting: Setting = USUAL,
    people: Annotated[str, typer.Option(help="Who gets a link, with commas: ann,ben.")] = "",
    raters: Annotated[
        int | None, typer.Option(min=1, help="Or how many people get one. Default: one.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Only the first so many questions; another number is another run."),
    ] = None,
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
    from gadfly.errors import InputError
    from gadfly.review import Hall, Sitting, Store, hear, listen, make_hearing_queue
    from gadfly.runs import home

    if people and raters:
        raise InputError("Name the people or say how many there are, not both: --people or --raters.")
    found = setting.protocol(protocol)
    rows = questions_in(questions, limit, finding.at_hand())
    decider = seats.decider(setting.orders)
    chairs = seats.chairs(found, decider)
    sitting = Sitting(
        rows=rows,
        protocol=found,
        chairs=chairs,
        judge=decider,
        seat=seats.seat,
        output=output or home(),
        reveal=reveal,
        seed=seed,
    )
    names = o.listed(people, "--people") or [f"person-{n}" for n in range(1, (raters or 1) + 1)]
    serving = listening.serving()
    with Store(store or None) as kept:
        queue = f"{_called(questions)}-{found.name}-{seats.seat}"
        listener = listen(serving.host, serving.port)
        make_hearing_queue(kept, queue)
        hall = Hall(kept, queue, sitting, serving, names)
        for name, run in hall.elsewhere().items():
            typer.echo(
                f"{name} has debates in run {run.name} already, of other questions or asked in another way (the set, "
                "--limit or another option has changed): these begin anew.",
                err=True,
            )

        def ready(url: str) -> None:  # not before it listens and nothing can fail: links are shown once
            _greet(url, inviting.links(kept, queue, dict.fromkeys(names, "rater")))
            kept_as = [str(run) if output else run.name for run in hall.runs]
            typer.echo(
                f"What they say and decide is kept; to see it: gadfly report {shlex.join(kept_as)}", err=True
            )

        hear(hall, listener, ready)


def _called(questions: Path) -> str:
    """A set as its queue is called: two files of one name in two places are two sets."""
    name = questions.name.removesuffix(".gz").removesuffix(".jsonl")[:40].strip()
    if not questions.exists():  # the set that ships
        return name
    return f"{name}-{hashlib.sha256(bytes(questions.resolve())).hexdigest()[:6]}"
