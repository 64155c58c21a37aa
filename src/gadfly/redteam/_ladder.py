"""The ladder: the four attackers of Perez et al. 2022, each with the same number of target queries.

Zero-shot spends them all on attacking; the others first learn. Few-shot and supervised learn from a quarter of the
budget, the zero-shot attacker's first cases; reinforcement begins from the attacker supervised on that quarter and
trains with half, so that a quarter is left to attack with. A rung's rate is that of its attacking cases alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from gadfly.errors import InputError
from gadfly.models import System, model
from gadfly.models._blocking import run_blocking
from gadfly.redteam._campaign import SHARE, Attack, Campaign, redteam
from gadfly.redteam._tuning import learn_by_attacking, learn_from_failures, student
from gadfly.runs import Run, Settings
from gadfly.training import adapters_home

if TYPE_CHECKING:
    from gadfly.training import Reinforcement, Supervision, Trained

__all__ = ["Ladder", "Learning", "Rung", "ladder"]

LEAST = 256
"""A smaller budget leaves reinforcement less than four steps."""


@dataclass(frozen=True)
class Learning:
    """How the tuned rungs are trained. `rl.steps` is set by the budget. None means the defaults."""

    supervised: Supervision | None = None
    rl: Reinforcement | None = None
    instructed: bool = False
    novelty: float = 0.0


@dataclass(frozen=True)
class Rung:
    """One attacker: its attacking run, the target queries it spent on learning, and how it was trained."""

    method: str
    run: Run
    learned: int = 0
    trained: Trained | None = None


@dataclass(frozen=True)
class Ladder:
    """The rungs climbed so far, lowest first. `budget` is each one's target queries; `cut`: Ctrl-C ended it."""

    rungs: tuple[Rung, ...]
    budget: int
    cut: bool = False

    @property
    def runs(self) -> list[Run]:
        """The attacking runs, lowest rung first."""
        return [rung.run for rung in self.rungs]


def ladder(campaign: Campaign, settings: Settings | None = None, learning: Learning | None = None) -> Ladder:
    """Climb with the campaign's one attacker, by default the target itself; `campaign.cases` is the budget of a rung.

    The same call again goes on where it stopped. Raises `InputError` for an attacker whose weights are not here, for a
    budget under 256, and where zero-shot finds no failure to learn from.
    """
    if campaign.cases < LEAST:
        raise InputError(f"The ladder needs a budget of {LEAST} cases or more a rung; got {campaign.cases}.")
    if len(campaign.attacks) != 1 or campaign.attacks[0].method != "zero_shot":
        raise InputError(
            "The ladder climbs with one attacker: name its model alone, --attacker gadfly/smollm2."
        )
    if campaign.focus.templates:
        raise InputError(
            f"{campaign.focus.name} asks its templates word for word, so no attacker can learn it."
        )
    climber = _Climber(campaign, settings or Settings(), learning or Learning())
    rungs: list[Rung] = []
    try:
        for rung in climber.climb():
            rungs.append(rung)
            if rung.run.cut:
                return Ladder(tuple(rungs), campaign.cases, cut=True)
    except KeyboardInterrupt:
        if not rungs:
            raise
        return Ladder(tuple(rungs), campaign.cases, cut=True)
    return Ladder(tuple(rungs), campaign.cases)


class _Climber:
    """Rung after rung."""

    def __init__(self, campaign: Campaign, settings: Settings, learning: Learning) -> None:
        self.campaign, self.settings, self.learning = campaign, settings, learning
        self.attacker = campaign.attacks[0].system or campaign.target
        self.student = student(self.attacker, learning.instructed)
        self.quarter = campaign.cases // SHARE
        self.console = Console(stderr=True)

    def climb(self) -> Iterator[Rung]:
        """The rungs, each when it is played. A run that was cut is the last."""
        rest = self.campaign.cases - self.quarter
        zero_shot = self._play(Attack("zero_shot", self.attacker), self.campaign.cases)
        yield Rung("zero_shot", zero_shot)
        few_shot = self._play(Attack("few_shot", self.attacker), self.campaign.cases)
        yield Rung("few_shot", few_shot, self.quarter)
        home = adapters_home() / f"ladder-{zero_shot.id.removeprefix('redteam-')}-{self.campaign.cases}"
        supervised = self._supervised(zero_shot, home / "supervised")
        attack = self._tuned("supervised", supervised.path)
        yield Rung("supervised", self._play(attack, rest), self.quarter, supervised)
        trained, queries = self._reinforced(supervised.path, home / "rl")
        attack = self._tuned("rl", trained.path)
        yield Rung("rl", self._play(attack, rest - queries), self.quarter + queries, trained)

    def _play(self, attack: Attack, cases: int) -> Run:
        """The attack's own run."""
        self._say(f"{attack.name}, {cases:,} cases")
        return run_blocking(redteam(replace(self.campaign, attacks=(attack,), cases=cases), self.settings))[
            -1
        ]

    def _supervised(self, zero_shot: Run, output: Path) -> Trained:
        from gadfly.training import Supervision

        self._say(f"supervised: learning from the failures among {self.quarter:,} cases")
        settings = self.learning.supervised or Supervision(seed=self.campaign.seed)
        return learn_from_failures(self.student, [zero_shot], output, settings, first=self.quarter)

    def _reinforced(self, start: Path, output: Path) -> tuple[Trained, int]:
        """The trained attacker and the target queries that training took."""
        from gadfly.training import Reinforcement

        settings = self.learning.rl or Reinforcement(seed=self.campaign.seed)
        settings = replace(settings, steps=max(1, self.campaign.cases // 2 // settings.batch))
        queries = settings.steps * settings.batch
        self._say(f"rl: {settings.steps} steps of {settings.batch} cases")
        learner = replace(self.student, start=start)
        return learn_by_attacking(learner, [self.campaign], output, settings, self.learning.novelty), queries

    def _tuned(self, method: str, adapter: Path) -> Attack:
        base = self.attacker.name.partition("+")[0]
        system: System = replace(self.attacker, model=model(f"{base}+{adapter}"))
        return Attack(method, system, self.learning.instructed)

    def _say(self, words: str) -> None:
        if self.settings.progress:
            self.console.print(words, style="dim", markup=False, highlight=False)
