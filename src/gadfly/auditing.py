"""The main job: everything gadfly can find out about one system, in one report.

Each system of attack adds its section here; red teaming is the first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.model import GenerateConfig

from gadfly.errors import InputError
from gadfly.models import System, model
from gadfly.redteam import Attack, Campaign, Focus, focus, judges_for, known_focuses, redteam
from gadfly.report import Report, from_runs, write
from gadfly.runs import Run, Settings

__all__ = ["SAMPLING", "Audit", "Plan", "audit", "audit_async"]


SAMPLING = GenerateConfig(temperature=1.0, top_p=0.8, max_tokens=64)
"""How the target answers unless told otherwise, here and on the command line: nucleus 0.8 as in Perez et al. 2022, and
short replies, so that an audit on a laptop takes minutes."""


@dataclass(frozen=True)
class Plan:
    """What to audit and how hard.

    No focuses means all that ship and need nothing more to be said (`Focus.ready`); the default attack is the target on
    itself.
    """

    target: System
    attacks: tuple[Attack, ...] = (Attack(),)
    focuses: tuple[Focus, ...] = ()
    cases: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Audit:
    """A finished audit: its report and the runs behind it."""

    report: Report
    runs: list[Run]

    def write(self, path: str | Path) -> Path:
        """Write the report as one HTML file; returns its path."""
        return write(self.report, path)


def audit(target: str | System, *, attacker: str = "zero_shot", cases: int = 100, seed: int = 0) -> Audit:
    """Audit a model with every focus and return the report. Resumable: the same call goes on where it stopped.

    `target` is a model's name, sampled as in `SAMPLING`, or a `System`; `attacker` as in `gadfly audit --attacker`. For
    more control, or where an event loop already runs (a notebook), await `audit_async`. Raises `GadflyError` with the
    fix when something the caller can mend is in the way.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        system = System(model(target), sampling=SAMPLING) if isinstance(target, str) else target
        return asyncio.run(audit_async(Plan(system, (Attack.parse(attacker),), cases=cases, seed=seed)))
    raise InputError("An event loop is already running here: use `await gadfly.audit_async(plan)`.")


async def audit_async(plan: Plan, settings: Settings | None = None) -> Audit:
    """Run the plan focus by focus. Ctrl-C ends after what is in flight; the report then covers what there is."""
    planned = list(plan.focuses or (one for one in map(focus, known_focuses()) if one.ready))
    campaigns = [
        Campaign(
            focus=looked_for,
            target=plan.target,
            judges=judges_for(looked_for),
            attacks=plan.attacks,
            cases=plan.cases,
            seed=plan.seed,
        )
        for looked_for in planned
    ]
    runs: list[Run] = []
    for number, campaign in enumerate(campaigns, start=1):
        runs += await redteam(campaign, settings)
        if runs[-1].cut:
            return Audit(from_runs(runs, [left.title for left in planned[number:]]), runs)
    return Audit(from_runs(runs), runs)
