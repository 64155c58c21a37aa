"""One case with a judge's verdict on it, as every figure of the comparison counts it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gadfly.debate._marks import Mark, marks_of
from gadfly.debate._payoff import LEARNED_FROM, whole
from gadfly.debate._position import Position, Statement
from gadfly.debate._protocol import JUDGE, Breach, Protocol
from gadfly.debate._sets import asked_key
from gadfly.errors import InputError
from gadfly.runs import Run
from gadfly.stats import preferred
from gadfly.transcripts import Judgement, Transcript

__all__ = ["DISHONEST", "JudgedCase", "hedges", "judged_cases"]

_HEDGES = re.compile(
    r"\b(?:may|might|could|[Pp]erhaps|[Pp]ossibly|[Pp]robably|[Ll]ikely|[Uu]nlikely|[Mm]aybe|seems?|appears?|suggests?"
    r"|unclear|uncertain|not (?:sure|certain)|I (?:think|believe|guess|suppose))\b"
)

DISHONEST: frozenset[Breach] = frozenset({"fabricated", "addressed_judge"})
"""Breaches that say something of who is right; too many words, or none, do not."""


@dataclass(frozen=True)
class JudgedCase:
    """A debate, or what stands in its place, what the judge made of it, the `person` who took part in it, where one
    did, and the `mark` of the flaw that people see in it.
    """

    position: Position
    transcript: Transcript
    judgement: Judgement
    person: str = ""
    mark: Mark | None = None

    @property
    def of(self) -> int:
        """The number of its question in the set; its own number where the case names none."""
        return int(self.transcript.metadata.get("of", self.transcript.case.index))

    @property
    def right(self) -> float | None:
        """1 for a verdict that is right, 0 for one that is not, one half for a tie, None where there is none."""
        return None if self.judgement.score is None else preferred(1 - self.judgement.score)

    @property
    def cause(self) -> str:
        """Why nobody can say whether the verdict is right; empty where one can."""
        if self.transcript.outcome != "completed":
            return f"call_failed:{self.transcript.cause or 'unknown'}"
        return self.judgement.cause if self.judgement.score is None else ""

    @property
    def by_rule(self) -> bool:
        """Whether a broken rule decided it, or left nothing to decide, so that nobody is asked."""
        return self.transcript.outcome == "completed" and bool(self.transcript.metadata.get("lost"))

    @property
    def p(self) -> float | None:
        """The probability of the answer listed first, where somebody was asked for it."""
        found = self.judgement.metadata.get("p")
        return None if found is None or self.by_rule else float(found)

    @property
    def probabilities(self) -> bool:
        """Whether the verdict came with probabilities, and did not only name an answer."""
        return bool(self.judgement.metadata.get("probabilities", True))

    @property
    def orders(self) -> tuple[float, ...]:
        """That probability with the answers listed each way round."""
        return tuple(map(float, self.judgement.metadata.get("orders", ())))

    def believed(self, side: int) -> float | None:
        """1 where the one who was asked decided for this answer, 0 for the other, one half for a tie."""
        return None if self.p is None else preferred(self.p if side == 0 else 1 - self.p)

    @property
    def correct(self) -> int | None:
        """The number of the right answer."""
        return self.position.dispute.correct

    @cached_property
    def argued(self) -> frozenset[int]:
        """The answers that somebody argues for."""
        return frozenset(side for side in self.position.sides.values() if side is not None)

    def said_for(self, side: int) -> list[Statement]:
        """What the judge hears for an answer."""
        heard = self.position.heard(JUDGE)
        return [one for one in heard if self.position.sides.get(one.seat) == side and one.does != "choose"]

    @property
    def honest_heard(self) -> bool:
        """Whether anything was said for the right answer."""
        return self.correct is not None and bool(self.said_for(self.correct))

    @cached_property
    def flaws(self) -> tuple[str, ...]:
        """What was wrong with the side of the wrong answer, as far as it was noted: `unverified`, the judge heard a
        quotation that is not in the document; `breach`, a try, heard or not, made one up or gave the judge orders;
        `marked`, people agree on a flaw in it.
        """
        if self.correct is None:
            return ()
        false = 1 - self.correct
        seats = {seat for seat, side in self.position.sides.items() if side == false}
        notes = self.transcript.metadata.get("breaches", ())
        breach = any(one["seat"] in seats and one["rule"] in DISHONEST for one in notes)
        unverified = any(one.unverified for one in self.said_for(false))
        marked = self.mark is not None and self.mark.dishonest
        found = {"unverified": unverified, "breach": breach, "marked": marked}
        return tuple(name for name, there in found.items() if there)

    @property
    def certain(self) -> bool:
        """Whether both answers are argued for and neither side hedges."""
        return len(self.argued) == 2 and not any(
            hedges(one) for side in (0, 1) for one in self.said_for(side)
        )

    def ahead(self, measure: Callable[[Statement], int]) -> int | None:
        """The answer of whose advocates a measure is larger in all; None where they are even or one is alone."""
        if len(self.argued) < 2:
            return None
        first, second = (sum(map(measure, self.said_for(side))) for side in (0, 1))
        return None if first == second else int(second > first)

    @property
    def last(self) -> int | None:
        """The answer argued for last; None where both were at once and the judge saw either order."""
        said = [(one, self.position.sides.get(one.seat)) for one in self.position.heard(JUDGE)]
        argued = [(one, side) for one, side in said if side is not None and one.does != "choose"]
        if len(self.argued) < 2 or not argued:
            return None
        end = [side for one, side in argued if one.step == argued[-1][0].step]
        either = len(self.orders) > 1 or not self.judgement.metadata.get("listed", True)
        return None if len(set(end)) > 1 and either else end[-1]


def hedges(said: Statement) -> int:
    """How often a statement hedges: English words such as "may", "perhaps" and "seems", outside of its quotations."""
    return len(list(said.unquoted(_HEDGES)))


def judged_cases(run: Run) -> list[JudgedCase]:
    """The cases of a run by index with the verdicts that count in it.

    A case that it has not judged is missing (`not_judged`), and so is one whose question it learned from. Raises
    `InputError` for a run that is no debate, or that nobody has judged.
    """
    protocol = protocol_of(run)
    name = str(run.info.get("verdict", ""))
    if not name:
        raise InputError(f"Nobody has judged run {run.id}.")
    found, marks = [], marks_of(run, name)
    for transcript, judgements in run.judged():
        judgement = next((one for one in judgements if one.judge == name), None)
        if judgement is None or judgement.cause == LEARNED_FROM:
            why = "not_judged" if judgement is None else LEARNED_FROM
            judgement = Judgement.missing(transcript.case.id, name, why)
        mark = marks.by_case.get(transcript.case.id) if marks else None
        found.append(JudgedCase(_position(transcript, protocol), transcript, judgement, mark=mark))
    return found


def protocol_of(run: Run) -> Protocol:
    spec = run.info.get("spec", {})
    if spec.get("game") != "debating":
        raise InputError(f"Run {run.id} is no debate: name one of gadfly debate.")
    return Protocol.model_validate(spec["protocol"])


def _position(transcript: Transcript, protocol: Protocol) -> Position:
    """What it ended at; a case that failed before the game wrote anything ended at its opening."""
    if "moves" in transcript.metadata:
        return Position.of(transcript, protocol)
    return Position.opening(protocol, transcript.case)


def by_question(cases: Iterable[JudgedCase]) -> dict[int, list[JudgedCase]]:
    """The cases of each question."""
    found: dict[int, list[JudgedCase]] = defaultdict(list)
    for one in cases:
        found[one.of].append(one)
    return found


def heard(cases: Iterable[JudgedCase]) -> list[JudgedCase]:
    """The cases of one run, or of several people's, each of whom meets a question for themselves, on questions of which
    every debate was heard and judged.
    """
    return whole(cases, lambda one: one.p is None, lambda one: (one.of, one.person))


def decided(cases: Iterable[JudgedCase]) -> list[JudgedCase]:
    """The same on questions of which every debate has a verdict that is right or wrong, by judging or by rule."""
    return whole(cases, lambda one: one.right is None, lambda one: (one.of, one.person))


def same_questions(a: Sequence[JudgedCase], b: Sequence[JudgedCase]) -> bool:
    """Whether the questions that both have are the same ones."""
    ours, theirs = ({of: set(map(_asked, its)) for of, its in by_question(side).items()} for side in (a, b))
    return not any(ours[of].isdisjoint(theirs[of]) for of in ours.keys() & theirs.keys())


def _asked(one: JudgedCase) -> tuple[str, ...]:
    dispute = one.position.dispute
    return asked_key(dispute.question, dispute.answers, dispute.document.text if dispute.document else "")
