"""Practice: who sits where while a debater learns, and a match that says how much better it has become.

Each question is debated on both sides alike: in two cases that differ in nothing but the player's seat, seeds included.
So the same player against itself wins exactly half, and nothing of a win rate comes from questions with an answer that
is easier to argue for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gadfly.debate._chairs import Chair, Player, Referee
from gadfly.debate._debating import Debating
from gadfly.debate._effort import share_mean
from gadfly.debate._payoff import LEARNED_FROM, belief, whole
from gadfly.debate._prompts import WORDING
from gadfly.debate._protocol import Protocol as Rulebook
from gadfly.debate._protocol import both_argued
from gadfly.debate._sets import question_numbers
from gadfly.errors import InputError
from gadfly.models import System
from gadfly.runs import Run, Settings, paired_seed, run
from gadfly.stats import Estimate, preferred, rate
from gadfly.transcripts import Case, Judgement, Transcript

__all__ = ["SPEAKS", "Bout", "Contest", "Practice", "contest", "seatings", "seats_of"]

OUTAGES = frozenset(
    {"unauthorized", "not_found", "rate_limited", "server_error", "unreachable", "timeout", "bad_reply"}
)
"""Causes of a failed call that say nothing of what was asked."""

SPEAKS = ("argue", "answer", "ask", "estimate")
"""Steps in which a player says what it likes: what it can learn from. Quotes are masked and sides chosen greedily."""


@dataclass(frozen=True)
class Practice:
    """What a debater learns at: questions as in `read_set`, a protocol, and the judge whose belief is what it earns;
    who estimates earns by what is true (`payoff`).

    `opponent`: `self`, the player as it is by then, or `frozen`, as it was at the start. `held_out` are the questions
    on which it is measured against the start; without any it is not, and neither is a consultant or one who estimates,
    who have no opponent. Raises `InputError` for no question and for a protocol in which nobody argues for an answer.
    """

    rows: Sequence[Mapping[str, Any]]
    protocol: Rulebook
    judge: Referee
    opponent: Literal["self", "frozen"] = "self"
    held_out: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        if self.opponent not in ("self", "frozen"):
            raise InputError(f"The opponent is self or frozen; got {self.opponent!r}.")
        if not self.rows:
            raise InputError("A debater learns from questions, and there are none; name a set that has some.")
        seats_of(self.protocol)

    @property
    def measured(self) -> bool:
        """Whether what was learned is measured."""
        return bool(self.held_out) and opposed(self.protocol)

    def spec(self) -> dict[str, Any]:
        """What of it decides what is learned, as JSON."""
        return {
            "wording": WORDING,
            "protocol": self.protocol.spec(),
            "judge": self.judge.spec(),
            "opponent": self.opponent,
            "questions": questions_digest(self.rows),
        }


def questions_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """A hash of questions with all that is known of them."""
    told = json.dumps([dict(row) for row in rows], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def outage(transcript: Transcript, judgement: Judgement) -> str:
    """The cause why a debate was not played to its end or not judged, where the same asked again may well be answered;
    empty where it was, or would fail again.
    """
    cause = judgement.cause.removeprefix("call_failed:") if judgement.score is None else ""
    cause = transcript.cause if transcript.outcome == "failed" else cause
    return cause if cause in OUTAGES else ""


def seats_of(protocol: Rulebook) -> tuple[str, ...]:
    """The seats that a debater learns in: those that speak for an answer or estimate how likely it is, and are no copy.
    `InputError` where nobody speaks for one.
    """
    if rivals := rivals_of(protocol):
        estimate = {seat for step in protocol.steps if step.does == "estimate" for seat in step.who}
        return *rivals, *(name for name in protocol.own if name in estimate and name not in rivals)
    raise InputError(
        f"In protocol {protocol.name} nobody argues for an answer, so there is nothing to learn: take debate."
    )


def rivals_of(protocol: Rulebook) -> tuple[str, ...]:
    """The seats that speak for an answer and are no copy."""
    speak = {seat for step in protocol.steps if step.does in SPEAKS for seat in step.who}
    return tuple(name for name, seat in protocol.own.items() if seat.side != "none" and name in speak)


def opposed(protocol: Rulebook) -> bool:
    """Whether two seats speak against each other."""
    return both_argued(protocol.seats[seat] for seat in rivals_of(protocol))


def seatings(rows: Sequence[Mapping[str, Any]], protocol: Rulebook, seed: int = 0) -> list[dict[str, Any]]:
    """The cases of a practice: for each question, side by side, one for each seat to learn in; none for a seat that
    estimates where nobody knows which answer is right.

    Where the case assigns an answer, there are two for each seat, one for each answer. Which answer is listed first is
    drawn for each question by `pair`, the seed of what shares it: sets often list every second right answer first.
    """
    cases: list[dict[str, Any]] = []
    for number, (row, of) in enumerate(zip(rows, question_numbers(rows), strict=True)):
        pair = paired_seed(seed, number)
        seats = seats_of(protocol) if row.get("correct") is not None else rivals_of(protocol)
        one = {**row, "of": of, "pair": pair}
        if protocol.assigns:
            both = [one | {"assigned": a, "swapped": bool((a + pair) % 2)} for a in (0, 1)]
        else:
            both = [one | {"swapped": bool(pair % 2)}]
        cases += [case | {"seat": seat} for case in both for seat in seats]
    return cases


@dataclass(frozen=True)
class Bout:
    """`Debating` in which a case's `seat` is the player's, and the opponent has every other one.

    Cases of one `pair` have the same seeds whatever their index. Transcripts say in their metadata under `player` which
    seat it was.
    """

    protocol: Rulebook
    player: Chair
    opponent: Chair
    judge: Referee

    @property
    def name(self) -> str:
        """Protocol and players."""
        slugs = dict.fromkeys(one.slug for one in (*self._of("player"), *self._of("opponent")))
        return "-".join(["bout", self.protocol.name.replace("_", "-"), *slugs])[:100]

    @property
    def players(self) -> Mapping[str, System]:
        """Everyone who speaks."""
        found = dict(zip(("player", "opponent"), (self.player.systems, self.opponent.systems), strict=True))
        if self.protocol.asks_judge:
            found["judge"] = self.judge.systems
        return {f"{role} {part}".strip(): one for role, chair in found.items() for part, one in chair.items()}

    def _of(self, role: str) -> list[System]:
        return [one for name, one in self.players.items() if name.startswith(role)]

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        return {
            "game": "bout",
            "wording": WORDING,
            "protocol": self.protocol.spec(),
            "player": self.player.spec(),
            "opponent": self.opponent.spec(),
            "judge": self.judge.spec() if self.protocol.asks_judge else None,
        }

    def table(
        self, seat: str, player: Chair | None = None, opponent: Chair | None = None, judge: Any = None
    ) -> Debating:
        """The debate with the player in `seat`; others sit there where they are given."""
        mine, theirs = player or self.player, opponent or self.opponent
        chairs = {name: mine if name == seat else theirs for name in self.protocol.own}
        return Debating(self.protocol, chairs, (judge or self.judge) if self.protocol.asks_judge else None)

    async def play(self, case: Case) -> Transcript:
        """One debate."""
        return await bout_play(self.table(case.data["seat"]), case)


async def bout_play(table: Debating, case: Case) -> Transcript:
    """A debate of a case that says whose seat the player's is, with the seed that its pair shares."""
    played = await table.play(replace(case, seed=seed_of(case)))
    return replace(played, case=case, metadata={**played.metadata, "player": case.data["seat"]})


