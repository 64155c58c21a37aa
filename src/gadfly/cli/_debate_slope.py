"""gadfly debate slope: is the judge right more often where debaters are better?"""

from __future__ import annotations

import math
from typing import Annotated

import typer

from gadfly.cli import _options as o


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
    from gadfly.report._words import difference
    from gadfly.runs import open_run

    rated = [(skill, open_run(run).as_judged_by(judge)) for skill, run in map(_rated, runs)]
    for who, rules in (("Where no rule decided", False), ("With those that a rule decided", True)):
        found = d.skill_slope(rated, rules=rules)
        gain, (least, most) = found.gain, found.over
        if gain.point is None:
            typer.echo(f"{who}: nobody can tell; there is no verdict, or only on one skill.")
            continue
        typer.echo(
            f"{who}: accuracy {difference(gain)}, n = {gain.n}, from skill {least:g} to {most:g}; a unit of skill "
            f"changes the log-odds of being right by {o.unitless(found.log_odds)}."
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
