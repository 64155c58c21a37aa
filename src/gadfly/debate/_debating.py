"""The debating game: players argue by a protocol before a judge who knows less than they.

All protocols are played by the same loop: a step's seats move at once, what they say is checked, and then heard by
those who may hear it. A seat that breaks a rule may try again, `rules.tries` times in all; after that it has lost, the
case ends there, and the transcript says who lost by which rule. After Irving, Christiano and Amodei 2018 (arXiv
1805.00899) and Khan et al. 2024 (arXiv 2402.06782).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from gadfly.debate._chairs import FAULTS, Chair, JudgeChair, Said, Weighed, as_checked
from gadfly.debate._position import Dispute, Loss, Move, Position, Statement
from gadfly.debate._prompts import LETTERS, WORDING, choice_of
from gadfly.debate._protocol import JUDGE, Breach, Protocol, Step
from gadfly.debate._rules import Checked, plain
from gadfly.errors import CallError, InputError
from gadfly.models import System, inert
from gadfly.runs import paired_seed
from gadfly.transcripts import Case, Outcome, Transcript, Turn, Usage
from gadfly.words import first_words, word_count

__all__ = ["Debating"]

W = TypeVar("W", Said, Weighed)

Watch = Callable[[Position, Statement | Loss], None]
"""Is told of each thing said, and of a loss, as it happens, with the position after it."""


@dataclass(frozen=True)
class Debating:
    """The game. `chairs` has one chair for every seat that is no copy; `judge` is needed where it speaks.

    A chair may sit in several seats: the same model for both sides, say. `watch` sees the debate as it goes.
    """

    protocol: Protocol
    chairs: Mapping[str, Chair] = field(default_factory=dict)
    judge: JudgeChair | None = None
    watch: Watch | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if missing := sorted(set(self.protocol.own) - set(self.chairs)):
            raise InputError(f"Protocol {self.protocol.name} has nobody in the seat of {missing[0]!r}.")
        if self.protocol.asks_judge and self.judge is None:
            raise InputError(
                f"The judge speaks in protocol {self.protocol.name}, so it takes a judge to play it."
            )

    @property
    def name(self) -> str:
        """Protocol and players: the readable part of a run's id."""
        slugs = dict.fromkeys(
            system.slug for chair in self.chairs.values() for system in chair.systems.values()
        )
        return "-".join(["debate", self.protocol.name.replace("_", "-"), *slugs])[:100]

    @property
    def players(self) -> Mapping[str, System]:
        """Every model in a chair, by seat."""
        chairs: dict[str, Chair] = dict(self.chairs)
        if self._judges:
            assert self.judge is not None
            chairs[JUDGE] = self.judge
        found = ((seat, part, one) for seat, chair in chairs.items() for part, one in chair.systems.items())
        return {f"{seat} {part}".strip(): system for seat, part, system in found}

    @property
    def _judges(self) -> bool:
        """Whether the judge has a part in the game."""
        return self.judge is not None and (self.protocol.asks_judge or self.judge.decides)

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        return {
            "game": "debating",
            "wording": WORDING,
            "protocol": self.protocol.spec(),
            "chairs": {seat: self.chairs[seat].spec() for seat in self.protocol.seats if seat in self.chairs},
            "judge": self.judge.spec() if self._judges and self.judge else None,
        }

    def asks(self, case: Case) -> tuple[str, str]:
        """The question with its answers, and the letter of the right one, empty where nobody knows."""
        dispute = Dispute.of(case)
        return _asked(dispute), "" if dispute.correct is None else LETTERS[dispute.correct]

    async def play(self, case: Case) -> Transcript:
        """Play one case. A player's own fault is a loss by rule; any other failed call ends the case as failed; a fatal
        `CallError` is raised.
        """
        table = _Table(self, case, Position.opening(self.protocol, case))
        outcome: Outcome = "completed"
        cause = ""
        try:
            await table.play()
        except CallError as error:
            if error.fatal:
                raise
            outcome, cause = "failed", error.cause
        return table.transcript(outcome, cause)


