"""Branches: several statements from one position, each played to the end, so that a judge says which was better.

A debate is played once. One statement of the player's is drawn, others are sampled from the same position, and with
each in its place the debate goes on to its end: what had been said before, and at the same time, stays as it was. So a
difference between two branches comes from the statement alone (Arnesen et al. 2024, arXiv 2409.16636).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gadfly.debate._chairs import FAULTS, Relayed, Said, Weighed
from gadfly.debate._debating import speakers
from gadfly.debate._payoff import payoff
from gadfly.debate._position import Move, Position
from gadfly.debate._practice import SPEAKS, Bout, bout_play, outage, seed_of
from gadfly.errors import CallError, InputError
from gadfly.judges._base import all_at_once
from gadfly.models import System
from gadfly.runs import Run, paired_seed
from gadfly.stats import preferred
from gadfly.transcripts import Case, Transcript

if TYPE_CHECKING:
    from gadfly.models import Call
    from gadfly.training import Preference

__all__ = ["Branching", "preferences"]


@dataclass(frozen=True)
class Spoken:
    """What a chair said to a move, or how it failed to, and the call behind it where a local model spoke."""

    move: Move
    said: Said | CallError
    call: Call | None

    @property
    def text(self) -> str:
        """What was said; empty for nothing."""
        return "" if isinstance(self.said, CallError) else self.said.text


@dataclass
class Line:
    """A debate as it was played: what was said to each move, or why nothing was, by the move's seed. `again` holds the
    numbers of moves that took a second try.
    """

    spoken: list[Spoken] = field(default_factory=list)
    said: dict[int, Said | CallError] = field(default_factory=dict)
    weighed: dict[int, Weighed] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Branching:
    """The game whose transcript is a debate with the branches at one of its statements.

    Of the player's statements in a case one is drawn by the seed of its pair; `alternatives` are there in all, and each
    is played on `rollouts` times. Under `branches` metadata holds, of each, the `text` and its `payoffs` (None where
    nobody can tell); under `prompt` the exact text that the player was shown. A statement that breaks a rule has lost,
    and so has silence: here it gets no second try. A case in which the player never spoke is `invalid`, and one whose
    branches could not all be judged, because a service was down, has failed.
    """

    bout: Bout
    alternatives: int = 2
    rollouts: int = 1

    def __post_init__(self) -> None:
        if self.alternatives < 2 or self.rollouts < 1:
            raise InputError(
                "A branch takes two alternatives or more and a rollout or more; got "
                f"{self.alternatives} and {self.rollouts}."
            )

    @property
    def name(self) -> str:
        """As the debate's."""
        return self.bout.name.replace("bout", "branches", 1)

    @property
    def players(self) -> Mapping[str, System]:
        """Everyone who speaks, and the judge, who weighs every branch."""
        judge = {f"judge {part}".strip(): one for part, one in self.bout.judge.systems.items()}
        return {**self.bout.players, **judge}

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        return {
            **self.bout.spec(),
            "game": "branching",
            "judge": self.bout.judge.spec(),
            "drawn": "by pair and seat",
            "alternatives": self.alternatives,
            "rollouts": self.rollouts,
        }

    async def play(self, case: Case) -> Transcript:
        """One debate and its branches. Raises `InputError` for a player whose weights are not here."""
        seat, line = case.data["seat"], Line()
        table = self.bout.table(
            seat,
            Recorder(self.bout.player, line),
            Recorder(self.bout.opponent, line),
            Recorder(self.bout.judge, line),
        )
        played = await bout_play(table, case)
        if played.outcome != "completed":
            return played
        mine = [one for one in line.spoken if _is_own(one.move, seat)]
        if not mine:
            return replace(played, outcome="invalid", cause="no_statement")
        drawn = random.Random(_drawing(case)).choice(mine)
        try:
            options = await self._options(drawn)
            paths = [Branch(case, played, line, drawn, one) for one in options]
            payoffs = await all_at_once(paths, self._payoffs)
        except CallError as error:
            if error.fatal:
                raise
            return replace(played, outcome="failed", cause=error.cause)
        texts = [_text(one) for one in options]
        branches = [
            {"text": text, "payoffs": earned} for (_, text), earned in zip(texts, payoffs, strict=True)
        ]
        facts = {"prompt": texts[0][0], "branches": branches, "drawn": drawn.move.number}
        return replace(played, metadata={**played.metadata, **facts})

    async def _options(self, drawn: Spoken) -> list[Spoken]:
        """The statement that was made and others from the same position, different texts only."""
        seeds = [paired_seed(drawn.move.seed, -number) for number in range(1, self.alternatives)]
        others = await all_at_once([replace(drawn.move, seed=seed) for seed in seeds], self._other)
        found = {drawn.text: drawn}
        for one in others:
            if one is not None:
                found.setdefault(one.text, one)
        return list(found.values())

    async def _other(self, move: Move) -> Spoken | None:
        """What the player says to it; None for a fault of its own before it spoke."""
        line = Line()
        try:
            await Recorder(self.bout.player, line).say(move)
        except CallError as error:
            if error.fatal or error.cause not in FAULTS:
                raise
        return line.spoken[0] if line.spoken else None

    async def _payoffs(self, path: Branch) -> list[float | None]:
        """What each rollout of a branch was worth to the player. `CallError` where a service was down."""
        seat = path.case.data["seat"]
        ends = await all_at_once(range(self.rollouts), lambda number: self._end(path, number))
        judged = await self.bout.judge.judge(ends)
        if down := next(filter(None, map(outage, ends, judged)), ""):
            raise CallError("A branch could not be played to its end or judged.", down)
        return [payoff(end, judgement, seat) for end, judgement in zip(ends, judged, strict=True)]

    async def _end(self, path: Branch, rollout: int) -> Transcript:
        """The debate with the branch's statement in its place."""
        if not rollout and path.is_main:
            return path.played
        table = self.bout.table(
            path.case.data["seat"],
            Following(self.bout.player, path, rollout),
            Following(self.bout.opponent, path, rollout),
            Following(self.bout.judge, path, rollout),
        )
        return await bout_play(table, path.case)


