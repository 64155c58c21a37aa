"""gadfly debate slope: is the judge right more often where debaters are better?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.words import plural

if TYPE_CHECKING:
    from gadfly.stats import Slope


def slope(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="SKILL:RUN, two or more of one set before one judge: any number that grows with how well they argue, "
            "such as 1, 4 and 16 drafts of a best_of, or a tournament's points."
        ),
    ],
    judge: Annotated[str, typer.Option(help="Whose verdicts. Default: those that decided the runs.")] = "",
) -> None:
    """Say how a judge's accuracy rises with its debaters' skill: what the case for debate, or for any other protocol,
    rests on.
    """
    from gadfly import debate as d
    from gadfly.runs import open_run

    rated = [(skill, open_run(run).as_judged_by(judge)) for skill, run in map(_rated, runs)]
    for who, rules in (("Where no rule decided", False), ("With those that a rule decided", True)):
        found = d.skill_slope(rated, rules=rules)
        least, most = found.over
        told = rises(found, f"from skill {least:g} to {most:g}")
        typer.echo(f"{who}: {told or 'nobody can tell; no question has a verdict on two skills.'}")


def rises(found: Slope, over: str) -> str:
    """What skill does to accuracy, and to its log-odds, `over` its range in words; empty where nobody can tell."""
    from gadfly.report._words import amount, difference

    gain, odds, span = found.gain, found.log_odds, found.over[1] - found.over[0]
    if gain.point is None or odds.point is None:
        return ""
    odds = replace(odds, point=span * odds.point, low=span * odds.low, high=span * odds.high)
    missing = f", {gain.missing:,} missing" if gain.missing else ""
    return (
        f"accuracy {difference(gain)}, n = {gain.n:,} on {plural(gain.clusters, 'question')}{missing}, {over}; the "
        f"log-odds of being right change by {amount(odds, 2)}."
    )


def _rated(spec: str) -> tuple[float, str]:
    from gadfly.errors import InputError

    skill, colon, run = spec.partition(":")
    try:
        number = float(skill)
    except ValueError:
        number = math.nan
    if not (colon and run and math.isfinite(number)):
        raise InputError(
            f"{spec!r} does not say whose skill: write SKILL:RUN, as in 4:debate-debate-smollm2-1."
        )
    return number, run
