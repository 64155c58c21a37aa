"""What the store of labels takes and gives: frozen data that knows nothing of SQL or of the page.

A person is a judge named `person:NAME`, and a label is their `Judgement`. What a rater may say about an item
depends on its kind (`VALUES`); every text a person wrote is checked here, once, for whoever wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from gadfly.errors import GadflyError, InputError
from gadfly.transcripts import Judgement

__all__ = [
    "EVIDENCE",
    "FLAW",
    "LONGEST",
    "MOST_STATEMENTS",
    "VALUES",
    "Answer",
    "Assignment",
    "Conflict",
    "DeniedError",
    "DrawnItem",
    "DrawnRound",
    "Item",
    "Label",
    "LogEntry",
    "NewItem",
    "Progress",
    "QueueSpec",
    "QueueStatus",
    "Rater",
    "RaterStatus",
    "RefusedError",
    "Role",
    "Round",
    "Vote",
    "checked_answer",
    "checked_name",
    "code",
    "score",
]

Role = Literal["rater", "lead", "admin"]

EVIDENCE = ("plausible", "supported", "true")
"""The kinds that ask one thing each about a claim with its quotes, in the order a person can tell them apart."""

FLAW = "flaw"
"""The kind that asks which statement of a debate holds the flaw that decided it."""

MOST_STATEMENTS = 99
"""Statements of a debate that have a number, and so can be picked."""

_NUMBERS = tuple(map(str, range(1, MOST_STATEMENTS + 1)))

VALUES: Mapping[str, tuple[str, ...]] = {
    "label": ("fails", "passes", "cannot_tell"),
    "compare": ("first", "second", "tie", "cannot_tell"),
    **dict.fromkeys(EVIDENCE, ("yes", "no", "cannot_tell")),
    FLAW: (*_NUMBERS, "none", "cannot_tell"),
}
"""What may be answered, by the item's kind."""

SCORES: Mapping[str, float] = {
    "fails": 1.0,
    "passes": 0.0,
    "first": 1.0,
    "second": 0.0,
    "tie": 0.5,
    "no": 1.0,
    "yes": 0.0,
    "none": 0.0,
}
"""What answers that are words come to; see `score`."""

LONGEST = {"name": 100, "reason": 2_000}
"""Characters a text may have. A line of an import is at most a million characters long."""


class DeniedError(GadflyError, PermissionError):
    """A token that does not open the page: unknown, expired or revoked, or a role that may not do this."""


class RefusedError(GadflyError, ValueError):
    """An answer that cannot be taken: the item is filled, answered already, or not this rater's."""


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """What a queue is, given once.

    An item gets `raters` votes; where that is one, a share of `double_share` gets two, so that raters can be
    compared. `gold_share` is the share of what a rater is shown that is gold, while gold lasts. `lease_s` is how long
    an item waits for the rater it was given to. `explain` asks for a reason with every answer. `seed` decides which
    items are doubled and when gold comes.
    """

    name: str
    kind: str = "label"
    question: str = ""
    guidelines: str = ""
    raters: int = 1
    double_share: float = 0.2
    gold_share: float = 0.1
    lease_s: int = 900
    explain: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        checked_name(self.name, "queue's name")
        if self.kind not in VALUES:
            raise InputError(f"A queue's kind is one of {', '.join(VALUES)}; got {self.kind!r}.")
        if self.raters < 1 or self.lease_s < 1:
            raise InputError(
                f"A queue needs at least one rater an item and a lease of a second; got {self.raters} and "
                f"{self.lease_s}."
            )
        for share in (self.double_share, self.gold_share):
            if not 0.0 <= share <= 1.0:
                raise InputError(f"A share of items lies in [0, 1]; got {share!r}.")

    @property
    def compares(self) -> bool:
        """Whether its items are pairs, so that no answer says that anything fails."""
        return self.kind == "compare"


