"""Where debates went wrong: of those the judge got wrong, in how many people see the flaw, whose it is and where.

A debate that a judge got wrong although a flaw stands there to see is what obfuscated arguments look like; one in which
nobody finds a flaw is a judge that did not listen, or a debate that could not be won.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gadfly.debate import Mark, Marks, Position
from gadfly.errors import InputError
from gadfly.review._debated import numbered
from gadfly.review._guidelines import Guidelines
from gadfly.review._items import item_type
from gadfly.review._records import FLAW, Answer, DrawnItem
from gadfly.review._store import Store
from gadfly.runs import Run
from gadfly.stats import Estimate, preferred, rate
from gadfly.transcripts import Transcript

__all__ = ["Flawed", "Flaws", "flaws"]

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Flawed:
    """One debate that people looked at. `wrong` says whether the judge was; `seen` is the share of people that see a
    flaw, None where none could tell. Where they agree on a statement: its `number`, whether its author argued for the
    `dishonest` answer, its `place` among its author's own statements (from 1) and in all that was `said` (from 0), and
    the `what` they agree on.
    """

    case_id: str
    of: Hashable
    wrong: bool
    seen: float | None
    number: int | None = None
    dishonest: bool | None = None
    place: int | None = None
    said: int | None = None
    what: str = ""


@dataclass(frozen=True)
class Flaws:
    """Rates over questions like these. `when_wrong` is how often people see a flaw in a debate that the judge got
    wrong, `when_right` the same where it was right. Of the flaws on which they agree, where the judge was wrong:
    `dishonest` is the share that stands with the wrong answer; `places` says in which of its author's statements it
    stands, `kinds` what is the matter with it, each as shares. `waiting` debates have no answer yet. `judge` is whose
    verdicts they are.
    """

    when_wrong: Estimate
    when_right: Estimate
    dishonest: Estimate
    places: Mapping[int, Estimate]
    kinds: Mapping[str, Estimate]
    debates: tuple[Flawed, ...]
    waiting: int = 0
    judge: str = ""

    def marks(self, queue: str) -> Marks:
        """What of it is kept with the run."""
        agreed = (
            Mark(one.case_id, one.said, one.dishonest, one.what)
            for one in self.debates
            if one.said is not None
        )
        return Marks(self.judge, queue, self.when_wrong, self.when_right, self.dishonest, tuple(agreed))


def flaws(run: Run, store: Store, queue: str) -> Flaws:
    """What a queue of kind `flaw` says of the debates of a run.

    A lead's decision counts before the votes. People agree on a statement where more than half of those who could
    tell name it; else the flaw counts as seen, by as many as see one, and its place as missing. Debates that the judge
    did not decide are left out. Raises `InputError` for a queue of another kind, or without items of this run.
    """
    spec = store.spec(queue)
    if spec.kind != FLAW:
        raise InputError(f"Queue {queue} is of kind {spec.kind}; name one of kind flaw.")
    rounds = store.draws(queue, run.id)
    if not rounds:
        raise InputError(
            f"Queue {queue} holds nothing of run {run.id}: gadfly review serve {run.id} --kind flaw."
        )
    drawn = {item.case_id: item for one in rounds for item in one.items}
    scores = {one.case_id: one.score for one in run.judgements(rounds[0].round.judge)}
    titles = Guidelines.parse(spec.guidelines or item_type(FLAW).guidelines)
    known = {rule.number: rule.title.rstrip(".") or f"Rule {rule.number}" for rule in titles.rules}
    answered = {case: item for case, item in drawn.items() if item.votes or item.resolution}
    found = [
        _flawed(transcript, answered[transcript.case.id], score, known)
        for transcript in run.transcripts()
        if transcript.case.id in answered
        and (score := scores.get(transcript.case.id)) is not None
        and preferred(score) != 0.5
    ]
    return replace(_flaws(found, len(drawn) - len(answered)), judge=rounds[0].round.judge)


def _flaws(debates: Sequence[Flawed], waiting: int) -> Flaws:
    wrong = [one for one in debates if one.wrong]
    right = [one for one in debates if not one.wrong]
    seen = [one for one in wrong if one.seen]
    return Flaws(
        _rate(wrong, [one.seen for one in wrong]),
        _rate(right, [one.seen for one in right]),
        _rate(seen, [one.dishonest for one in seen]),
        _shares(seen, [one.place for one in seen]),
        _shares(seen, [one.what or None for one in seen]),
        tuple(debates),
        waiting,
    )


def _rate(debates: Sequence[Flawed], told: Sequence[float | None]) -> Estimate:
    return rate(told, [one.of for one in debates])


def _shares(debates: Sequence[Flawed], told: Sequence[T | None]) -> dict[T, Estimate]:
    """How often each value was told, the most frequent first."""
    values = Counter(one for one in told if one is not None).most_common()
    return {
        value: _rate(debates, [None if one is None else one == value for one in told]) for value, _ in values
    }


def _flawed(transcript: Transcript, item: DrawnItem, score: float, known: Mapping[int, str]) -> Flawed:
    case, position = transcript.case, Position.of(transcript)
    of = transcript.metadata.get("of", case.id)
    debate = Flawed(case.id, of, score > 0.5, item.label)
    answers = [item.resolution.answer] if item.resolution else [vote.answer for vote in item.votes]
    number = _agreed(answers)
    statements = numbered(position)
    if number is None or number not in statements:
        return debate
    one = statements[number]
    own = [n for n, other in statements.items() if other.seat == one.seat]
    side = position.sides.get(one.seat)
    rule = _common([answer.rule for answer in answers if answer.value == str(number)])
    return replace(
        debate,
        number=number,
        dishonest=None if side is None else side != position.dispute.correct,
        place=own.index(number) + 1,
        said=next(n for n, other in enumerate(position.said) if other is one),
        what=known.get(rule or 0, ""),
    )


def _agreed(answers: Sequence[Answer]) -> int | None:
    """The statement that more than half of those name who could tell; None where there is none."""
    told = [answer.value for answer in answers if answer.value != "cannot_tell"]
    value = _common(told)
    return int(value) if value is not None and value.isdecimal() else None


def _common(values: Sequence[T]) -> T | None:
    """What more than half of the values are; None where nothing is."""
    counted = Counter(values).most_common(1)
    return counted[0][0] if counted and 2 * counted[0][1] > len(values) else None