@dataclass
class _Table:
    """One case under way."""

    game: Debating
    case: Case
    position: Position
    usage: dict[str, Usage] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    verdict: dict[str, Any] | None = None
    moves: int = 0
    passed: list[float | None] = field(default_factory=list)

    async def play(self) -> None:
        for number, step in enumerate(self.game.protocol.steps):
            await self._step(number, step)
            if self.position.lost:
                return
        judge = self.game.judge
        if judge is not None and judge.decides:
            weighed = await self._paid(JUDGE, judge.weigh(self.position, self.case.seed))
            self.verdict = {k: getattr(weighed, k) for k in ("p", "cause", "confidence", "seconds")}

    async def _step(self, number: int, step: Step) -> None:
        """All seats of a step at once; what they said is heard afterwards, in the order of the seats."""
        seats = speakers(step, self.position)
        first, self.moves = self.moves, self.moves + len(seats)
        moves = [
            Move(self.position, seat, step, paired_seed(self.case.seed, first + n), first + n)
            for n, seat in enumerate(seats)
        ]
        for found in await self._together(moves, number):
            if isinstance(found, Loss):
                self.position = replace(self.position, lost=(*self.position.lost, found))
                self._told(found)
            elif found is not None:
                self.position = self.position.saying(found)
                self._told(found)

    async def _together(self, moves: Sequence[Move], number: int) -> list[Statement | Loss | None]:
        """What the seats do. Where a call fails it is raised once the models that speak too are done, so that what they
        took is known; nobody waits for people then, nor for anybody where the failure is fatal.
        """
        tasks = {asyncio.ensure_future(self._moved(move, number)): move for move in moves}
        try:
            done, pending = (
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION) if tasks else ((), ())
            )
            failed = [error for task in done if (error := task.exception()) is not None]
            if failed:
                worst = min(failed, key=lambda one: isinstance(one, CallError) and not one.fatal)
                ends = not isinstance(worst, CallError) or worst.fatal
                for task in pending:
                    if ends or self._waits_for_person(tasks[task]):
                        task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
                raise worst
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()

    def _waits_for_person(self, move: Move) -> bool:
        """Whether who moves, or the judge that is asked for its lean, is a person."""
        seats = (move.seat, JUDGE) if move.step.does == "poll" else (move.seat,)
        return any(not self._chair(seat).systems for seat in seats)

    def _chair(self, seat: str) -> Chair:
        """Who moves in a seat, a copy's original among them."""
        if seat == JUDGE:
            assert self.game.judge is not None
            return self.game.judge
        return self.game.chairs[self._owner(seat)]

    def _owner(self, seat: str) -> str:
        """Whose player sits in a seat: its original's in a copy's."""
        return self.game.protocol.seats[seat].copy_of or seat

    async def _moved(self, move: Move, number: int) -> Statement | Loss | None:
        """What one seat does; None where it passes."""
        if move.step.does == "poll" and not await self._polls(move):
            return None
        if move.step.does in ("lean", "poll"):
            return await self._leant(move, number)
        if move.seat == JUDGE:
            return await self._judge_spoke(move, number)
        return await self._spoke(move, number)

    async def _polls(self, move: Move) -> bool:
        """Whether a seat wants to know how the judge leans, where that has a price; who cannot say goes without."""
        if not self.game.protocol.prices.poll:
            return True
        said = await self._said(move)
        return isinstance(said, Said) and said.text.strip() == "1"

    async def _said(self, move: Move) -> Said | CallError:
        """What a seat's player says, or its own fault in a failed call; any other failure is raised."""
        owner = self._owner(move.seat)
        try:
            return await self._paid(owner, self.game.chairs[owner].say(move))
        except CallError as error:
            if error.fatal or error.cause not in FAULTS:
                raise
            return error

    async def _leant(self, move: Move, number: int) -> Statement:
        """The judge's lean, said aloud or to one who polls."""
        assert self.game.judge is not None
        weighed = await self._paid(JUDGE, self.game.judge.weigh(self.position, move.seed))
        shown = "The judge cannot say." if weighed.p is None else f"{weighed.p:.0%} for the first answer"
        private = move.step.does == "poll"
        return Statement(
            move.seat, move.step.does, shown, number, private=private, lean=weighed.p, seconds=weighed.seconds
        )

    async def _judge_spoke(self, move: Move, number: int) -> Statement | None:
        """A question of the judge's, cut where it is too long; None where it has none."""
        assert self.game.judge is not None
        said = await self._paid(JUDGE, self.game.judge.say(move))
        most = int(move.step.words * self.game.protocol.rules.slack)
        text = first_words(" ".join(plain(said.text).split()), most)
        if not word_count(text):
            self.passed.append(said.seconds)
            return None
        return Statement(JUDGE, move.step.does, text, number, move.step.whom(JUDGE), seconds=said.seconds)

    async def _spoke(self, move: Move, number: int) -> Statement | Loss | None:
        """What a player said, or its loss where it broke a rule once too often; None where it had to be silent."""
        rules, losing = self.game.protocol.rules, list[tuple[Breach, str]]()
        choosing = move.step.does == "choose"
        for attempt in range(rules.tries):
            said, found = await self._tried(replace(move, seed=paired_seed(move.seed, attempt)))
            self._note(move, number, said, found)
            losing = [(rule, what) for rule, what in found.breaches if choosing or rule in rules.loses]
            if not losing:
                if choosing:
                    return self._chose(move, said, number)
                return _statement(move, number, found, said.seconds)
            move = replace(move, complaint=_complaint(*losing[0]), tried=said.text)
        if self.game.protocol.seats[move.seat].side != "none":
            return Loss(move.seat, *losing[0])
        return self._shortened(move, number, said, losing)

    def _shortened(
        self, move: Move, number: int, said: Said, losing: Sequence[tuple[Breach, str]]
    ) -> Statement | None:
        """What is heard of one who argues for nothing, and so cannot lose: no more than is allowed, and nothing that
        was broken by what it says.
        """
        if any(rule != "overran" for rule, _ in losing):
            return None
        most = int(move.step.words * self.game.protocol.rules.slack)
        short = re.sub(r"<[^<>]*$", "", first_words(inert(said.text), most))
        found = self._checked(move, replace(said, text=short, cut=False))
        if not set(found.unverified) <= set(self._checked(move, said).unverified):  # a true quotation was cut
            short = short[: short.lower().rindex("quote")].rpartition("<")[0]
            found = self._checked(move, replace(said, text=short, cut=False))
        return _statement(move, number, found, said.seconds)

    async def _tried(self, move: Move) -> tuple[Said, Checked]:
        """One try at a move. A player's own fault in a call is a breach as any other."""
        said = await self._said(move)
        if isinstance(said, CallError):
            return Said(""), Checked("", breaches=(("stopped", f"could not go on ({said.cause})"),))
        return said, Checked(said.text) if move.step.does == "choose" else self._checked(move, said)

    def _note(self, move: Move, number: int, said: Said, found: Checked) -> None:
        """Keep every breach with the words that were it, lost by or not."""
        for rule, what in found.breaches:
            facts = {"seat": move.seat, "step": number, "rule": rule, "what": what, "said": said.text[:2_000]}
            self.notes.append(facts)

    def _checked(self, move: Move, said: Said) -> Checked:
        found = as_checked(move, said)
        if move.step.does != "quote" or not move.position.dispute.passages or found.quotes or found.breaches:
            return found
        return replace(found, breaches=(("stopped", "quoted nothing, where words of the document were due"),))

    def _chose(self, move: Move, said: Said, number: int) -> Statement:
        side = 1 if said.text.strip() == "1" else 0
        self.position = self.position.choosing(side)
        return Statement(move.seat, "choose", choice_of(self.position, side), number)

    async def _paid(self, seat: str, call: Awaitable[W]) -> W:
        """What a seat's call gives; what it took is counted, and so it is where it fails."""
        used = Usage()
        try:
            found = await call
            used = found.usage
        except CallError as error:
            used = error.usage or used
            raise
        finally:
            self.usage[seat] = self.usage.get(seat, Usage()) + used
        return found

    def _told(self, what: Statement | Loss) -> None:
        if self.game.watch is not None:
            self.game.watch(self.position, what)

    def transcript(self, outcome: Outcome, cause: str) -> Transcript:
        """What was said, as it was heard, and what judges need to know."""
        position, dispute = self.position, self.position.dispute
        turns = [Turn("user", _asked(dispute))]
        turns += [Turn(one.seat, one.text) for one in position.said]
        for loss in position.lost:
            title = position.protocol.title(loss.seat)
            turns.append(Turn("rules", f"{title} ({position.mine(loss.seat)}) loses by rule: {loss.what}."))
        facts = {
            "protocol": position.protocol.spec(),
            "sides": dict(position.sides),
            "correct": dispute.correct,
            "moves": [one.to_json() for one in position.said],
            "lost": [asdict(loss) for loss in position.lost],
            "breaches": self.notes,
            "spent": {seat: _spent(position, seat) for seat in (*position.protocol.seats, JUDGE)},
            "verdict": self.verdict,
            "passed_s": self.passed,
            **{key: self.case.data[key] for key in ("of", "swapped", "assigned") if key in self.case.data},
        }
        return Transcript(self.case, tuple(turns), outcome, cause, self.usage, facts)


