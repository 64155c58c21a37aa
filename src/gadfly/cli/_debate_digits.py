"""gadfly debate digits: the sparse-pixel debate, in which optimal play can be computed and self-play checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.debate._digits import Images
    from gadfly.debate._digits_figures import PixelFigures

Advance = Callable[[int], None]


def digits(
    pixels: Annotated[str, typer.Option(help="How many are revealed, 1 to 6; several with commas.")] = "4,6",
    images: Annotated[int, typer.Option(min=10, help="Held-out images to measure on, at most 600.")] = 100,
    seed: o.SEED = 0,
    train: Annotated[
        bool, typer.Option(help="Let debaters learn by self-play as well: some minutes for each number.")
    ] = False,
) -> None:
    """Debate before a judge who sees a few pixels of a digit: alone, random, optimal and learned debaters.

    Irving, Christiano and Amodei 2018, section 3.1, on scikit-learn's 8×8 digits.
    """
    from gadfly.debate._digits import images as cut

    counts = _counts(pixels)
    learn, measure = cut(seed=seed)
    _check_images(images, len(measure))
    for k in counts:
        for title, found in _figures(learn, measure[:images], k, seed, train):
            _print(f"{k} pixels, {title}", found)


def _counts(pixels: str) -> list[int]:
    from gadfly.errors import InputError

    said = [part.strip() for part in pixels.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 6 for part in said):
        raise InputError(f"--pixels takes numbers from 1 to 6, such as 4 or 4,6; got {pixels!r}.")
    return [int(part) for part in said]


def _check_images(images: int, held_out: int) -> None:
    from gadfly.errors import InputError

    if images > held_out:
        raise InputError(f"{held_out} images are held out; --images cannot be {images}.")


def _figures(
    learn: Images, measure: Images, k: int, seed: int, train: bool
) -> Iterator[tuple[str, PixelFigures]]:
    """What is measured before a judge of k pixels, each part as soon as it is known."""
    from gadfly.debate._digits import judge_of
    from gadfly.debate._digits_figures import learned_figures, optimal_figures, optimal_plays
    from gadfly.debate._digits_selfplay import SelfPlay
    from gadfly.debate._digits_selfplay import learn as play_and_learn

    with _bar() as stage:
        advance = stage(f"The judge of {k} pixels learns", 60)
        judge = judge_of(learn, k, seed=seed, on_epoch=lambda done, of: advance(done))
        advance = stage("Optimal play", len(measure))
        plays = optimal_plays(judge, measure, on_image=advance)
    yield "how often the judge ends with the truth", optimal_figures(measure, plays)
    if not train:
        return
    how = SelfPlay()
    with _bar() as stage:
        advance = stage("Self-play", how.rounds)
        player = play_and_learn(learn, judge, how, seed=seed, on_round=lambda done, now: advance(done))
        stage("Best answers to it", None)
        found = learned_figures(judge, measure, plays, player, min(len(measure), 40), seed=seed)
    yield "debaters that learned by self-play", found


@contextmanager
def _bar() -> Iterator[Callable[[str, int | None], Advance]]:
    """A bar on the error stream; what it yields starts the next stage and gives what says how far that is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def stage(label: str, total: int | None) -> Advance:
            for earlier in bar.task_ids:
                bar.remove_task(earlier)
            task = bar.add_task(label, total=total)
            return lambda done: bar.update(task, completed=done)

        yield stage


def _print(title: str, found: PixelFigures) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", title=title, title_justify="left"
    )
    for heading in ("", "rate, 95 %", "images"):
        table.add_column(Text(heading), overflow="fold")
    for estimates in (found.rates, found.differences):
        for name, estimate in estimates.items():
            table.add_row(*map(Text, (name, str(estimate).partition(", n")[0], f"{estimate.clusters:,}")))
        table.add_section()
    Console().print(table)
