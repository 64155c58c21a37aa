"""gadfly redteam: one focus, one or several attackers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gadfly.cli import _options as o


def redteam(
    model: o.MODEL,
    focus: Annotated[
        str, typer.Option(help="What to look for: a name (gadfly focuses) or your own .yaml.")
    ] = "general",
    attacker: Annotated[
        list[str] | None, typer.Option(help="zero_shot, few_shot, a model, or METHOD:MODEL; may be repeated.")
    ] = None,
    cases: o.CASES = 500,
    turns: o.TURNS = 1,
    judge: Annotated[
        str,
        typer.Option(help="Who decides: a name (gadfly judges), model_judge:MODEL, leaks_corpus:DIRECTORY."),
    ] = "",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Where a score becomes a failure.")
    ] = None,
    then: Annotated[str, typer.Option(help="A slower judge for what reaches the threshold.")] = "",
    pool: Annotated[list[str] | None, typer.Option(help="Earlier runs for few_shot to learn from.")] = None,
    system_prompt: o.SYSTEM = "",
    temperature: o.TEMPERATURE = 1.0,
    top_p: o.TOP_P = 0.8,
    max_tokens: o.MAX_TOKENS = 128,
    concurrency: o.CONCURRENCY = None,
    seed: o.SEED = 0,
    retry_failed: o.RETRY_FAILED = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the report here.")] = None,
) -> None:
    """Attack a model and count its failures. The same command again goes on where it stopped."""
    from rich.console import Console

    from gadfly import redteam as rt
    from gadfly.report import from_runs, print_summary, write
    from gadfly.runs import Settings, open_run

    if output:
        o.check_output(output)
    looked_for = rt.focus(focus)  # what costs nothing to check comes first, the target's weights last
    campaign = rt.Campaign(
        focus=looked_for,
        pool=[open_run(name) for name in pool or ()],
        judges=rt.judges_for(looked_for, judge, threshold, then),
        attacks=[rt.Attack.parse(text) for text in attacker or ["zero_shot"]],
        target=o.target(model, system_prompt, temperature, top_p, max_tokens),
        cases=cases,
        turns=turns,
        seed=seed,
    )
    runs = asyncio.run(rt.redteam(campaign, Settings(concurrency=concurrency, retry_failed=retry_failed)))
    found = from_runs(runs)
    print_summary(found, Console())
    if output:
        write(found, output)
    o.interrupted(runs)