def speakers(step: Step, position: Position) -> list[str]:
    """The seats that move in a step: of those that answer only who was asked something, and nobody quotes where there
    is no document.
    """
    if step.does == "quote" and not position.dispute.passages:
        return []
    return [seat for seat in step.who if step.does != "answer" or position.asked(seat)]


def _asked(dispute: Dispute) -> str:
    return f"{dispute.question}\nA. {dispute.answers[0]}\nB. {dispute.answers[1]}"


_PERCENT = re.compile(r"(?<![\d.,])(\d{1,3}(?:[.,]\d{1,2})?)\s?(?:%|per ?cent\b)", re.IGNORECASE)


def estimated(said: Statement, side: int | None) -> float | None:
    """The first percentage in a statement on how likely an answer is, quotations apart, as the probability of answer 0;
    None without one.
    """
    first = next(said.unquoted(_PERCENT), None)
    if side is None or first is None or (share := float(first[1].replace(",", ".")) / 100) > 1:
        return None
    return share if side == 0 else 1 - share


def _statement(move: Move, number: int, found: Checked, seconds: float | None) -> Statement:
    said = Statement(
        move.seat,
        move.step.does,
        found.text,
        number,
        move.step.whom(move.seat),
        private=move.step.does == "estimate",
        quotes=found.quotes,
        unverified=found.unverified,
        seconds=seconds,
    )
    if move.step.does != "estimate":
        return said
    return replace(said, lean=estimated(said, move.position.sides.get(said.to[0])))


