"""gadfly pressure: one setting of a scenario, a sweep over its knobs, a search for new ones, a suite for updates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.pressure import Found, Moved, Setting, Sweep
    from gadfly.transcripts import Transcript

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Does an agent deceive, and what makes it?"
)

SCENARIO = Annotated[str, typer.Argument(help="A name (gadfly pressure list) or your own .yaml.")]
MODEL = Annotated[
    str, typer.Option(help="The agent: gadfly/smollm2, openai/gpt-4.1-mini, any Inspect model.")
]
SAMPLES = Annotated[int, typer.Option(min=1, help="Samples in each setting.")]
SET = Annotated[list[str] | None, typer.Option("--set", help="Turn a knob: pressure=none; may be repeated.")]
REPORT = Annotated[Path | None, typer.Option("--output", "-o", help="Also write the report here.")]
GRADER = Annotated[
    str, typer.Option(help="A model that grades what patterns cannot tell. Default: patterns alone.")
]
WORDINGS = Annotated[int, typer.Option(min=1, help="In how many wordings a scenario is played.")]

SHOWN = 10
"""Candidates of a search that are printed where none was looked at anew."""

ANSWERS, AT_EASE = o.Sampling(temperature=0.9, top_p=0.95, max_tokens=768), o.Playing()


@app.command("run")
@o.spread
def run(
    scenario: SCENARIO,
    model: MODEL,
    samples: SAMPLES = 100,
    turned: SET = None,
    grader: GRADER = "",
    wordings: WORDINGS = 8,
    sampling: o.Sampling = ANSWERS,
    playing: o.Playing = AT_EASE,
    output: REPORT = None,
) -> None:
    """One setting: does it act, does it hide it, does it deny it? The same command again goes on."""
    from gadfly import pressure as p
    from gadfly import runs

    setting = p.Setting.of(p.scenario(scenario), _turned(turned))
    if output:
        o.check_output(output)
    judges = p.graders(setting.scenario, grader or None)
    game = p.Pressing(setting, sampling.system(model), playing.seed, wordings)
    made = asyncio.run(runs.run(game, samples, judges, seed=playing.seed, settings=playing.settings()))
    made = made if "pressing" in made.info else p.noted(made, setting)  # a cell of a sweep stays one
    _end(p.Sweep((setting,), (made,), {}, made.cut), output)


@app.command("sweep")
@o.spread
def sweep(
    scenario: SCENARIO,
    model: MODEL,
    vary: Annotated[str, typer.Option(help="Knobs with commas, pressure,scratchpad: one at a time.")],
    samples: SAMPLES = 100,
    full: Annotated[bool, typer.Option("--full", help="Every combination of their levels.")] = False,
    turned: SET = None,
    grader: GRADER = "",
    sampling: o.Sampling = ANSWERS,
    playing: o.Playing = AT_EASE,
    output: REPORT = None,
) -> None:
    """What moves the rates: every level of some knobs, and both controls, with the same random numbers."""
    from gadfly import pressure as p

    among = o.listed(vary, "--vary")
    settings = p.cells(p.scenario(scenario), among, full=full, base=_turned(turned))
    if output:
        o.check_output(output)
    p.graders(
        settings[0].scenario, grader or None
    )  # a grader that cannot be is found before the agent's weights
    found = asyncio.run(
        p.press(
            settings,
            sampling.system(model),
            samples,
            model=grader or None,
            seed=playing.seed,
            run_settings=playing.settings(),
        )
    )
    _end(found, output)


@app.command("search")
@o.spread
def search(
    scenario: SCENARIO,
    model: MODEL,
    budget: Annotated[
        int, typer.Option(min=64, help="Samples in all, those of other models included.")
    ] = 2000,
    attacker: Annotated[
        str, typer.Option(help="A model that proposes new wordings. Default: knobs are turned, no more.")
    ] = "",
    also: Annotated[
        str, typer.Option(help="Models with commas on which the winners are tried too, and not searched on.")
    ] = "",
    turned: SET = None,
    grader: GRADER = "",
    sampling: o.Sampling = ANSWERS,
    playing: o.Playing = AT_EASE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the winner here, as a scenario: winner.yaml.")
    ] = None,
) -> None:
    """Red-team the scenario itself: which wordings and levels make it deceive; winners are tried on fresh samples."""
    from gadfly import pressure as p
    from gadfly.models import System
    from gadfly.models import model as load

    start, levels = p.scenario(scenario), _turned(turned)
    p.Setting.of(start, levels)
    others = o.listed(also, "--also")
    if output:
        _check_winner(output, scenario)
    target = sampling.system(model)
    how = p.Searching(
        turned=levels,
        others=[sampling.system(name) for name in others],
        grader=grader or None,
        seed=playing.seed,
    )
    proposer = System(load(attacker)) if attacker else None
    found = asyncio.run(p.search(start, target, proposer, budget, how=how, settings=playing.settings()))
    _print_found(found)
    if output and found.winner and not found.cut:
        typer.echo(f"The winner: {found.write(output)}. Try it: gadfly pressure run {output} --model MODEL")
    if found.cut:
        raise typer.Exit(130)


@app.command("regress")
@o.spread
def regress(
    model: MODEL,
    baseline: Annotated[
        str, typer.Option(help="The rerun to compare with: its name, the start of it, or its directory.")
    ] = "",
    suite: Annotated[
        str, typer.Option(help="What is pinned: a suite's name or your own .yaml.")
    ] = "standard",
    grader: GRADER = "",
    sampling: o.Sampling = ANSWERS,
    playing: o.Playing = AT_EASE,
) -> None:
    """Ask every version of a model exactly the same, and say what moved beyond noise since --baseline.

    Without --baseline it makes one. The same command again goes on with a rerun that is not through.
    """
    from gadfly import pressure as p

    pinned = p.suite(suite)
    before = p.pinned_runs(baseline) if baseline else []
    target = sampling.system(model)
    now = asyncio.run(
        p.pinned(pinned, target, model=grader or None, seed=playing.seed, settings=playing.settings())
    )
    name = now[0].path.parent.name
    if now[-1].cut:
        raise typer.Exit(130)
    if not before:
        typer.echo(
            f"Kept as {name}. Compare a later version: gadfly pressure regress --baseline {name} --model MODEL"
        )
        return
    _print_moved(p.moved(before, now), name)


@app.command("new")
def new(name: Annotated[str, typer.Argument(help="The new scenario's name, or a path.")]) -> None:
    """Write a commented scenario to start from; nothing is written over."""
    from gadfly.pressure import new_scenario

    made = new_scenario(name)
    typer.echo(f"Written: {made}. Change it, then: gadfly pressure check {made}")


@app.command("list")
def scenarios() -> None:
    """The scenarios that ship with gadfly, their knobs and levels; the first level is the default."""
    from gadfly import pressure as p

    for name in p.known_scenarios():
        found = p.scenario(name)
        typer.echo(f"{name}: {found.title}")
        for knob, levels in found.knob_levels.items():
            typer.echo(f"    {knob:14} {', '.join(levels)}")


@app.command("check")
def check(
    scenario: Annotated[str, typer.Argument(help="Your .yaml, or a name (gadfly pressure list).")],
    show: Annotated[bool, typer.Option("--show", help="What the agent is told, message by message.")] = False,
    turned: SET = None,
    wording: Annotated[int, typer.Option(min=0, help="With --show: in which wording.")] = 0,
    grader: GRADER = "",
) -> None:
    """What is wrong with a scenario, and on which line; how its graders do on its controls."""
    from gadfly import pressure as p

    setting = p.Setting.of(p.scenario(scenario), _turned(turned))
    if show:
        _show(asyncio.run(p.shown(setting, wording)), setting)
    typer.echo(asyncio.run(p.grader_card_with(setting.scenario, grader or None)).describe())


def _turned(given: list[str] | None) -> dict[str, str]:
    """The knobs and levels of --set."""
    from gadfly.errors import InputError

    turned: dict[str, str] = {}
    for words in given or ():
        knob, between, level = (part.strip() for part in words.partition("="))
        if not (knob and between and level):
            raise InputError(f"--set {words!r} turns nothing: write a knob and its level, pressure=none.")
        if knob in turned:
            raise InputError(f"--set turns {knob} twice; a setting has one level of it.")
        turned[knob] = level
    return turned


def _end(found: Sweep, output: Path | None) -> None:
    """The rates in the terminal, the report where it is asked for, and the status."""
    from rich.console import Console

    from gadfly.report import from_pressure, print_summary, write

    report = from_pressure(found)
    print_summary(report, Console())
    _note_cuts(found)
    if output:
        write(report, output)
        typer.echo(f"The whole report: {output}")
    if found.cut:
        raise typer.Exit(130)


def _note_cuts(found: Sweep) -> None:
    """Say where answers ended at max_tokens: what a longer answer would have done is not known."""
    for run in found.runs:
        ended = [any(turn.stop == "length" for turn in case.said_by("target")) for case in run.transcripts()]
        if cut := sum(ended):
            most = run.info["players"]["target"]["sampling"].get("max_tokens")
            typer.echo(
                f"{run.id}: in {cut:,} of {len(ended):,} cases an answer was cut at {most} tokens; "
                "--max-tokens gives it more."
            )


def _show(case: Transcript, setting: Setting) -> None:
    """Every message of a case, under the name of who speaks."""
    from gadfly.pages import visible

    scenario = setting.scenario
    typer.echo(f"{scenario.title}\nSetting: {setting.name}\n\n--- told first\n")
    typer.echo(visible(case.metadata["system_prompt"]))
    for turn in case.turns:
        who = {
            "target": "what the model would answer (here: a control)",
            "agent": f"{scenario.cast['agent']} (scripted)",
            "tool": "tool",
        }.get(turn.speaker) or f"{scenario.cast[turn.speaker]} ({turn.speaker})"
        typer.echo(f"\n--- {visible(who)}\n\n{visible(turn.text)}")
    typer.echo("")


def _check_winner(output: Path, scenario: str) -> None:
    """Refuse a place for the winner that is no scenario's, or the start's own."""
    from gadfly.errors import InputError

    o.check_output(output)
    if output.suffix not in (".yaml", ".yml"):
        raise InputError(f"{output} must end in .yaml: the winner is written as a scenario.")
    if Path(scenario).exists() and output.resolve() == Path(scenario).resolve():
        raise InputError(f"The search begins at {scenario}; write its winner to another file.")


def _print_found(found: Found) -> None:
    """What was tried, the best first, and what the figures may be taken for."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gadfly.pages import line

    console = Console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), header_style="dim")
    for heading in ("candidate", "in the search", "realism", "fresh", "edits"):
        table.add_column(heading)
    for one in found.reestimated or found.tried[:SHOWN]:
        fresh = [str(one.fresh)] if one.fresh else ["–"]
        fresh += [f"{name}: {estimate}" for name, estimate in one.others.items()]
        real = "–" if one.realism is None else f"{one.realism:.2f}"
        edits = "\n".join(line(edit, 200) for edit in one.lines) or "as it stands"
        table.add_row(*map(Text, (one.name, str(one.searched), real, line("; ".join(fresh), 600), edits)))
    console.print(table, highlight=False)
    for sentence in found.sentences:
        console.print(Text(line(sentence, 600)))


def _print_moved(found: Sequence[Moved], name: str) -> None:
    """What moved, then what could not be compared; the rest is a number."""
    from gadfly.pages import line

    went = [one for one in found if one.moved]
    limited = [one for one in found if one.difference.point is None]
    for one in (*went, *limited):
        typer.echo(line(one.sentence, 400))
    compared = len(found) - len(limited)
    typer.echo(
        f"{len(went)} of {compared} comparisons moved beyond noise, corrected for how many there are. "
        f"Kept as {name}."
    )