def seed_of(case: Case) -> int:
    """The seed that a case of a bout is played with: its pair's, its own where it has none."""
    return int(case.data.get("pair", case.seed))


@dataclass(frozen=True)
class Contest:
    """A player against another, on both sides of each question alike; all four know which debates share a question.

    `wins`: how often the judge preferred the player, half a win for a tie and where both lost by rule; missing where it
    could not tell. `argued`: the same of questions on which no rule decided a debate, for one who breaks rules for the
    false answer alone would else be left with the debates in which it had the true one. Both are means over questions,
    see `share_mean`: where the judge goes by the answer, the player wins one debate of a question and loses the other.
    `broke` and `opponent_broke`: how often either lost by rule. `down` counts the debates that a service kept from
    being played or judged.
    """

    wins: Estimate
    argued: Estimate
    broke: Estimate
    opponent_broke: Estimate
    down: int = 0

    def to_json(self) -> dict[str, Any]:
        """Each by its name; `Estimate(**found["wins"])` has one back."""
        return asdict(self)


async def contest(
    player: System,
    opponent: System,
    rows: Sequence[Mapping[str, Any]],
    protocol: Rulebook,
    judge: Referee,
    directory: Path,
) -> Contest:
    """How often the judge prefers what the player said. The run is kept in `directory`; the same call goes on.

    What failed before is played and judged again. Verdicts on questions that the judge learned from are missing. Raises
    `InputError` where no two seats argue against each other. No rows give estimates without a point.
    """
    if not opposed(protocol):
        raise InputError(f"In protocol {protocol.name} no two seats argue against each other; take debate.")
    rivals = rivals_of(protocol)
    game = Bout(protocol, Player.of(player), Player.of(opponent), judge)
    settings = Settings(directory=directory, retry_failed=True)
    cases = [case for case in seatings(rows, protocol) if case["seat"] in rivals]
    made = await run(game, cases, [judge], settings=settings)
    if made.cut:
        raise KeyboardInterrupt
    return contest_of(made, judge.name)


def contest_of(made: Run, judge: str) -> Contest:
    """What a run of `Bout` amounts to."""
    played = [
        (transcript, next(one for one in judged if one.judge == judge))
        for transcript, judged in made.judged()
    ]
    questions = [int(transcript.case.data["of"]) for transcript, _ in played]
    won = [(transcript.case.data, _won(transcript, judgement)) for transcript, judgement in played]
    known = whole(won, lambda one: one[1] is None, lambda one: one[0]["pair"])
    ruled = {transcript.case.data["pair"] for transcript, _ in played if transcript.metadata.get("lost")}
    wins, argued = (
        replace(share_mean([(int(data["of"]), value) for data, value in some]), missing=len(won) - len(known))
        for some in (known, [one for one in known if one[0]["pair"] not in ruled])
    )
    return Contest(
        wins,
        argued,
        rate([_broke(transcript, mine=True) for transcript, _ in played], questions),
        rate([_broke(transcript, mine=False) for transcript, _ in played], questions),
        sum(bool(outage(transcript, judgement)) for transcript, judgement in played),
    )


def _won(transcript: Transcript, judgement: Judgement) -> float | None:
    if transcript.outcome != "completed" or judgement.cause == LEARNED_FROM:
        return None
    p = belief(transcript, judgement, transcript.metadata["player"])
    return None if p is None else preferred(p)


def _broke(transcript: Transcript, mine: bool) -> bool | None:
    """Whether the player, its copies among it, or another seat lost by rule; None where the case failed."""
    if transcript.outcome != "completed":
        return None
    seats = transcript.metadata["protocol"]["seats"]
    lost = (seats[one["seat"]]["copy_of"] or one["seat"] for one in transcript.metadata["lost"])
    return any((seat == transcript.metadata["player"]) == mine for seat in lost)
