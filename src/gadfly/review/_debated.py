"""What raters see of a debate when they look for the flaw that decided it: the right answer, the document, and every
statement under its number, its side, and with the quotations that stand in the document marked.

Which answer is right stands there, because nobody finds a flaw without knowing it; what the judge made of the debate
does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gadfly.debate import Position, Statement
from gadfly.debate._prompts import label
from gadfly.debate._protocol import JUDGE
from gadfly.errors import InputError
from gadfly.review._reader import list_in, object_in, spans_in, text_in
from gadfly.review._records import MOST_STATEMENTS
from gadfly.transcripts import Transcript

__all__ = ["Debated", "Spoken", "debate_payload", "debate_view", "holds_a_debate", "numbered"]

SPEAKS = ("argue", "quote", "ask", "answer", "estimate")
"""What may hold a flaw. A lean, a poll and the choice of a side are facts of the game."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One statement. `number` counts those that can be picked, from 1, and is 0 for the judge's. `right` says whether
    it argues for the right answer, None for a seat that argues for none. `spans` are the verified quotations in it.
    """

    who: str
    text: str
    number: int = 0
    right: bool | None = None
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Debated:
    """A debate as the template shows it. `correct` is the number of the right answer; `document` is (title, text), with
    what was quoted from it in `spans`, or None.
    """

    question: str
    answers: tuple[str, str]
    correct: int
    document: tuple[str, str] | None
    spans: tuple[tuple[int, int], ...]
    spoken: tuple[Spoken, ...]

    @property
    def words(self) -> str:
        """What the search over the rules reads."""
        return "\n".join(one.text for one in self.spoken)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The statements that can be picked."""
        return tuple(one.number for one in self.spoken if one.number)


def numbered(position: Position) -> dict[int, Statement]:
    """The statements in which a flaw can lie, by the numbers raters know them by."""
    return {number: one for one, number in _spoken_in(position) if number}


def _spoken_in(position: Position) -> Iterator[tuple[Statement, int]]:
    """All that was said, with its number; 0 for the judge's questions, and past the last number there is."""
    count = 0
    for one in position.said:
        if one.does in SPEAKS:
            count += one.seat != JUDGE
            yield one, count if one.seat != JUDGE and count <= MOST_STATEMENTS else 0


def holds_a_debate(transcript: Transcript) -> bool:
    """Whether the transcript is of a debate that went to its end and to a judge, about a question whose answer is
    known: what a rule decided, no judge got wrong.
    """
    facts = transcript.metadata
    whole = transcript.outcome == "completed" and "moves" in facts and "protocol" in facts
    known = whole and not facts["lost"] and facts.get("correct") is not None
    return known and bool(numbered(Position.of(transcript)))


def debate_payload(transcript: Transcript) -> dict[str, Any]:
    """The snapshot of a debate. Raises `InputError` for any other transcript."""
    if not holds_a_debate(transcript):
        raise InputError(
            f"Case {transcript.case.id} is no finished debate about a question whose answer is known, so nobody can "
            "say where its flaw is: draw from a run of gadfly debate, or into a queue of another kind."
        )
    position = Position.of(transcript)
    dispute, document = position.dispute, position.dispute.document
    return {
        "question": dispute.question,
        "answers": list(dispute.answers),
        "correct": dispute.correct,
        "document": document and {"title": document.title, "text": document.text},
        "spans": [list(span) for one in position.said for quote in one.quotes for span in quote.spans],
        "spoken": [_said(position, one, number) for one, number in _spoken_in(position)],
    }


def _said(position: Position, one: Statement, number: int) -> dict[str, Any]:
    side = position.sides.get(one.seat)
    right = None if side is None else side == position.dispute.correct
    spans = [[found.start, found.end] for found in one.quotations if found.verified]
    who = label(position, one)
    return {"who": who, "text": one.text, "number": number, "right": right, "spans": spans}


def debate_view(data: Mapping[str, Any], place: str) -> Debated:
    """A snapshot as the template shows it. Raises `InputError`, which names the field."""
    answers = [str(answer) for answer in list_in(data, "answers", place)]
    if len(answers) != 2 or data.get("correct") not in (0, 1):
        raise InputError(f'{place} needs two "answers", and "correct", the number of the right one: 0 or 1.')
    document = None
    if data.get("document") is not None:
        found, here = object_in(data, "document", place), f"{place}.document"
        document = text_in(found, "title", here), text_in(found, "text", here)
    return Debated(
        text_in(data, "question", place),
        (answers[0], answers[1]),
        int(data["correct"]),
        document,
        spans_in(data, place),
        tuple(_spoken(one, f"{place}.spoken[{n}]") for n, one in enumerate(list_in(data, "spoken", place))),
    )


def _spoken(data: Any, place: str) -> Spoken:
    text, number, right = text_in(data, "text", place), data.get("number", 0), data.get("right")
    if type(number) is not int or not (right is None or isinstance(right, bool)):
        raise InputError(f'{place} needs a whole "number", and "right" as true, false or null.')
    return Spoken(text_in(data, "who", place), text, number, right, spans_in(data, place))
