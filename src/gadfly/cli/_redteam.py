"""gadfly redteam: one focus; one model under one or several attackers, or several under each of several."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.judges import Judge
    from gadfly.models import System
    from gadfly.redteam import Campaign, Focus
    from gadfly.report import Report
    from gadfly.runs import Settings


@dataclass(frozen=True)
class Judging:
    """Who decides what a failure is."""

    judge: Annotated[
        str,
        typer.Option(help="Who decides: a name (gadfly judges), model_judge:MODEL, leaks_corpus:DIRECTORY."),
    ] = ""
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Where a score becomes a failure.")
    ] = None
    then: Annotated[str, typer.Option(help="A slower judge for what reaches the threshold.")] = ""

    def judges(self, focus: Focus) -> list[Judge]:
        """The judge that decides, and those that only describe."""
        from gadfly.redteam import judges_for

        return judges_for(focus, self.judge, self.threshold, self.then)


@dataclass(frozen=True)
class Sides:
    """Who attacks whom: one MODEL, or a matrix of --attackers and --targets."""

    model: Annotated[
        str,
        typer.Argument(
            help="The target: gadfly/smollm2, openai/gpt-4.1-mini, any Inspect model. Several: --targets."
        ),
    ] = ""
    attacker: Annotated[
        list[str] | None, typer.Option(help="zero_shot, few_shot, a model, or METHOD:MODEL; may be repeated.")
    ] = None
    attackers: Annotated[
        str, typer.Option(help="With --targets: attackers with commas, A,B. Default: the targets themselves.")
    ] = ""
    targets: Annotated[str, typer.Option(help="Several targets with commas, X,Y: who breaks whom.")] = ""
    ladder: Annotated[
        bool,
        typer.Option(
            "--ladder",
            help="zero-shot, few-shot, supervised and rl by one local attacker, --cases queries each.",
        ),
    ] = False

    def check(self) -> None:
        """Raise `InputError` when the options contradict each other."""
        from gadfly.errors import InputError

        if self.model and self.targets:
            raise InputError("Name one MODEL or several with --targets X,Y, not both.")
        if not self.model and not self.targets:
            raise InputError("Name the MODEL to attack, or several with --targets X,Y.")
        if self.attackers and not self.targets:
            raise InputError("--attackers A,B goes with --targets X,Y; against one MODEL, repeat --attacker.")
        if self.ladder and (self.targets or len(self.attacker or ()) > 1):
            raise InputError("--ladder climbs with one attacker against one MODEL.")
        if self.attacker and self.targets:
            raise InputError("With --targets, attackers are named together: --attackers A,B.")

    def target_names(self) -> list[str]:
        """The targets' names."""
        return o.listed(self.targets, "--targets") or [self.model]

    def attacks(self) -> list[str]:
        """The attacks, as `Attack.parse` takes them."""
        if self.targets:
            return o.listed(self.attackers or self.targets, "--attackers")
        return self.attacker or ["zero_shot"]


NOBODY, BY_FOCUS, ANSWERS, AT_EASE = Sides(), Judging(), o.Sampling(max_tokens=128), o.Playing()


@o.spread
def redteam(
    sides: Sides = NOBODY,
    focus: Annotated[
        str, typer.Option(help="What to look for: a name (gadfly focuses) or your own .yaml.")
    ] = "general",
    cases: o.CASES = 500,
    turns: o.TURNS = 1,
    judging: Judging = BY_FOCUS,
    pool: Annotated[list[str] | None, typer.Option(help="Earlier runs for few_shot to learn from.")] = None,
    sampling: o.Sampling = ANSWERS,
    playing: o.Playing = AT_EASE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the report here.")] = None,
) -> None:
    """Attack a model and count its failures. The same command again goes on where it stopped."""
    from rich.console import Console

    from gadfly import redteam as rt
    from gadfly.report import print_summary, write
    from gadfly.runs import open_run

    if output:
        o.check_output(output)
    sides.check()
    looked_for = rt.focus(focus)  # what costs nothing to check comes first, the targets' weights last
    pooled, judges = [open_run(name) for name in pool or ()], judging.judges(looked_for)
    systems = [sampling.system(name) for name in sides.target_names()]
    campaign = rt.Campaign(
        focus=looked_for,
        target=systems[0],
        judges=judges,
        attacks=[rt.Attack.parse(text) for text in sides.attacks()],
        cases=cases,
        turns=turns,
        seed=playing.seed,
        pool=pooled,
    )
    found, status = _played(sides, campaign, systems, playing.settings())
    print_summary(found, Console())
    if output:
        write(found, output)
    if status:
        raise typer.Exit(status)


def _played(
    sides: Sides, campaign: Campaign, systems: list[System], settings: Settings
) -> tuple[Report, int]:
    """The report of one attack, a matrix or a ladder, and the status to end with: 130 when Ctrl-C cut it."""
    from gadfly import redteam as rt
    from gadfly.report import from_ladder, from_matrix, from_runs

    if sides.ladder:
        climbed = rt.ladder(campaign, settings)
        return from_ladder(climbed), 130 * climbed.cut
    if sides.targets:
        made = asyncio.run(rt.matrix(campaign, systems, settings))
        return from_matrix(made), 130 if made.cut else 2 * bool(made.errors)
    runs = asyncio.run(rt.redteam(campaign, settings))
    return from_runs(runs), 130 * runs[-1].cut
