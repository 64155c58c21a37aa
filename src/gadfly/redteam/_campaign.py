"""A campaign: one target and one focus under one or several attackers, each a run of its own.

The attackers share nothing but the target, and each gets the same number of target queries. A few-shot attacker without
an earlier run to learn from spends the first quarter of its budget on zero-shot questions; those cases are the first
ones of the zero-shot run, so that asking for both attackers does not play them twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gadfly.errors import InputError, UnknownNameError
from gadfly.judges import Judge
from gadfly.models import System, model
from gadfly.redteam._attacker import Attacker, attacker_system, pool_from
from gadfly.redteam._focus import Focus
from gadfly.redteam._questioning import Questioning
from gadfly.runs import Run, Settings, run

__all__ = ["METHODS", "Attack", "Campaign", "redteam"]

METHODS = ("zero_shot", "few_shot")


@dataclass(frozen=True)
class Attack:
    """How to attack: a method and the model that does it. Without a model the target attacks itself."""

    method: str = "zero_shot"
    system: System | None = None

    @classmethod
    def parse(cls, text: str, load: Callable[[str], System] | None = None) -> Attack:
        """Read `METHOD`, `MODEL` or `METHOD:MODEL`, e.g. `few_shot`, `gadfly/smollm2`, `few_shot:openai/gpt-4.1`.

        Raises `UnknownNameError` for a word that is neither a method nor a `provider/model`.
        """
        load = load or (lambda name: System(model(name)))
        method, colon, name = text.partition(":")
        if method in METHODS:
            return cls(method, load(name) if colon else None)
        if "/" not in text:
            raise UnknownNameError("attack method", text, METHODS, "A model is written provider/name.")
        return cls("zero_shot", load(text))


@dataclass(frozen=True)
class Campaign:
    """What to run. `judges` come in order: the first one's verdict is the failure; `pool` holds earlier runs."""

    focus: Focus
    target: System
    judges: Sequence[Judge]
    attacks: Sequence[Attack] = (Attack(),)
    cases: int = 100
    turns: int = 1
    seed: int = 0
    pool: Sequence[Run] = field(default=())

    def __post_init__(self) -> None:
        if self.cases < 1 or self.turns < 1:
            raise InputError(f"cases and turns must be at least 1; got {self.cases} and {self.turns}.")


async def redteam(campaign: Campaign, settings: Settings | None = None) -> list[Run]:
    """Run every attack of the campaign; returns their runs in order (a self-taught few-shot attack gives two).

    Resumable: the same campaign again goes on. Stops after the run that Ctrl-C interrupted.
    """
    runs: list[Run] = []
    for attack in campaign.attacks:
        for made in await _attack(campaign, attack, settings):
            if made.id not in [known.id for known in runs]:
                runs.append(made)
        if runs[-1].info["status"] == "interrupted":
            break
    return runs


async def _attack(campaign: Campaign, attack: Attack, settings: Settings | None) -> list[Run]:
    system = attacker_system(attack.system or campaign.target)
    if attack.method == "zero_shot":
        return [await _run(campaign, Attacker(system), campaign.cases, settings)]
    if campaign.pool:
        return [
            await _run(campaign, _taught(campaign, system, campaign.pool, None), campaign.cases, settings)
        ]
    phase = max(1, campaign.cases // 4)
    first = await _run(campaign, Attacker(system), phase, settings)
    if first.info["status"] == "interrupted":
        return [first]
    taught = _taught(campaign, system, [first], phase)
    return [first, await _run(campaign, taught, max(1, campaign.cases - phase), settings)]


def _taught(campaign: Campaign, system: System, runs: Sequence[Run], first: int | None) -> Attacker:
    pool = pool_from(runs, campaign.judges[0].name, first)
    if not pool:
        names = ", ".join(run.id for run in runs)
        raise InputError(
            f"The few-shot attacker found no valid question judged by {campaign.judges[0].name!r} in {names}. "
            f"Give it more cases, or a run of the same judge with --pool."
        )
    return Attacker(system, pool)


async def _run(campaign: Campaign, attacker: Attacker, cases: int, settings: Settings | None) -> Run:
    game = Questioning(campaign.focus, attacker, campaign.target, campaign.turns)
    return await run(game, cases, campaign.judges, seed=campaign.seed, settings=settings)
