"""What raters see of an answer with its evidence: the question, the claim, and each quote marked in its passage.

A quote is shown where it stands, because its surroundings can turn it round. Words that the model gave as a quote and
that no document holds are counted and never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gadfly.corpora import Passage, Quote
from gadfly.errors import InputError
from gadfly.review._reader import list_in, spans_in, text_in
from gadfly.transcripts import Transcript

__all__ = ["Cited", "Claim", "claim_payload", "claim_view", "holds_a_claim"]

CONTEXT = 20_000
"""Characters of a passage kept on either side of what is quoted from it."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A passage with what is quoted from it: `spans` are (start, end) offsets into `text`.

    A quote whose passage is not known stands alone: the text is the quote and all of it is marked.
    """

    title: str
    text: str
    spans: tuple[tuple[int, int], ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer as the template shows it. `unverified` is how many quotations no document held."""

    question: str
    claim: str
    cited: tuple[Cited, ...]
    unverified: int = 0

    @property
    def words(self) -> str:
        """What the search over the rules reads."""
        return f"{self.claim}\n{self.question}"


def holds_a_claim(transcript: Transcript) -> bool:
    """Whether the transcript is of an answer with evidence: only such can be plausible, supported or true."""
    return isinstance(transcript.metadata.get("claim"), str)


def claim_payload(transcript: Transcript) -> dict[str, Any]:
    """The snapshot of such an answer. Raises `InputError` for a transcript without a claim."""
    if not holds_a_claim(transcript):
        raise InputError(
            f"Case {transcript.case.id} has no claim with quotes, so nobody can say whether one is supported: draw "
            "from a run of gadfly evidence, or into a queue of kind label."
        )
    facts = transcript.metadata
    quotes = [Quote.from_json(quote) for quote in facts.get("quotes", [])]
    return {
        "question": str(facts.get("question", "")),
        "claim": facts["claim"],
        "cited": _cited(quotes, [Passage(**passage) for passage in facts.get("shown", [])]),
        "unverified": len(facts.get("unverified", [])),
    }


def _cited(quotes: list[Quote], shown: list[Passage]) -> list[dict[str, Any]]:
    """Every passage that is quoted from, in the order quoted, with its spans; after them the quotes without one."""
    found: dict[Passage, list[tuple[int, int]]] = {}
    alone: list[dict[str, Any]] = []
    for quote in quotes:
        homes = [_home(quote, span, shown) for span in quote.spans]
        if None in homes or not homes:
            alone.append(_entry(quote.title, quote.text, [(0, len(quote.text))], quote.source))
            continue
        for (start, end), home in zip(quote.spans, homes, strict=True):
            assert home is not None
            found.setdefault(home, []).append((start - home.start, end - home.start))
    return [*(_around(passage, spans) for passage, spans in found.items()), *alone]


def _home(quote: Quote, span: tuple[int, int], shown: list[Passage]) -> Passage | None:
    """The first passage of the quote's document that holds all of the span, and there some of the quote's words."""
    for one in shown:
        if one.document == quote.document and one.start <= span[0] < span[1] <= one.end:
            words = one.text[span[0] - one.start : span[1] - one.start]
            if words and words in quote.text:
                return one
    return None


def _around(passage: Passage, spans: list[tuple[int, int]]) -> dict[str, Any]:
    first = max(0, min(start for start, _ in spans) - CONTEXT)
    last = max(end for _, end in spans) + CONTEXT
    moved = [(start - first, end - first) for start, end in spans]
    return _entry(passage.title, passage.text[first:last], moved, passage.source)


def _entry(title: str, text: str, spans: list[tuple[int, int]], source: str) -> dict[str, Any]:
    return {"title": title, "text": text, "spans": [list(span) for span in spans], "source": source}


def claim_view(data: Mapping[str, Any], place: str) -> Claim:
    """A snapshot as the template shows it. Raises `InputError`, which names the field."""
    cited = (_read(one, f"{place}.cited[{n}]") for n, one in enumerate(list_in(data, "cited", place)))
    unverified = data.get("unverified", 0)
    if not isinstance(unverified, int):
        raise InputError(f"{place}.unverified must be a whole number, got {type(unverified).__name__}.")
    return Claim(text_in(data, "question", place), text_in(data, "claim", place), tuple(cited), unverified)


def _read(data: Any, place: str) -> Cited:
    title, text = text_in(data, "title", place), text_in(data, "text", place)
    return Cited(title, text, spans_in(data, place), str(data.get("source", "")))
