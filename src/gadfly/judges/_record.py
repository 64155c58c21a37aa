"""What travels with a judge that learned: its card, as plain data that JSON holds whole.

A card says what the judge learned from, how often it errs, what its threshold promises and which examples it gets
most wrong. Every rate on it is out of fold: from heads that never saw the example's question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from gadfly.judges._calibration import Bin, Platt, Promise
from gadfly.stats import Estimate, normalise_question
from gadfly.transcripts import Turn

__all__ = [
    "Card",
    "Errors",
    "Fit",
    "Labels",
    "Mistake",
    "Reading",
    "Saved",
    "Source",
    "question_key",
    "question_keys",
    "reader",
    "to_json",
]


@dataclass(frozen=True, slots=True)
class Source:
    """Where labels came from: a queue's name and the runs its items were drawn from."""

    queue: str = ""
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Labels:
    """What a judge learned from. `groups` counts distinct questions; `digest` is a sha256 over cases, labels and
    weights; `unequal`: whether some examples stand for more others than some.
    """

    n: int
    flagged: int
    groups: int
    digest: str
    unequal: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Mistake:
    """One example a judge got wrong: what people said (the mean of their votes) and what it said."""

    case_id: str
    label: float
    score: float
    uncertainty: float
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a transcript becomes features: by which embedding model (`sha256` over its files), with the question
    beside the reply or not, and with which further judge's score.
    """

    embedding: str
    sha256: str
    question: bool
    base: str = ""


@dataclass(frozen=True, slots=True)
class Errors:
    """How often a judge errs, out of fold. `recall` and `false_alarms` are at the promise's threshold, over what people
    flag and over the rest; `brier` is the mean squared error of the score.
    """

    auroc: Estimate
    recall: Estimate
    false_alarms: Estimate
    brier: Estimate
    calibration: Estimate
    curve: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """How the heads were made. `strength` is the inverse regularisation that cross-validation chose."""

    strength: float
    members: int
    seed: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Card:
    """A judge's card. `round` counts from 1, 0 until it is saved. `histogram` counts examples per twentieth of the
    score: (not flagged, flagged). `learned` holds, for each case it learned from, the score of those of its heads that
    never saw that case's question: what must stand for its score where its errors are measured on the same labels.
    `questions` are the keys (`question_key`) of all questions it learned from: on those it is no judge of others.
    """

    name: str
    round: int
    created: datetime
    labels: Labels
    promise: Promise
    errors: Errors
    histogram: tuple[tuple[int, int], ...]
    mistakes: tuple[Mistake, ...]
    reading: Reading
    fit: Fit
    learned: Mapping[str, float]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """`judge.json`: what a judge needs to judge, beside the weights in `heads.safetensors`."""

    format: int
    name: str
    threshold: float
    calibration: Platt
    reading: Reading
    heads_sha256: str


def question_key(question: str) -> str:
    """By what a card knows a question, in whatever case and punctuation it is asked, without holding its words."""
    return hashlib.sha256(normalise_question(question).encode()).hexdigest()[:16]


def question_keys(questions: Iterable[str]) -> tuple[str, ...]:
    """The distinct keys of questions, sorted; those without words have none."""
    return tuple(sorted({question_key(question) for question in questions if question.strip()}))


T = TypeVar("T")


def to_json(record: Any) -> bytes:
    """A card, or what is beside it, as indented UTF-8 JSON."""
    return TypeAdapter(type(record)).dump_json(record, indent=1) + b"\n"


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Reads what `to_json` wrote of one kind; its `ValueError` says in a few words what is wrong with the text."""

    def read(text: bytes) -> T:
        try:
            return TypeAdapter(kind).validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{where}: {first['msg']}" if where else str(first["msg"])) from error

    return read
