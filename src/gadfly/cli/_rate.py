"""gadfly rate and gadfly ask-next: what labels make of a judge's rate, and which labels to get next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.review import Corrected

NOT_YET = 3
"""The exit status when --until-width has not been reached."""


def rate(
    run: o.RUN,
    labels: o.LABELS,
    judge: o.JUDGE = "",
    until_width: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Say whether one may stop labelling: exit 0, else 3."),
    ] = None,
    store: o.STORE = "",
) -> None:
    """The rate of failures as people see them, from a judge on every case and people's labels on some."""
    from gadfly.review import correct
    from gadfly.runs import open_run

    opened = open_run(run)
    with o.labels_at(store) as kept:
        by = o.judge_of(opened, judge, kept.spec(labels).kind)
        found = correct(opened, by, kept, labels)
    _print(found)
    if until_width is not None and not _narrow_enough(found, until_width):
        raise typer.Exit(NOT_YET)


def _print(found: Corrected) -> None:
    from rich.console import Console
    from rich.text import Text

    said, now = found.correction, found.looks.at(-1)
    console = Console()
    for name, estimate, what in (
        ("before correction", said.before, f"{said.judge} alone, on every case{_of(said.chosen)}"),
        ("labels alone", said.alone, "the cases people judged, without the judge"),
        ("corrected", said.after, f"for {said.after.correction}" if said.after.point is not None else ""),
        ("whenever you look", now, "of this run's own cases; holds after every label at once"),
    ):
        style = "bold" if name == "corrected" else ""
        console.print(Text(f"{name:<18} {estimate}", style=style), Text(f"  {what}", style="dim"), sep="\n")
    if said.supported_but_false is not None:
        console.print(
            Text(f"Supported, and yet without a known answer: {said.supported_but_false}", style="bold")
        )
    for sentence in _caveats(found):
        console.print(Text(sentence))


def _of(chosen: str) -> str:
    return f" chosen by {chosen}" if chosen else ""


def _caveats(found: Corrected) -> Iterator[str]:
    """What a reader of the rates should know, one sentence each."""
    if found.error is None:
        yield "No item was judged twice and there is no gold: raters are taken to be right."
    elif found.error.assumption:
        yield found.error.assumption
    if found.error is not None:
        yield "What holds whenever you look is the rate of what raters say; their errors are not taken out of it."
    if found.learned:
        yield (
            f"{found.correction.judge} learned from the first {found.learned:,} of these labels, so what holds "
            "whenever you look counts only those that come after."
        )
    if found.pending:
        yield f"{found.pending:,} items drawn wait for a label."


def _narrow_enough(found: Corrected, width: float) -> bool:
    """Whether the confidence sequence is that narrow, with a sentence that says so or how far it is."""
    stop = found.looks.until(width)
    if stop is not None:
        typer.echo(f"Narrow enough: {width:.1%} wide after {stop:,} labels. You may stop.")
        return True
    now = found.looks.at(-1)
    wide = now.high - now.low
    more = round(now.n * ((wide / width) ** 2 - 1)) if now.n and width else 0
    guess = f"; about {more:,} more labels, by the square-root rule" if more else ""
    typer.echo(f"Not yet: {wide:.1%} wide after {now.n:,} labels, {width:.1%} asked for{guess}.")
    return False


def ask_next(
    run: o.RUN,
    judge: o.JUDGE = "",
    n: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    policy: o.POLICY = "uniform:0.5+threshold:0.5",
    chosen: o.CHOSEN = "",
    add: Annotated[str, typer.Option(help="Put them into this queue.")] = "",
    seed: o.SEED = 0,
    store: o.STORE = "",
) -> None:
    """The cases most worth a person's time, and why."""
    from gadfly.judges import policy as named
    from gadfly.pages import line
    from gadfly.review import Drawing, ask, draw_into, drawn_by, frame_of, judged_by, replies
    from gadfly.runs import open_run

    opened, drawing = open_run(run), Drawing(named(policy), n, seed)
    if add:
        with o.labels_at(store) as kept:
            name = o.judge_of(opened, judge, kept.spec(add).kind)
            frame = frame_of(judged_by(opened, name), name, chosen or drawn_by(kept, add, opened))
            drawn = draw_into(kept, add, frame, drawing)
    else:
        name = o.judge_of(opened, judge)
        frame = frame_of(judged_by(opened, name), name, chosen)
        drawn = ask(frame, drawing)
    words = replies(opened, {frame.case_ids[choice.index] for choice in drawn})
    for place, choice in enumerate(drawn, start=1):
        case = frame.case_ids[choice.index]
        typer.echo(f"{place:>4}  {case[:12]}  {choice.why:<44}  {line(words.get(case, ''), 80)}")
    if not drawn:
        typer.echo("Every case has been drawn.")
    elif add:
        typer.echo(f"{len(drawn)} items were added to queue {add}.")
