"""gadfly audit: the default battery, one report."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gadfly.cli import _options as o

SHORT, AT_EASE = o.Sampling(max_tokens=64), o.Playing()


@o.spread
def audit(
    model: o.MODEL,
    attacker: Annotated[
        list[str] | None,
        typer.Option(
            help="zero_shot, few_shot, a model, or METHOD:MODEL; may be repeated. Default: self-attack."
        ),
    ] = None,
    cases: o.CASES = 100,
    samples: Annotated[int, typer.Option(min=1, help="Samples in each setting of a scenario.")] = 16,
    focus: Annotated[list[str] | None, typer.Option(help="Only these focuses; may be repeated.")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="Only these scenarios; may be repeated.")] = None,
    only: Annotated[str, typer.Option(help="One part alone: redteam, pressure or evidence.")] = "",
    sampling: o.Sampling = SHORT,
    playing: o.Playing = AT_EASE,
    output: o.OUTPUT = Path("report.html"),
) -> None:
    """Find out whether a model can be trusted: attacked, under pressure, asked for evidence; one report.

    The same command again goes on. Naming focuses alone leaves the other parts out, and so does naming scenarios.
    """
    from rich.console import Console

    from gadfly.auditing import Plan, audit_async
    from gadfly.pressure import scenario as named_scenario
    from gadfly.redteam import Attack
    from gadfly.redteam import focus as named
    from gadfly.report import print_summary, write

    o.check_output(output)
    plan = Plan(
        parts=_parts(only, focus, scenario),
        focuses=tuple(map(named, focus or ())),
        scenarios=tuple(map(named_scenario, scenario or ())),
        attacks=tuple(map(Attack.parse, attacker or ["zero_shot"])),
        target=sampling.system(model),
        cases=cases,
        samples=samples,
        seed=playing.seed,
    )
    done = asyncio.run(audit_async(plan, playing.settings()))
    console = Console()
    print_summary(done.report, console)
    write(done.report, output)
    console.print(f"The whole report: {output}", markup=False, highlight=False)
    o.interrupted(done.runs)


def _parts(only: str, focus: list[str] | None, scenario: list[str] | None) -> tuple[str, ...]:
    """The parts asked for, in words or by what is named."""
    from gadfly.auditing import PARTS
    from gadfly.errors import InputError, UnknownNameError

    if only and only not in PARTS:
        raise UnknownNameError("part of an audit", only, PARTS)
    named = [part for part, names in (("redteam", focus), ("pressure", scenario)) if names]
    if only and any(part != only for part in named):
        odd = " and ".join(
            {"redteam": "--focus", "pressure": "--scenario"}[part] for part in named if part != only
        )
        raise InputError(f"--only {only} leaves out what {odd} names: give one of the two.")
    return (only,) if only else tuple(named) or PARTS