@dataclass(frozen=True, slots=True)
class NewItem:
    """Something to ask about, and how it came to be chosen.

    `payload` is what the page shows, as JSON values, a snapshot. `index` is its place in the run's frame, `draw` its
    place in the order drawn and `probability` its chance of being the one drawn, given the draws before it; `lowest`
    is the lowest such chance that any case had in that draw. `gold` is the known answer (True: fails, no, or the first
    is better) of an item that checks raters; `quota` overrides the queue's number of votes.
    """

    run: str
    case_id: str
    payload: Mapping[str, Any]
    index: int = -1
    draw: int = -1
    probability: float = 1.0
    lowest: float = 0.0
    why: str = ""
    gold: bool | None = None
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One drawing from one run. `frame` is how many cases could have been drawn, `frame_digest` which, `chosen` what
    picked them among the samples of each question (empty: all of them).

    The store gives the `id`, and `created` where it is None.
    """

    run: str
    policy: str = "uniform"
    judge: str = ""
    seed: int = 0
    frame: int = 0
    frame_digest: str = ""
    chosen: str = ""
    id: int = 0
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An item in its queue. `quota` is None for gold, which every rater may be shown; raters never learn `gold`."""

    id: int
    queue: str
    kind: str
    payload: Mapping[str, Any]
    position: int
    run: str
    case_id: str
    gold: bool | None = None
    quota: int | None = 1


@dataclass(frozen=True, slots=True)
class Rater:
    """A person in one queue, as their token says. `expires` is None for one who labelled elsewhere."""

    id: int
    queue: str
    name: str
    role: Role
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said of an item, in `seconds` of looking; `rule` is the guideline they were shown with it, or, of a
    flaw, the one that names it.
    """

    value: str
    reason: str = ""
    seconds: float = 0.0
    rule: int | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """An item in a rater's hands.

    `attempt` says which answer is due: 1 the first; 2 one after help, and then `first` is what they said before,
    `pointed_out` the guideline that the help named and `why` its words.
    """

    id: int
    item: Item
    rater: str
    leased_until: datetime
    attempt: int = 1
    first: Answer | None = None
    pointed_out: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """One rater's own: items answered, items that could still come to them, the sum; gold seen and got right.

    `left` also falls when others fill items, so the sum may fall.
    """

    done: int
    left: int
    gold_right: int = 0
    gold_seen: int = 0

    @property
    def total(self) -> int:
        return self.done + self.left


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's standing answer to an item.

    `pointed_out` is the guideline that help named after their first answer, whether or not they answered again. When
    they did, `first` is what they said before.
    """

    rater: str
    role: Role
    answer: Answer
    at: datetime
    first: Answer | None = None
    first_at: datetime | None = None
    pointed_out: int | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A vote with the item it is about: what is exported, agreed on and estimated from.

    `resolves` marks a lead's decision on an item that raters were in conflict about; it is not one of the votes.
    """

    item: int
    run: str
    case_id: str
    gold: bool | None
    vote: Vote
    resolves: bool = False

    def judgement(self) -> Judgement:
        """The label as what it is: one judge's judgement of a case."""
        answer = self.vote.answer
        value = score(answer.value)
        return Judgement(
            self.case_id,
            f"person:{self.vote.rater}",
            value,
            cause="" if value is not None else "cannot_tell",
            rationale=answer.reason,
            metadata={"seconds": answer.seconds, "at": self.vote.at.isoformat()},
        )


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item whose raters disagree or of which one could not tell; `resolution` is the lead's vote once given."""

    item: Item
    votes: tuple[Vote, ...]
    resolution: Vote | None = None


@dataclass(frozen=True, slots=True)
class DrawnItem:
    """An item as it was drawn, with what people said of it, but without its payload."""

    item: int
    case_id: str
    index: int
    draw: int
    probability: float
    lowest: float
    why: str
    votes: tuple[Vote, ...]
    resolution: Vote | None = None

    @property
    def label(self) -> float | None:
        """The lead's decision where there is one, else the mean of the votes that could tell; None without any."""
        if self.resolution is not None:
            return score(self.resolution.answer.value)
        told = [s for s in (score(vote.answer.value) for vote in self.votes) if s is not None]
        return sum(told) / len(told) if told else None


