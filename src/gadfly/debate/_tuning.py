"""Debaters that learn by debating: from branches of their own debates, or from what each debate earned them.

What is trained is an adapter on the debater's own weights, and it speaks to the same prompts, so it sits wherever its
model can: `gadfly debate eval SET --debaters gadfly/smollm2+DIR`. The mean of what a player earns against itself stays
at one half whatever it learns; so what is kept of its progress is how often the judge prefers it to what it was at the
start, on questions that it has not learned from (`wins.jsonl`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from inspect_ai.model import GenerateConfig
from rich.console import Console

from gadfly.debate._branching import Branching, preferences
from gadfly.debate._chairs import SAMPLING, TOKENS_A_WORD, Player, Relayed, Said
from gadfly.debate._payoff import payoff
from gadfly.debate._position import Move
from gadfly.debate._practice import (
    SPEAKS,
    Bout,
    Contest,
    Practice,
    bout_play,
    contest,
    questions_digest,
    seatings,
)
from gadfly.errors import CallError, InputError
from gadfly.judges import question_key
from gadfly.models import System
from gadfly.models._blocking import run_blocking
from gadfly.runs import Settings, paired_seed, run
from gadfly.transcripts import Case, Judgement, Transcript, Usage

if TYPE_CHECKING:
    from gadfly.models import LocalModel
    from gadfly.training import Folder, Preference, Preferring, Reinforcement, Trained

__all__ = ["Branches", "learn_by_debating", "learn_from_branches", "learned_before"]


# --- from branches


@dataclass(frozen=True)
class Branches:
    """How to learn from branches. `iterations` times the player debates as it is by then, `branches` times in each seat
    of each question, and learns from what came of it.

    `gamma` says how surely a branch is preferred: by `gadfly.training.confidence`. `preferring` is None for its
    defaults.
    """

    iterations: int = 2
    branches: int = 1
    alternatives: int = 2
    rollouts: int = 1
    gamma: float = 7.0
    preferring: Preferring | None = None

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.branches < 1:
            raise InputError(
                f"iterations and branches are at least 1; got {self.iterations} and {self.branches}."
            )
        if self.gamma <= 0:
            raise InputError(f"gamma is above 0, or the worse branch would be preferred; got {self.gamma}.")


def learn_from_branches(
    base: LocalModel,
    practice: Practice,
    output: Path,
    how: Branches | None = None,
    *,
    start: Path | None = None,
) -> Trained:
    """Direct preference optimisation with soft labels on branches of the player's own debates (Arnesen et al. 2024).

    `output` holds the adapter of the last iteration, each iteration's debates (`branches-1`) and training
    (`iteration-1`), and how often each wins against the start; killed at any moment, the same call goes on, and with
    more iterations it goes on from there. A row of the curve holds an iteration's `pairs`, how many of its debates
    `failed`, the mean `payoff` of its branches, and the training's last `loss`, `accuracy`, `margin` and `better`.
    Raises `InputError` when no two branches can be told apart, and what `prefer` raises.
    """
    from gadfly.training import Folder, Preferring, Trained

    how = how or Branches()
    preferring = how.preferring or Preferring()
    decides = {key: value for key, value in asdict(preferring).items() if key != "save_every"}
    spec = _described(base, practice, start) | {"method": "branches", "preferring": decides}
    spec |= {key: value for key, value in asdict(how).items() if key not in ("iterations", "preferring")}
    folder = Folder.open(output, spec)
    with folder.lock():
        folder.note(learned=_learned(practice, start))
        adapter = start
        for number in range(1, how.iterations + 1):
            learner = Iteration(base, practice, replace(how, preferring=preferring), folder, number)
            adapter = learner.learn(adapter, start)
        return Trained(output, list(folder.read("curve")))


@dataclass(frozen=True)
class Iteration:
    """One time round: debate as the player is by then, learn from the branches."""

    base: LocalModel
    practice: Practice
    how: Branches
    folder: Folder
    number: int

    def learn(self, adapter: Path | None, start: Path | None) -> Path:
        """The adapter after it, trained from `adapter`; at once where it is there already."""
        from gadfly.training import prefer

        where = self.folder.path / f"iteration-{self.number}"
        if all(row["step"] != self.number for row in self.folder.read("curve")):
            pairs, earned, failed = self._debated(adapter, start)
            trained = prefer(self.base, pairs, where, self.how.preferring, start=adapter)
            last = trained.curve[-1]
            for file in ("adapter_model.safetensors", "adapter_config.json"):
                _put(where / file, self.folder.path / file)
            row = {"pairs": len(pairs), "failed": failed, "payoff": earned, "loss": last["loss"]}
            row |= {name: last[name] for name in ("accuracy", "margin", "better")}
            self.folder.append("curve", [{"step": self.number, **row}])
        steps = max(self.number, self.folder.info.get("steps", 0))  # more may be there than are asked for now
        self.folder.note(status="complete", steps=steps)
        _measured(self.folder, self.number, self.practice, partial(_rivals, self.base, where, start))
        return where

    def _debated(self, adapter: Path | None, start: Path | None) -> tuple[list[Preference], float, int]:
        """The pairs of the branches of this iteration's debates, what a branch earned on average, and how many debates
        failed.
        """
        from gadfly.training import Folder

        player = Player.of(_playing(self.base, adapter))
        frozen = self.practice.opponent == "frozen"
        opponent = Player.of(_playing(self.base, start)) if frozen else player
        bout = Bout(self.practice.protocol, player, opponent, self.practice.judge)
        game = Branching(bout, self.how.alternatives, self.how.rollouts)
        preferring = self.how.preferring
        seed = paired_seed(preferring.seed if preferring else 0, self.number)
        cases = [
            one
            for again in range(self.how.branches)
            for one in seatings(self.practice.rows, self.practice.protocol, paired_seed(seed, again))
        ]
        learning = Folder(
            self.folder.path / f"iteration-{self.number}"
        ).begun  # from the branches as they are
        where = self.folder.path / f"branches-{self.number}"
        settings = Settings(directory=where, retry_failed=not learning)
        made = run_blocking(run(game, cases, seed=seed, settings=settings))
        if made.cut:
            raise KeyboardInterrupt
        found = preferences(made, self.how.gamma)
        failed = Counter(one.cause for one in made.transcripts() if one.outcome == "failed")
        if not found and failed:
            causes = ", ".join(f"{cause} {count:,}" for cause, count in failed.most_common())
            raise InputError(
                f"{failed.total():,} of {len(cases):,} debates in {made.path} failed ({causes}), and the others say "
                "nothing. The same call plays them again."
            )
        if not found:
            raise InputError(
                f"No two statements in {made.path} were worth differently to the judge, so there is nothing to learn: "
                "take more questions, another judge, or a protocol that is not lost at once."
            )
        return found, _mean_payoff(made.transcripts()), failed.total()


def _mean_payoff(transcripts: Any) -> float:
    branches = (branch for one in transcripts for branch in one.metadata.get("branches", ()))
    return fmean(worth for branch in branches for worth in branch["payoffs"] if worth is not None)


def _put(source: Path, target: Path) -> None:
    """Copy so that a kill leaves the old file or the new one."""
    draft = target.with_suffix(".part")
    shutil.copyfile(source, draft)
    draft.replace(target)


# --- by reinforcement


def learn_by_debating(
    base: LocalModel,
    practice: Practice,
    output: Path,
    settings: Reinforcement | None = None,
    *,
    start: Path | None = None,
    every: int = 25,
) -> Trained:
    """Reinforcement: the player debates, a seat at a time learning from its own payoff, step after step.

    Groups of cases play a question from one seat, the next group from the other. Only the calls of that seat are
    learned from; the opponent is the same weights, or the start's. Every `every` steps the player is measured against
    the start. The same call goes on where it stopped. Raises what `reinforce` raises.
    """
    from gadfly.training import Folder, Reinforcement, reinforce

    if every < 1:
        raise InputError(f"every is 1 or more; got {every}.")
    settings = settings or Reinforcement()
    match, spec = _match(base, practice, start), _described(base, practice, start)
    folder = Folder(output)
    stops = [
        step
        for step in range(every, settings.steps, every)
        if practice.measured and not _is_past(folder, step)
    ]
    if folder.done and folder.info.get("ended"):
        stops = [folder.info["steps"]]
    else:
        stops.append(settings.steps)
    for step in stops:
        trained = reinforce(base, match, output, replace(settings, steps=step), start=start, spec=spec)
        folder.note(learned=_learned(practice, start))
        last = trained.curve[-1]["step"] if trained.curve else step
        goes_on = step != stops[-1] and not trained.ended
        _measured(folder, last, practice, partial(_rivals, base, output, start), goes_on)
        if trained.ended:
            break
    return trained


def _is_past(folder: Folder, step: int) -> bool:
    """Whether a training has gone on beyond that step."""
    last = folder.last_checkpoint
    return last is not None and (
        int(last.name.rpartition("-")[2]) > step or any(row["step"] == step for row in folder.read("wins"))
    )


def _match(base: LocalModel, practice: Practice, start: Path | None) -> Any:
    """The match of a player that is trained in the seat that the case names."""
    from gadfly.training import Match

    protocol = practice.protocol
    words = max(step.words for step in protocol.steps if step.does in SPEAKS)
    room = int(words * protocol.rules.slack * TOKENS_A_WORD) + 8

    def game(system: System) -> SelfPlay:
        player = Player(system)
        frozen = practice.opponent == "frozen"
        opponent = Player(replace(_playing(base, start), sampling=system.sampling)) if frozen else player
        once = seatings(practice.rows, protocol)
        exchanged = [case | {"swapped": not case["swapped"]} for case in once]
        return SelfPlay(Bout(protocol, player, opponent, practice.judge), [*once, *exchanged])

    sampling = GenerateConfig(temperature=SAMPLING.temperature, max_tokens=room)
    return Match(game, practice.judge, earned, sampling)


def earned(transcript: Transcript, judgement: Judgement) -> float | None:
    """The payoff of the seat that the case trains."""
    return payoff(transcript, judgement, transcript.metadata["player"])


@dataclass(frozen=True)
class SelfPlay:
    """The debates of a training, by the case's index: of all that is said only the player's own statements are heard
    by who records calls, so that each is learned from with its own seat's payoff.
    """

    bout: Bout
    cases: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """As the debate's."""
        return self.bout.name

    @property
    def players(self) -> Mapping[str, System]:
        """Everyone who speaks."""
        return self.bout.players

    def spec(self) -> dict[str, Any]:
        """The debate's."""
        return self.bout.spec()

    async def play(self, case: Case) -> Transcript:
        """The case whose turn it is, with this case's own seed."""
        data = {
            key: value for key, value in self.cases[case.index % len(self.cases)].items() if key != "pair"
        }
        seat = str(data["seat"])
        table = self.bout.table(seat, Heard(self.bout.player, seat), Unheard(self.bout.opponent))
        return await bout_play(table, replace(case, data=data))


