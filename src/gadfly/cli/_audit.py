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
    focus: Annotated[list[str] | None, typer.Option(help="Only these focuses; may be repeated.")] = None,
    sampling: o.Sampling = SHORT,
    playing: o.Playing = AT_EASE,
    output: o.OUTPUT = Path("report.html"),
) -> None:
    """Find out whether a model can be trusted: every focus, one report. The same command again goes on."""
    from rich.console import Console

    from gadfly.auditing import Plan, audit_async
    from gadfly.redteam import Attack
    from gadfly.redteam import focus as named
    from gadfly.report import print_summary, write

    o.check_output(output)
    plan = Plan(
        focuses=tuple(map(named, focus or ())),
        attacks=tuple(map(Attack.parse, attacker or ["zero_shot"])),
        target=sampling.system(model),
        cases=cases,
        seed=playing.seed,
    )
    done = asyncio.run(audit_async(plan, playing.settings()))
    console = Console()
    print_summary(done.report, console)
    write(done.report, output)
    console.print(f"The whole report: {output}", markup=False, highlight=False)
    o.interrupted(done.runs)
