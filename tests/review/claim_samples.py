"""Answers with evidence, made by hand: transcripts as the quoting game leaves them, and a run of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.corpora import ELLIPSIS, Passage, Quote
from gadfly.review._quoted import claim_payload
from gadfly.transcripts import Case, Transcript, Turn

QUESTION = "How long does the lamp of the lighthouse burn on one filling?"
CLAIM = "It burns for nine hours."
TEXT = (
    "The lighthouse at Ness was lit in 1861. "
    + "Its keepers came over from the mainland each spring. " * 30
    + "The lamp holds four litres of oil and burns for nine hours on one filling. "
    + "In winter it has to be filled twice in a night. "
    + "The stairs have ninety-nine steps. " * 40
)
QUOTED = "burns for nine hours on one filling"


def passage(text: str = TEXT, start: int = 0, title: str = "Ness light", source: str = "ness.md") -> Passage:
    return Passage("ness", title, text, start, start + len(text), source)


def quote_of(one: Passage, *words: str) -> Quote:
    """A quote of these words of a passage, one span each."""
    starts = [one.start + one.text.index(word) for word in words]
    spans = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True))
    return Quote(one.document, one.title, ELLIPSIS.join(words), spans, one.source)


def answered(
    claim: str = CLAIM,
    quotes: Sequence[Quote] | None = None,
    shown: Sequence[Passage] | None = None,
    question: str = QUESTION,
    case: Case | None = None,
    **facts: Any,
) -> Transcript:
    """One answer; by default a true one with one quote in the middle of a long passage."""
    shown = [passage()] if shown is None else shown
    quotes = [quote_of(shown[0], QUOTED)] if quotes is None else quotes
    known = {
        "question": question,
        "claim": claim,
        "quotes": [quote.to_json() for quote in quotes],
        "unverified": [],
        "shown": [one.to_json() for one in shown],
    }
    turns = (Turn("user", question), Turn("target", claim))
    return Transcript(case or Case("case", 0, 0), turns, metadata={**known, **facts})


def claims(n: int = 3) -> list[dict[str, Any]]:
    """The payloads of so many answers."""
    said = (CLAIM, *(f"It burns for {hours} hours." for hours in range(10, 9 + n)))
    return [claim_payload(answered(claim)) for claim in said[:n]]


@dataclass(frozen=True)
class Told:
    """What a stand-in for the answering model gives back; the fields of `evidence.Answered` that the page reads."""

    chosen: Transcript | None = None
    declined: bool = False
    why: str = ""
    alternative: str = ""
    nearest: Passage | None = None
    confidence: float | None = None
    others: tuple[Transcript, ...] = ()
    unpromised: str = ""


def tells(*told: Told | Exception) -> Any:
    """Answers one question after the other with these, the last one for ever."""
    left = list(told)

    async def ask(question: str) -> Told:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one

    return ask