@dataclass(frozen=True)
class Unheard(Relayed):
    """A chair whose calls nobody records, so that nothing is learned from them."""

    async def say(self, move: Move) -> Said:
        """What the chair says."""
        from gadfly.models import recording

        with recording():  # the calls go into this list, and nobody looks at it
            return await self.chair.say(move)


@dataclass(frozen=True)
class Heard(Relayed):
    """The player's chair in one case: its statements are recorded, its quotes (masked) and choices (greedy) are not.

    A statement that breaks a rule has lost: a second try would be paid for what the first one did.
    """

    seat: str
    said: dict[int, Said | CallError] = field(default_factory=dict)

    async def say(self, move: Move) -> Said:
        """What the chair says, once; silence is not broken either."""
        if move.seat != self.seat or move.step.does not in SPEAKS:
            return await Unheard(self.chair).say(move)
        if (before := self.said.get(move.number)) is not None:
            if isinstance(before, CallError):
                raise CallError(str(before), before.cause, cut=before.cut)
            return replace(before, usage=Usage())
        try:
            said = await self.chair.say(move)
        except CallError as error:
            self.said[move.number] = error
            raise
        self.said[move.number] = said
        return said


def learned_before(adapter: Path | None) -> frozenset[str]:
    """The keys (`gadfly.judges.question_key`) of the questions that an adapter learned from, and those that it went on
    from; none for one that a debater's training did not make.
    """
    from gadfly.training import Folder

    return frozenset(Folder(adapter).info.get("learned", ()) if adapter else ())


