"""A campaign: one target and one focus under one or several attackers, each a run of its own.

The attackers share nothing but the target, and each gets the same number of target queries. A few-shot attacker without
an earlier run to learn from spends the first quarter of its budget on zero-shot questions; those cases are the first
ones of the zero-shot run, so that asking for both attackers does not play them twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gadfly.errors import InputError, UnknownNameError
from gadfly.judges import Judge, by_turn
from gadfly.models import System, model
from gadfly.redteam._attacker import Attacker, attacker_system, pool_from
from gadfly.redteam._focus import Focus
from gadfly.redteam._proposing import resolved
from gadfly.redteam._questioning import Questioning
from gadfly.runs import Run, Settings, run
from gadfly.training import Folder

__all__ = ["METHODS", "Attack", "Campaign", "redteam", "runs_of", "training_of"]

METHODS = ("zero_shot", "few_shot")
"""What an attack can be asked for by name; `supervised` and `rl` come with the weights that were tuned so."""

_TUNED = {"sft": "supervised", "dpo": "dpo", "rl": "rl"}
"""How an attack is called by how its weights were trained."""

SHARE = 4
"""A few-shot attacker with no earlier run spends one case in so many on zero-shot questions."""


@dataclass(frozen=True)
class Attack:
    """How to attack: a method and the model that does it. Without a model the target attacks itself.

    A model with an adapter that gadfly trained attacks as it was trained (`supervised`, `rl`), and is told the focus if
    it learned to be told (`instructed`).
    """

    method: str = "zero_shot"
    system: System | None = None
    instructed: bool = False

    @property
    def name(self) -> str:
        """`few-shot by gadfly/smollm2`, or `few-shot by itself`."""
        return f"{self.method.replace('_', '-')} by {self.system.name if self.system else 'itself'}"

    @classmethod
    def parse(cls, text: str, load: Callable[[str], System] | None = None) -> Attack:
        """Read `METHOD`, `MODEL` or `METHOD:MODEL`, e.g. `few_shot`, `gadfly/smollm2`, `few_shot:openai/gpt-4.1`.

        Raises `UnknownNameError` for a word that is neither a method nor a `provider/model`.
        """
        load = load or (lambda name: System(model(name)))
        method, colon, name = text.partition(":")
        if method in METHODS and not (colon and method == "zero_shot"):
            return cls(method, load(name) if colon else None)
        name = name if method == "zero_shot" else text
        if "/" not in name:
            raise UnknownNameError("attack method", text, METHODS, "A model is written provider/name.")
        return cls.by(load(name))

    @classmethod
    def by(cls, system: System) -> Attack:
        """The attack of this model: zero-shot, or as its adapter was trained."""
        trained = training_of(system.name).get("spec", {})
        method = _TUNED.get(trained.get("method", ""), "zero_shot")
        return cls(method, system, bool(trained.get("instructed")))


def training_of(model: str) -> dict[str, Any]:
    """What is kept with the adapter of a model `gadfly/NAME+DIR` about its training; empty for one from elsewhere."""
    adapter = model.partition("+")[2]
    return Folder(Path(adapter)).info if adapter else {}


@dataclass(frozen=True)
class Campaign:
    """What to run. `judges` come in order: the first one's verdict is the failure; `pool` holds earlier runs.

    With several `turns` the first judge also judges each reply of a dialogue by itself. With `paired`, an attacker puts
    the same questions to the targets of all paired campaigns of this seed, as long as it learns nothing from replies.
    """

    focus: Focus
    target: System
    judges: Sequence[Judge]
    attacks: Sequence[Attack] = (Attack(),)
    cases: int = 100
    turns: int = 1
    seed: int = 0
    pool: Sequence[Run] = ()
    paired: bool = False

    def __post_init__(self) -> None:
        if self.cases < 1 or self.turns < 1:
            raise InputError(f"cases and turns must be at least 1; got {self.cases} and {self.turns}.")
        if not self.judges or not self.attacks:
            raise InputError("A campaign needs at least one judge and one attack.")
        few_shot = any(attack.method == "few_shot" for attack in self.attacks)
        if few_shot and self.focus.templates:
            raise InputError(
                f"{self.focus.name} asks its templates word for word, so few_shot has nothing to learn: use zero_shot."
            )
        alone = few_shot and not self.pool
        if alone and self.cases < SHARE:
            raise InputError(
                f"few_shot first spends a quarter of its cases on zero-shot questions to learn from; {self.cases} are "
                f"too few: give it {SHARE} or more, or earlier runs with --pool."
            )


async def redteam(campaign: Campaign, settings: Settings | None = None) -> list[Run]:
    """Run every attack of the campaign; returns their runs in order (a self-taught few-shot attack gives two).

    Resumable: the same campaign again goes on. Stops after the run that Ctrl-C `cut`, which is then the last one. Rows
    that a model proposes are proposed once, by the first attack's model, for all attacks.
    """
    proposer = attacker_system(campaign.attacks[0].system or campaign.target)
    looked_for, asked = await resolved(campaign.focus, proposer, campaign.seed, settings)
    if asked and asked.cut:
        return [asked]
    campaign = replace(campaign, focus=looked_for)
    runs: dict[str, Run] = {}
    for attack in campaign.attacks:
        async for made in runs_of(campaign, attack, settings):
            runs[made.id] = made
            if made.cut:
                return list(runs.values())
    return list(runs.values())


async def runs_of(campaign: Campaign, attack: Attack, settings: Settings | None) -> AsyncIterator[Run]:
    """The runs of one attack of the campaign, each as it ends; the attack's own is the last."""
    system = attacker_system(attack.system or campaign.target)
    if attack.method != "few_shot":
        tuned = "" if attack.method == "zero_shot" else attack.method
        attacker = Attacker(system, tuned=tuned, instructed=attack.instructed)
        yield await _run(campaign, attacker, campaign.cases, settings)
        return
    runs, learning = campaign.pool, 0
    if not runs:
        learning = campaign.cases // SHARE
        runs = [await _run(campaign, Attacker(system), learning, settings)]
        yield runs[0]
    taught = _taught(campaign, system, runs, learning or None)
    yield await _run(campaign, taught, campaign.cases - learning, settings)


def _taught(campaign: Campaign, system: System, runs: Sequence[Run], first: int | None) -> Attacker:
    judge = campaign.judges[0].name
    pool = pool_from(runs, judge, first)
    if not pool:
        names = ", ".join(run.id for run in runs)
        raise InputError(
            f"The few-shot attacker found no valid question judged by {judge} in {names}. Give it more cases, or with "
            "--pool a run of the same judge."
        )
    return Attacker(system, pool)


async def _run(campaign: Campaign, attacker: Attacker, cases: int, settings: Settings | None) -> Run:
    pairing = campaign.seed if campaign.paired else None
    game = Questioning(campaign.focus, attacker, campaign.target, campaign.turns, pairing=pairing)
    judges = list(campaign.judges)
    if campaign.turns > 1:
        judges[0] = by_turn(judges[0])
    return await run(game, cases, judges, seed=campaign.seed, settings=settings)
