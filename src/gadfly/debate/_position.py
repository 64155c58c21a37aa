"""What a debate stands at: the question with its two answers, who argues for what, and all that has been said.

Frozen data. A position is what every chair gets, and nothing about it depends on who sits there. Answers are numbered 0
and 1 in the order in which this case lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gadfly.corpora import Passage, Quote
from gadfly.debate._protocol import CHOSEN, JUDGE, Protocol, Step
from gadfly.debate._rules import Quotation, quotations, words_said
from gadfly.errors import InputError
from gadfly.transcripts import Case, Transcript

__all__ = ["Dispute", "Loss", "Move", "Position", "Statement"]


@dataclass(frozen=True, slots=True)
class Dispute:
    """A question with two answers. `correct` is the number of the right one, None where nobody knows; `document` is
    what the debaters may see, None where there is nothing to see.
    """

    question: str
    answers: tuple[str, str]
    correct: int | None = None
    document: Passage | None = None

    @classmethod
    def of(cls, case: Case) -> Dispute:
        """What a case of a set (`sets.cases`) is about, its answers exchanged where it says `swapped`."""
        data = case.data
        first, second = (str(answer) for answer in data["answers"])
        correct, text = data.get("correct"), str(data.get("document", ""))
        title = str(data.get("title", "")) or "Document"
        document = Passage("document", title, text, 0, len(text)) if text.strip() else None
        if not data.get("swapped"):
            return cls(str(data["question"]), (first, second), correct, document)
        exchanged = None if correct is None else 1 - int(correct)
        return cls(str(data["question"]), (second, first), exchanged, document)

    @property
    def passages(self) -> list[Passage]:
        """What may be quoted from."""
        return [self.document] if self.document else []

    def exchanged(self) -> Dispute:
        """The same with its answers listed the other way round."""
        correct = None if self.correct is None else 1 - self.correct
        return replace(self, answers=(self.answers[1], self.answers[0]), correct=correct)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing said. `step` numbers the protocol's step, so that equal numbers were said at once.

    `text` is what is shown: quotations that stand in the document are marked as verified, the others as not. `to`
    holds the seats that are asked, or whose answer is estimated; `private`: only its own seat knows of it. `lean` is
    the probability of answer 0 where the judge gave one, or one who estimates. `seconds` is how long a person took,
    None for others.
    """

    seat: str
    does: str
    text: str
    step: int
    to: tuple[str, ...] = ()
    private: bool = False
    quotes: tuple[Quote, ...] = ()
    unverified: tuple[str, ...] = ()
    lean: float | None = None
    seconds: float | None = None

    @property
    def words(self) -> int:
        """How many words its speaker said: gadfly's marks, and its sentence for a choice or a lean, are none."""
        return 0 if self.does in ("choose", "lean", "poll") else words_said(self.text)

    @property
    def quotations(self) -> tuple[Quotation, ...]:
        """Where its quotations stand in its text."""
        return tuple(quotations(self.text, self.quotes, self.unverified))

    def unquoted(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Where a pattern begins in what its speaker says, quotations apart."""
        quoted = [range(one.opens, one.closes) for one in self.quotations]
        return (
            found
            for found in pattern.finditer(self.text)
            if not any(found.start() in span for span in quoted)
        )

    def to_json(self) -> dict[str, Any]:
        """All but the text, which the transcript's turn of the same number holds."""
        facts = asdict(self) | {"quotes": [quote.to_json() for quote in self.quotes]}
        del facts["text"]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any], text: str) -> Statement:
        """What `to_json` gave, with its text."""
        quotes = tuple(map(Quote.from_json, facts["quotes"]))
        lists = {"to": tuple(facts["to"]), "unverified": tuple(facts["unverified"])}
        return cls(**{**facts, **lists, "quotes": quotes, "text": text})


@dataclass(frozen=True, slots=True)
class Loss:
    """A seat that lost by rule: which rule, and what it did, in words."""

    seat: str
    rule: str
    what: str