@dataclass(frozen=True, slots=True)
class DrawnRound:
    """A round with its items in the order drawn."""

    round: Round
    items: tuple[DrawnItem, ...]


@dataclass(frozen=True, slots=True)
class RaterStatus:
    """One rater as a lead sees them. `median_s` and `last` are None before the first answer."""

    rater: Rater
    revoked: bool
    progress: Progress
    median_s: float | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """Where a queue stands; gold counts neither as an item nor as a label here.

    `done` items have all their votes, `open` ones have not, `conflicts` wait for a lead, who has decided `resolved`.
    """

    queue: str
    items: int
    done: int
    open: int
    conflicts: int
    resolved: int
    labels: int
    gold: int
    raters: tuple[RaterStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One change. `who` is a rater's name, or empty for what was done from the command line."""

    id: int
    at: datetime
    who: str
    action: str
    data: Mapping[str, Any] = field(default_factory=dict)


def score(value: str) -> float | None:
    """An answer as a score: 1 fails (or no, the first wins, a statement with a flaw), 0 passes (yes, the second wins,
    no flaw), ½ a tie, else None.
    """
    return 1.0 if value.isdecimal() else SCORES.get(value)


def code(value: str) -> float | None:
    """An answer as a number in [0, 1] that no other answer of its kind has: its score, but a hundredth of the number of
    a statement, so that people who pick different ones do not agree. None for one that could not tell.
    """
    return int(value) / (MOST_STATEMENTS + 1) if value.isdecimal() else score(value)


def checked_answer(answer: Answer, kind: str) -> Answer:
    """The answer with what no database holds (NUL, lone surrogates) replaced by U+FFFD.

    Raises `InputError` for a value this kind of item does not take, a text too long, or a time that is none.
    """
    if answer.value not in VALUES[kind]:
        allowed = [value for value in VALUES[kind] if not value.isdecimal()]
        numbers = [f"1 to {MOST_STATEMENTS}"] if kind == FLAW else []
        raise InputError(
            f"value must be one of {', '.join([*numbers, *allowed])}; got {answer.value[:40]!r}."
        )
    if not (math.isfinite(answer.seconds) and answer.seconds >= 0):
        raise InputError(f"seconds must be a number from 0 up; got {answer.seconds!r}.")
    if (size := len(answer.reason)) > LONGEST["reason"]:
        raise InputError(f"reason has {size:,} characters; it may have {LONGEST['reason']:,}.")
    if answer.rule is not None:
        checked_rule(answer.rule)
    return replace(answer, reason=storable(answer.reason))


def checked_rule(number: int) -> int:
    """A guideline's number, or `InputError`."""
    if not 0 <= number < 2**31:
        raise InputError(f"rule must be a guideline's number; got {number}.")
    return number


def storable(text: str) -> str:
    """The text with NUL and lone surrogates, which PostgreSQL and UTF-8 refuse, replaced by U+FFFD."""
    return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)


def checked_name(name: str, what: str) -> str:
    """A name that can be printed, logged and typed: one line of 1 to 100 visible characters.

    Raises `InputError`, which calls it `what`.
    """
    if not (name and len(name) <= LONGEST["name"] and name.isprintable() and name == name.strip()):
        raise InputError(
            f"A {what} is one line of 1 to {LONGEST['name']} visible characters without spaces around it; "
            f"got {name[:40]!r}."
        )
    return name


def checked_role(role: str) -> Role:
    """One of the three roles, or `InputError`."""
    if role not in get_args(Role):
        raise InputError(f"A role is one of {', '.join(get_args(Role))}; got {role!r}.")
    return role  # type: ignore[return-value]


def utc(at: datetime) -> datetime:
    """A moment in UTC; one without a zone is taken to be UTC already."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