def _learned(practice: Practice, start: Path | None) -> list[str]:
    return sorted({question_key(row["question"]) for row in practice.rows} | learned_before(start))


# --- against the start


def _measured(
    folder: Folder,
    step: int,
    practice: Practice,
    rivals: Callable[[], tuple[System, System]],
    goes_on: bool = False,
) -> None:
    """Have the player debate the start on what was held out, keep how often it won, and say so; once for each step and
    the same questions. Where a service was down or nobody could tell nothing is kept, and the same call measures it
    again; but what there is, where training `goes_on` and this player is gone then.
    """
    questions = questions_digest(practice.held_out)
    there = ((row["step"], row.get("questions")) for row in folder.read("wins"))
    if not practice.measured or (step, questions) in there:
        return
    found = run_blocking(
        contest(
            *rivals(),
            practice.held_out,
            practice.protocol,
            practice.judge,
            folder.path / "contests" / str(step),
        )
    )
    if found.wins.point is not None and (goes_on or not found.down):
        folder.append("wins", [{"step": step, "questions": questions, **found.to_json()}])
    Console(stderr=True).print(said_of(step, found), highlight=False, soft_wrap=True)


def said_of(step: int, found: Contest) -> str:
    """A contest against the start in a line."""
    return (
        f"after {step}: wins {found.wins} against the start; {found.argued} of the debates that no rule decided; "
        f"lost by rule {found.broke}, the start {found.opponent_broke}"
        + f"; {found.down:,} debates could not be played or judged"
        * bool(found.down)
    )


def _rivals(base: LocalModel, adapter: Path | None, start: Path | None) -> tuple[System, System]:
    """The player as it is, and as it was at the start."""
    return _playing(base, adapter), _playing(base, start)


def _playing(base: LocalModel, adapter: Path | None) -> System:
    """The base with an adapter on it, as a player: the frozen weights are shared."""
    from gadfly.models import LocalModel, model_of
    from gadfly.training import Lora, trainable

    if adapter is None:
        return System(model_of(base))
    tuned = trainable(base, Lora(), adapter)
    name = f"{base.name}+adapter"  # its weights tell which, wherever it lies
    local = LocalModel(tuned.weights, base.tokenizer, name=name, path=base.path, adapter=adapter)
    return System(model_of(local))


def _described(base: LocalModel, practice: Practice, start: Path | None) -> dict[str, Any]:
    from gadfly.training import adapter_digest

    return {"base": base.name, "start": adapter_digest(start), **practice.spec()}