@dataclass(frozen=True)
class Branch:
    """One branch: the debate it leaves, where it leaves it, and with which statement."""

    case: Case
    played: Transcript
    line: Line
    drawn: Spoken
    option: Spoken

    @property
    def is_main(self) -> bool:
        """Whether it is the debate as it was played: its statement was the drawn one, and no second try followed."""
        return self.option is self.drawn and self.drawn.move.number not in self.line.again

    @property
    def after(self) -> int:
        """The number of the first move that may be another one here: of the step after the drawn statement's. What was
        said does not tell, for of one who argues for nothing and breaks a rule nothing is heard.
        """
        move = self.drawn.move
        seats = speakers(move.step, move.position)
        return move.number - seats.index(move.seat) + len(seats)

    def has_seed(self, seed: int) -> bool:
        """Whether a seed is that of a move before `after`."""
        return seed in {paired_seed(seed_of(self.case), number) for number in range(self.after)}


@dataclass(frozen=True)
class Recorder(Relayed):
    """A chair whose words are written down."""

    chair: Any
    line: Line
    decides = False

    async def say(self, move: Move) -> Said:
        """What the chair says."""
        from gadfly.models import recording

        if move.complaint:
            self.line.again.add(move.number)
        try:
            with recording() as calls:
                said: Said = await self.chair.say(move)
        except CallError as error:
            self.line.said[move.seed] = error
            if error.cause in FAULTS and calls:
                self.line.spoken.append(Spoken(move, error, calls[-1]))
            raise
        self.line.said[move.seed] = said
        self.line.spoken.append(Spoken(move, said, calls[-1] if calls else None))
        return said

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """What the chair makes of it."""
        weighed: Weighed = await self.chair.weigh(position, seed)
        self.line.weighed[seed] = weighed
        return weighed


@dataclass(frozen=True)
class Following(Relayed):
    """A chair that says what it said in the main line as far as the branch, there the branch's statement, and then
    what it has to say.
    """

    chair: Any
    path: Branch
    rollout: int
    decides = False

    async def say(self, move: Move) -> Said:
        """As the class says. A statement that broke a rule is said again, so that it has lost."""
        if move.number == self.path.drawn.move.number:
            return _again(self.path.option.said)
        if move.number < self.path.after:
            return _again(self.path.line.said[move.seed])
        seed = paired_seed(move.seed, self.rollout) if self.rollout else move.seed
        said: Said = await self.chair.say(replace(move, seed=seed))
        return said

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """As the class says."""
        if self.path.has_seed(seed):
            return self.path.line.weighed[seed]
        weighed: Weighed = await self.chair.weigh(position, seed)
        return weighed


def _again(said: Said | CallError) -> Said:
    """What was said, once more; raises what was raised."""
    if isinstance(said, CallError):
        raise said
    return said


def _drawing(case: Case) -> str:
    """What the statement to branch at is drawn by: nothing that depends on where a training lies."""
    data = case.data
    return f"{data.get('pair', case.seed)}, {data['seat']}, {data.get('assigned')}"


def _is_own(move: Move, seat: str) -> bool:
    """Whether a move is a first try of the player's at a statement of its own."""
    return move.seat == seat and not move.complaint and move.step.does in SPEAKS


def _text(one: Spoken) -> tuple[str, str]:
    """The exact text a local model was shown, and how it went on, its own end included."""
    if one.call is None:
        raise InputError("Only a local model's debater can be trained, such as gadfly/smollm2.")
    local, sample = one.call.local, one.call.samples[0]
    read: Any = local.tokenizer.decode
    prompt = list(one.call.request.prompt)
    text = str(read(prompt, skip_special_tokens=False, clean_up_tokenization_spaces=False))
    if local.encode(text) != prompt and (bos := local.tokenizer.bos_token):
        text = text.removeprefix(str(bos))  # which reading a raw text puts in front of it
    end = "" if sample.end is None else str(read([sample.end], skip_special_tokens=False))
    return text, sample.text + end


def preferences(made: Run, gamma: float = 7.0) -> list[Preference]:
    """The pairs of branches of a run of `Branching`, the one worth more first, in the order of the cases.

    How surely it is preferred is `gadfly.training.confidence` of the two mean payoffs. Left out: branches that nobody
    could judge, and pairs worth exactly the same, of which the likelihood's share of the loss would prefer one.
    """
    told = sorted(made.transcripts(), key=lambda transcript: transcript.case.index)
    return [pair for transcript in told for pair in _pairs(transcript, gamma)]


def _pairs(transcript: Transcript, gamma: float) -> Iterator[Preference]:
    from gadfly.training import Preference, confidence

    worth = []
    for branch in transcript.metadata.get("branches", ()):
        known = [one for one in branch["payoffs"] if one is not None]
        if known and branch["text"]:
            worth.append((fmean(known), branch["text"]))
    for one, other in combinations(worth, 2):
        if preferred(0.5 + one[0] - other[0]) != 0.5:
            (high, better), (low, worse) = (one, other) if one[0] > other[0] else (other, one)
            yield Preference(transcript.metadata["prompt"], better, worse, confidence(high, low, gamma))
