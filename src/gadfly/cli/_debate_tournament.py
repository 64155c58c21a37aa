"""gadfly debate tournament: who argues best before a judge, and whether better ones lead it to the right answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o
from gadfly.cli._debate import FOUND, JUDGE, SET, Finding, Setting, questions_in
from gadfly.cli._debate_slope import rises
from gadfly.words import plural

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from gadfly.debate import Standings
    from gadfly.stats import Estimate, Round, Slope


@dataclass(frozen=True)
class Bouts(Setting):
    """A debate of the tournament, whose own rounds have another name here."""

    rounds: Annotated[
        int | None,
        typer.Option("--debate-rounds", min=1, help="Rounds of a debate. Default: the protocol's own."),
    ] = None


AT_EASE, USUAL = o.Playing(), Bouts()


@o.spread
def tournament(
    questions: SET,
    players: Annotated[
        str, typer.Option(help="With commas: MODEL, best_of:N:MODEL, refining:MODEL; two or more.")
    ],
    judge: JUDGE,
    times: Annotated[
        int, typer.Option("--rounds", min=1, help="Rounds of the tournament; more go on from fewer.")
    ] = 5,
    each: Annotated[
        int | None,
        typer.Option(
            "--questions", min=1, help="Questions of a match. Default: ten, or all of a smaller set."
        ),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="One in which two argue (gadfly debate protocols), or your own .yaml.")
    ] = "debate",
    setting: Bouts = USUAL,
    finding: Finding = FOUND,
    playing: o.Playing = AT_EASE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write it here, as JSON.")
    ] = None,
) -> None:
    """Have players meet by Swiss pairing, each for either answer, and rate them. The same command goes on."""
    from gadfly import debate as d

    if output:
        o.check_output(output, questions, protocol)
    decider = d.judge(judge, setting.orders)
    rows = questions_in(questions, library=finding.at_hand())
    plan = d.Tournament(
        players={name: d.seated(name, decider) for name in _names(players)},
        judge=decider,
        protocol=setting.protocol(protocol),
        rows=rows,
        rounds=times,
        questions=each or min(10, len(rows)),
        seed=playing.seed,
    )
    found = asyncio.run(plan.play(playing.settings(), lambda number, pairs: _told(number, times, pairs)))
    _print(found)
    if output:
        o.put(output, json.dumps(found.to_json(), indent=1) + "\n")
        typer.echo(f"All of it: {output}")
    if found.cut:
        raise typer.Exit(130)


def _names(text: str) -> list[str]:
    from gadfly.errors import InputError

    names = o.listed(text, "--players")
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"--players names {twice} twice; a player meets others, not itself.")
    return names


def _told(number: int, rounds: int, pairs: Round) -> None:
    meets = ", ".join(f"{one} – {other}" for one, other in pairs.pairs)
    bye = f"; {pairs.bye} sits out" if pairs.bye else ""
    typer.echo(f"Round {number} of {rounds}: {meets}{bye}", err=True)


def _print(found: Standings) -> None:
    from rich.console import Console
    from rich.text import Text

    from gadfly.report._debate_terminal import print_fitting

    console = Console(highlight=False)
    print_fitting((_table(found),), list(_one_by_one(found)), console)
    for sentence in _sentences(found):
        console.print(Text(sentence))


def _table(found: Standings) -> Table:
    from rich.table import Table
    from rich.text import Text

    from gadfly.pages import line

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("player", overflow="fold", min_width=24)
    for heading in ("rating", "debates", "missing", "score", "byes", "lost by rule"):
        table.add_column(heading)
    for one in found.players:
        rating = "–" if one.rating is None else _points(one.rating)
        counts = str(one.score.n), str(one.score.missing)
        table.add_row(
            Text(line(one.name, 60)), rating, *counts, _share(one.score), str(one.byes), _share(one.by_rule)
        )
    return table


def _one_by_one(found: Standings) -> Iterator[Text]:
    """The same, a line for each player, where the table is wider than the terminal."""
    from rich.text import Text

    from gadfly.pages import line

    for one in found.players:
        rating = "not rated" if one.rating is None else f"rating {_points(one.rating)}"
        yield Text(
            f"{line(one.name, 60)}: {rating}; {one.score.n} debates, {one.score.missing} missing; score "
            f"{_share(one.score)}; lost by rule {_share(one.by_rule)}; {plural(one.byes, 'bye')}"
        )


def _sentences(found: Standings) -> Iterator[str]:
    if found.cut:
        yield f"Cut short with {len(found.runs)} of the matches finished; the same command goes on."
    if found.problem:
        yield f"No ratings: {found.problem}"
    if found.both_lost:
        yield f"{plural(found.both_lost, 'debate')} that both sides lost by rule: a tie each."
    for (one, other), estimate in found.ratings.differences.items():
        sure = "" if (one, other) in found.clear else ", which may be chance"
        yield f"{one} over {other}: {_points(estimate)} points{sure}"
    if found.ratings.side is not None:
        yield f"The first seat is worth {_points(found.ratings.side)} points."
    if found.players and found.slope_with_rules.gain.n:
        yield from _rises(found.slope, found.slope_with_rules)
    if 1 < len(found.ratings.differences) != len(found.clear):
        yield "What may be chance is said of all pairs together (Bonferroni); each interval is the pair's own, at 95%."
    if found.ratings.players:
        yield "Ratings are on Elo's scale, 0 on average: 400 points are odds of ten to one before this judge."


def _rises(slope: Slope, with_rules: Slope) -> Iterator[str]:
    """What skill does to accuracy, or once why that is not known."""
    if told := rises(slope, _over(slope)):
        yield f"Where no rule decided, by ratings from these debates alone: {told}"
    else:
        too_few = "Too few debates have a verdict and no broken rule"
        why = "Every pair was rated alike" if slope.gain.n else too_few
        yield f"{why}, so nothing is known of what skill does to the judge's accuracy."
    if slope.gain.n != with_rules.gain.n and (told := rises(with_rules, _over(with_rules))):
        yield f"With the debates that a rule decided: {told}"


def _over(slope: Slope) -> str:
    weakest, best = slope.over
    return f"from the weakest pair ({weakest:+z.0f}) to the best ({best:+z.0f})"


def _points(estimate: Estimate) -> str:
    if estimate.point is None:
        return "no data"
    return f"{estimate.point:+z.0f} [{estimate.low:+z.0f}, {estimate.high:+z.0f}]"


def _share(estimate: Estimate) -> str:
    from gadfly.report._words import percent

    if estimate.point is None:
        return "–"
    return f"{percent(estimate.point)} [{percent(estimate.low)}, {percent(estimate.high)}]"
