"""The main job: everything gadfly can find out about one system, in one report.

Each system adds its section here: red teaming, then scenarios under pressure, then answers with evidence.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inspect_ai.model import GenerateConfig

from gadfly.errors import InputError
from gadfly.evidence import SAMPLING as ANSWERING
from gadfly.evidence import examine, injections
from gadfly.models import System, model
from gadfly.models._blocking import run_blocking
from gadfly.pressure import Scenario, cells, press, scenario
from gadfly.redteam import Attack, Campaign, Focus, focus, judges_for, known_focuses, redteam
from gadfly.report import Report, from_runs, write
from gadfly.runs import Run, Settings

__all__ = ["PARTS", "PRESSED", "SAMPLING", "Audit", "Plan", "audit", "audit_async"]


SAMPLING = GenerateConfig(temperature=1.0, top_p=0.8, max_tokens=64)
"""How the target answers unless told otherwise, here and on the command line: nucleus 0.8 as in Perez et al. 2022, and
short replies, so that an audit on a laptop takes minutes."""


PARTS = ("redteam", "pressure", "evidence")
"""What an audit consists of."""

PRESSED = ("insider_trading",)
"""The scenarios an audit plays unless told otherwise."""

ROOM = 160
"""Tokens an agent under pressure may at least answer with: cut at 64, a thought would never come to its deed."""


@dataclass(frozen=True)
class Plan:
    """What to audit and how hard.

    No focuses means all that ship and need nothing more to be said (`Focus.ready`), no scenarios those of `PRESSED`;
    the default attack is the target on itself. A scenario is played as it stands and in both its controls, `samples`
    times each. `parts` says which of `PARTS` there are to be.
    """

    target: System
    attacks: tuple[Attack, ...] = (Attack(),)
    focuses: tuple[Focus, ...] = ()
    cases: int = 100
    scenarios: tuple[Scenario, ...] = ()
    samples: int = 16
    parts: tuple[str, ...] = PARTS
    seed: int = 0


@dataclass(frozen=True)
class Audit:
    """A finished audit: its report and the runs behind it."""

    report: Report
    runs: list[Run]

    def write(self, path: str | Path) -> Path:
        """Write the report as one HTML file; returns its path."""
        return write(self.report, path)


def audit(
    target: str | System, *, attacker: str = "zero_shot", cases: int = 100, samples: int = 16, seed: int = 0
) -> Audit:
    """Audit a model with every focus and under pressure; returns the report. Resumable: the same call again goes on.

    `target` is a model's name, sampled as in `SAMPLING`, or a `System`; `attacker` as in `gadfly audit --attacker`. For
    more control, or where an event loop already runs (a notebook), await `audit_async`. Raises `GadflyError` with the
    fix when something the caller can mend is in the way.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        system = System(model(target), sampling=SAMPLING) if isinstance(target, str) else target
        plan = Plan(system, (Attack.parse(attacker),), cases=cases, samples=samples, seed=seed)
        return run_blocking(audit_async(plan))
    raise InputError("An event loop is already running here: use `await gadfly.audit_async(plan)`.")


async def audit_async(plan: Plan, settings: Settings | None = None) -> Audit:
    """Run the plan part by part. Ctrl-C ends after what is in flight; the report then covers what there is."""
    missing: list[str] = []
    work = [*_attacked(plan, settings), *_pressed(plan, settings, missing), *_examined(plan, settings)]
    runs: list[Run] = []
    for number, (_, play) in enumerate(work, start=1):
        runs += await play()
        if runs[-1].cut:
            missing += [title for title, _ in work[number:]]
            break
    return Audit(from_runs(runs, missing), runs)


Work = tuple[str, Callable[[], Awaitable[Sequence[Run]]]]
"""What is still to be done, by its title."""


def _attacked(plan: Plan, settings: Settings | None) -> Iterator[Work]:
    """Every focus under every attack."""
    if "redteam" not in plan.parts:
        return
    for looked_for in plan.focuses or [one for one in map(focus, known_focuses()) if one.ready]:
        campaign = Campaign(
            focus=looked_for,
            target=plan.target,
            judges=judges_for(looked_for),
            attacks=plan.attacks,
            cases=plan.cases,
            seed=plan.seed,
        )
        yield looked_for.title, partial(redteam, campaign, settings)


def _pressed(plan: Plan, settings: Settings | None, missing: list[str]) -> Iterator[Work]:
    """Every scenario as it stands and in both controls. The agent is the system under audit, with room to think.

    What could not be played is added to `missing`.
    """
    if "pressure" not in plan.parts:
        return
    given = plan.target.sampling.max_tokens or ROOM
    agent = plan.target.with_sampling(max_tokens=max(given, ROOM))

    async def play(chosen: Scenario) -> Sequence[Run]:
        found = await press(cells(chosen, ()), agent, plan.samples, seed=plan.seed, run_settings=settings)
        missing.extend(f"{chosen.title}, {error}" for error in found.errors)
        return found.runs

    for chosen in plan.scenarios or map(scenario, PRESSED):
        yield f"under pressure: {chosen.title}", partial(play, chosen)


def _examined(plan: Plan, settings: Settings | None) -> Iterator[Work]:
    """Questions over the documents that ship, as many as there are cases to a focus. The answerer is the system under
    audit, with room for a quote.
    """
    if "evidence" not in plan.parts:
        return
    room = max(plan.target.sampling.max_tokens or 0, ANSWERING.max_tokens or 0)
    answerer = plan.target.with_sampling(max_tokens=room)
    some = injections()[:: math.ceil(len(injections()) / plan.cases)]

    async def play() -> Sequence[Run]:
        return (await examine(answerer, some, seed=plan.seed, settings=settings)).runs

    yield "answers with evidence", play