_COMPLAINTS: Mapping[Breach, str] = {
    "overran": "Your last try was too long: it {what}. Say it in fewer words.",
    "fabricated": "Your last try {what}. Copy three words or more exactly, or quote nothing.",
    "addressed_judge": "Your last try gave the judge orders. Argue instead.",
    "stopped": "Your last try {what}. Say something, and quote three words or more where words are due.",
}


def _complaint(rule: Breach, what: str) -> str:
    return _COMPLAINTS[rule].format(what=what.partition(":")[0])


def _spent(position: Position, seat: str) -> dict[str, Any]:
    """What a seat used up, and what that costs it."""
    said, prices = [one for one in position.said if one.seat == seat], position.protocol.prices
    if seat == JUDGE:
        questions = sum(one.does == "ask" for one in said)
        return {"questions": questions, "price": round(prices.question * questions, 6)}
    counts = {
        "questions": sum(one.does == "ask" and JUDGE in one.to for one in said),
        "polls": sum(one.does == "poll" for one in said),
        "quotes": sum(len(one.quotes) for one in said),
        "words": sum(one.words for one in said),
    }
    paid = {"questions": prices.question, "polls": prices.poll, "quotes": prices.quote, "words": prices.word}
    return {**counts, "price": round(sum(paid[what] * count for what, count in counts.items()), 6)}