@dataclass(frozen=True)
class Position:
    """A debate so far. `sides` maps each seat to the number of the answer it argues for, None for no answer."""

    protocol: Protocol
    dispute: Dispute
    sides: Mapping[str, int | None]
    said: tuple[Statement, ...] = ()
    lost: tuple[Loss, ...] = ()

    @classmethod
    def opening(cls, protocol: Protocol, case: Case) -> Position:
        """Before anything is said. Raises `InputError` for a case that does not say which answer is argued for."""
        dispute = Dispute.of(case)
        if protocol.assigns and case.data.get("assigned") not in (0, 1):
            raise InputError(
                f'Protocol {protocol.name} argues for an assigned answer: a case needs "assigned": 0 or 1.'
            )
        assigned = int(case.data.get("assigned", 0)) ^ bool(case.data.get("swapped"))
        number = {"first": 0, "second": 1, "assigned": assigned}
        return cls(protocol, dispute, {name: number.get(seat.side) for name, seat in protocol.seats.items()})

    @classmethod
    def of(cls, transcript: Transcript, protocol: Protocol | None = None) -> Position:
        """What a transcript of `Debating` ended at. Raises `InputError` for one of another game."""
        facts = transcript.metadata
        if "protocol" not in facts or "moves" not in facts:
            raise InputError(f"Case {transcript.case.id} is no debate: judge a run of gadfly debate.")
        found = protocol or Protocol.model_validate(facts["protocol"])
        texts = [turn.text for turn in transcript.turns[1 : len(facts["moves"]) + 1]]
        said = [Statement.from_json(move, text) for move, text in zip(facts["moves"], texts, strict=True)]
        lost = tuple(Loss(**one) for one in facts["lost"])
        return cls(found, Dispute.of(transcript.case), dict(facts["sides"]), tuple(said), lost)

    def saying(self, *statements: Statement) -> Position:
        """After these were said."""
        return replace(self, said=(*self.said, *statements))

    def choosing(self, side: int) -> Position:
        """After the seat that chooses chose that answer; the seat that takes the other one has it too then."""
        seats = self.protocol.seats.items()
        chosen = {
            name: side if one.side == "chosen" else 1 - side for name, one in seats if one.side in CHOSEN
        }
        return replace(self, sides={**self.sides, **chosen})

    def exchanged(self) -> Position:
        """The same seen with the answers listed the other way round; what was said at once comes the other way round
        too.
        """
        sides = {seat: None if side is None else 1 - side for seat, side in self.sides.items()}
        steps: dict[int, list[Statement]] = {}
        for one in self.said:
            lean = None if one.lean is None else 1 - one.lean
            steps.setdefault(one.step, []).insert(0, replace(one, lean=lean))
        said = tuple(one for step in steps.values() for one in step)
        return replace(self, dispute=self.dispute.exchanged(), sides=sides, said=said)

    def mine(self, seat: str) -> str:
        """The answer that a seat argues for; empty for none."""
        side = self.sides.get(seat)
        return "" if side is None else self.dispute.answers[side]

    def heard(self, seat: str) -> tuple[Statement, ...]:
        """What a seat hears: the public part, or less, as its `hears` says, and what was meant for it alone."""
        if seat == JUDGE:
            return tuple(one for one in self.said if not one.private)
        chair = self.protocol.seats[seat]
        if chair.hears == "own":
            return tuple(one for one in self.said if one.seat == seat or (seat in one.to and not one.private))
        if chair.hears == "statement":
            return self._statement(seat, chair.copy_of)
        return tuple(one for one in self.said if not one.private or one.seat == seat)

    def _statement(self, seat: str, original: str) -> tuple[Statement, ...]:
        """What a copy hears: all that the original knew when it last argued, that argument, and what it is asked."""
        made = [n for n, one in enumerate(self.said) if one.seat == original and one.does == "argue"]
        if not made:
            return ()
        argued = self.said[made[-1]]
        before = [one for one in self.heard(original) if one.step < argued.step]
        return (*before, argued, *self.asked(seat))

    def asked(self, seat: str) -> tuple[Statement, ...]:
        """The questions put to a seat since it last answered."""
        answered = [n for n, one in enumerate(self.said) if one.seat == seat and one.does == "answer"]
        since = self.said[answered[-1] + 1 :] if answered else self.said
        return tuple(one for one in since if one.does == "ask" and seat in one.to)


@dataclass(frozen=True)
class Move:
    """What a chair is asked for: to do `step` in `seat` as things stand. `seed` is its own. `complaint` says which rule
    its last try broke, and `tried` what it said there; both are empty at first. `number` counts the case's moves, tries
    apart.
    """

    position: Position
    seat: str
    step: Step
    seed: int
    number: int = 0
    complaint: str = field(default="")
    tried: str = ""

    @property
    def mine(self) -> str:
        """The answer argued for; empty for none."""
        return self.position.mine(self.seat)
