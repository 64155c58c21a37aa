"""Who breaks whom: several attackers against several targets, each pair with the same number of target queries.

Every pair is a run of its own, kept and resumed like any other. Pairs are paired by seed: what an attacker asks before
it has learned from replies is the same for every target, so that targets are compared on the same questions. A pair
that cannot be played (a refused key, an attacker that finds no question) says why and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from gadfly.errors import GadflyError, InputError
from gadfly.models import System
from gadfly.pages import line
from gadfly.redteam._attacker import attacker_system
from gadfly.redteam._campaign import Attack, Campaign, runs_of
from gadfly.redteam._proposing import resolved
from gadfly.runs import Run, Settings

__all__ = ["Matrix", "Pair", "matrix"]


@dataclass(frozen=True)
class Pair:
    """One attack on one target. `runs` are its runs, the attack's own last: a self-taught few-shot attack has an
    earlier one, in which it learned. Empty, it was not played; `error` says why a pair stopped before its end.
    """

    attack: Attack
    target: System
    runs: tuple[Run, ...] = ()
    error: str = ""

    @property
    def run(self) -> Run | None:
        """The run whose cases count; None when the attack's own was not reached."""
        found = [run for run in self.runs if run.info["spec"]["attacker"]["method"] == self.attack.method]
        return found[-1] if found else None

    @property
    def symmetric(self) -> bool:
        """Whether the target attacks itself: the same model in both seats, however it is sampled."""
        return self.attack.system is None or self.attack.system.name == self.target.name

    @property
    def name(self) -> str:
        """`few-shot by gadfly/smollm2 against openai/gpt-4.1`."""
        return f"{self.attack.name} against {self.target.name}"


@dataclass(frozen=True)
class Matrix:
    """Every pair, attack by attack and within one target by target. `cut`: Ctrl-C ended it before the last."""

    pairs: tuple[Pair, ...]
    proposals: tuple[Run, ...] = ()
    cut: bool = False

    @property
    def runs(self) -> list[Run]:
        """Every run once, in order; without any, what was proposed for the attacks that Ctrl-C kept from beginning."""
        found = {run.id: run for pair in self.pairs for run in pair.runs}
        return list(found.values()) or list(self.proposals)

    @property
    def errors(self) -> list[str]:
        """A sentence for each pair that could not be played to its end."""
        return [f"{pair.name}: {pair.error}" for pair in self.pairs if pair.error]


async def matrix(campaign: Campaign, targets: Sequence[System], settings: Settings | None = None) -> Matrix:
    """Play every attack of the campaign against every one of `targets`, which stand in place of the campaign's own.

    Resumable: the same call again goes on. Ctrl-C finishes what is in flight and ends the whole. Raises `InputError`
    for no targets and for one or an attack given twice; the error of the first pair when every pair failed.
    """
    settings = settings or Settings()
    _check(campaign.attacks, targets)
    proposer = attacker_system(campaign.attacks[0].system or targets[0])
    looked_for, asked = await resolved(campaign.focus, proposer, campaign.seed, settings)
    pairs = [Pair(attack, target) for attack in campaign.attacks for target in targets]
    if asked and asked.cut:
        return Matrix(tuple(pairs), (asked,), cut=True)
    campaign = replace(campaign, focus=looked_for, paired=True)
    failures: list[GadflyError] = []
    for number, pair in enumerate(pairs):
        if settings.progress:
            _say(f"Pair {number + 1} of {len(pairs)}: {pair.name}")
        pairs[number], failure = await _play(campaign, pair, settings)
        if failure:
            failures.append(failure)
        if any(run.cut for run in pairs[number].runs):
            return Matrix(tuple(pairs), cut=True)
    if len(failures) == len(pairs):
        raise failures[0]
    return Matrix(tuple(pairs))


async def _play(campaign: Campaign, pair: Pair, settings: Settings) -> tuple[Pair, GadflyError | None]:
    """The pair with its runs as far as they came, and what stopped it."""
    runs: list[Run] = []
    try:
        async for made in runs_of(replace(campaign, target=pair.target), pair.attack, settings):
            runs.append(made)
            if made.cut:
                break
    except GadflyError as failure:
        return replace(pair, runs=tuple(runs), error=str(failure)), failure
    return replace(pair, runs=tuple(runs)), None


def _check(attacks: Sequence[Attack], targets: Sequence[System]) -> None:
    if not targets:
        raise InputError("A matrix needs at least one target.")
    for kind, keys in (
        ("target", [(_told_apart(target), target.name) for target in targets]),
        ("attacker", [((one.method, one.system and _told_apart(one.system)), one.name) for one in attacks]),
    ):
        seen = set()
        for key, name in keys:
            if key in seen:
                raise InputError(f"The {kind} {name} is named twice; name each once.")
            seen.add(key)


def _told_apart(system: System) -> str:
    """Two systems with the same one are the same, as far as can be told without loading weights."""
    return f"{system.name} {system.system_prompt!r} {system.sampling.model_dump_json()}"


def _say(words: str) -> None:
    Console(stderr=True).print(line(words, 400), markup=False, highlight=False, soft_wrap=True)
