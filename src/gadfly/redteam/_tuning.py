"""Attackers that learn: from questions that made a target fail, or by attacking it (Perez et al. 2022, section 3.1).

What is trained is an adapter on the attacker's own weights. It continues the same text as the zero-shot attacker, so it
serves wherever its model can: `gadfly redteam MODEL --attacker gadfly/smollm2+DIR`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gadfly.errors import InputError
from gadfly.judges import Judge
from gadfly.models import System
from gadfly.redteam._attacker import SAMPLING, Attacker
from gadfly.redteam._campaign import Campaign
from gadfly.redteam._questioning import Questioning
from gadfly.redteam._training_data import demonstrations, pairs_from
from gadfly.runs import Run
from gadfly.transcripts import Case, Judgement, Transcript

if TYPE_CHECKING:
    from gadfly.models import LocalModel
    from gadfly.training import Preferring, Reinforcement, Supervision, Trained

__all__ = ["Student", "learn_by_attacking", "learn_from_failures", "learn_from_pairs", "student"]


@dataclass(frozen=True)
class Student:
    """The attacker that learns: its base model in memory, and the adapter it begins from, if any."""

    system: System
    base: LocalModel
    start: Path | None = None
    instructed: bool = False


def student(system: System, instructed: bool = False) -> Student:
    """The attacker behind a local model. Raises `InputError` for a model whose weights are not here."""
    from gadfly.models import LocalModel
    from gadfly.training import learner_of

    name, adapter = learner_of(system)
    return Student(system, LocalModel.load(name), adapter, instructed)


def learn_from_failures(
    learner: Student,
    runs: Sequence[Run],
    output: Path,
    settings: Supervision | None = None,
    *,
    first: int | None = None,
) -> Trained:
    """Supervised: maximum likelihood on the questions of `runs` whose replies failed. `first` as in `demonstrations`.

    Raises `InputError` when no question failed, and what `supervise` raises.
    """
    from gadfly.training import supervise

    found = list(demonstrations(runs, first, learner.instructed))
    if not found:
        raise InputError(
            f"No question in {_named(runs)} made its target fail, so there is nothing to learn from: play more cases, "
            "or take another focus or judge."
        )
    return supervise(learner.base, found, output, settings, **_from(learner, runs))


def learn_from_pairs(
    learner: Student, runs: Sequence[Run], output: Path, settings: Preferring | None = None
) -> Trained:
    """Direct preference optimisation on the questions of `runs`, by what their own judges made of the replies.

    Raises `InputError` when no two questions can be compared, and what `prefer` raises.
    """
    from gadfly.training import prefer

    pairs = pairs_from(runs, instructed=learner.instructed)
    if not pairs:
        raise InputError(
            f"No two questions in {_named(runs)} were asked in the same place and scored differently, so none is "
            "preferred: play more cases, or take a judge with finer scores."
        )
    return prefer(learner.base, pairs, output, settings, **_from(learner, runs))


def _from(learner: Student, runs: Sequence[Run]) -> dict[str, Any]:
    """Where learning from runs begins, and what of them its directory remembers."""
    focuses = sorted({run.info["spec"]["focus"]["name"] for run in runs})
    return {"start": learner.start, "spec": {"instructed": learner.instructed, "focuses": focuses}}


def _named(runs: Sequence[Run]) -> str:
    return ", ".join(run.id for run in runs)


def learn_by_attacking(
    learner: Student,
    campaigns: Sequence[Campaign],
    output: Path,
    settings: Reinforcement | None = None,
    novelty: float = 0.0,
) -> Trained:
    """Reinforcement: the attacker attacks each campaign's target on its focus, step after step, and learns from the
    judge's score of the replies.

    With several campaigns each group of cases plays one of them in turn: an `instructed` attacker learns to tell them
    apart. Raises what `reinforce` raises, and `InputError` for a focus that asks its own templates.
    """
    from gadfly.training import Match, reinforce

    for campaign in campaigns:
        if campaign.focus.templates:
            raise InputError(
                f"{campaign.focus.name} asks its templates word for word, so no attacker can learn it."
            )

    def game(system: System) -> Several:
        attacker = Attacker(system, instructed=learner.instructed)
        return Several([Questioning(c.focus, attacker, c.target, c.turns, attempts=1) for c in campaigns])

    match = Match(
        game, Deciding({c.focus.name: c.judges[0] for c in campaigns}), sampling=SAMPLING, novelty=novelty
    )
    spec = {
        "instructed": learner.instructed,
        "novelty": novelty,
        "campaigns": [
            {
                "focus": c.focus.spec(),
                "judge": c.judges[0].name,
                "target": c.target.fingerprint(),
                "turns": c.turns,
            }
            for c in campaigns
        ],
    }
    return reinforce(learner.base, match, output, settings, start=learner.start, spec=spec)


@dataclass(frozen=True)
class Several:
    """Some games in turn, by the case's index: what one attacker learns from several focuses."""

    games: Sequence[Questioning]

    @property
    def name(self) -> str:
        return " and ".join(game.name for game in self.games)

    @property
    def players(self) -> Mapping[str, System]:
        """Every seat of every game."""
        return {f"{role} {n}": p for n, game in enumerate(self.games) for role, p in game.players.items()}

    def spec(self) -> dict[str, Any]:
        return {"games": [game.spec() for game in self.games]}

    async def play(self, case: Case) -> Transcript:
        """The case in the game whose turn it is, which counts its own cases from 0."""
        turn, within = case.index % len(self.games), case.index // len(self.games)
        return await self.games[turn].play(Case(case.id, within, case.seed, case.data))


@dataclass(frozen=True)
class Deciding:
    """Each focus's own judge."""

    judges: Mapping[str, Judge]

    @property
    def name(self) -> str:
        return " and ".join(judge.name for judge in self.judges.values())

    @property
    def threshold(self) -> float:
        return min(judge.threshold for judge in self.judges.values())

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """Every transcript by the judge of its focus, in order."""
        found: dict[str, Judgement] = {}
        for focus, judge in self.judges.items():
            own = [t for t in transcripts if t.metadata.get("focus") == focus]
            found |= {j.case_id: j for j in await judge.judge(own)}
        return [
            found.get(t.case.id) or Judgement.missing(t.case.id, self.name, "call_failed")
            for t in transcripts
        ]
