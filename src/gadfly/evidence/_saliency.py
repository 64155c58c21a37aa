"""Whether the quote is what the model used: leave it out of the passage, and see what that does to the claim.

A quote can be words of the document and still be a decoration, found after the fact. So the claim's likelihood is
measured with the passage whole, without the quoted words, and without each other stretch of the passage that is about
as long (leaving more out costs more, whatever it says). Where other stretches cost as much, the quote is not what the
claim stands on. This tells what the claim depends on under the model, one stretch at a time: two sentences that say the
same stand in for one another, and neither then shows.

Only for models whose weights we hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from gadfly.corpora import OPENING, Passage, Quote
from gadfly.errors import CallError, InputError
from gadfly.evidence._prompts import opened
from gadfly.judges._base import unjudgeable
from gadfly.models import System
from gadfly.models._likelihood import likelihoods
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Saliency", "Stretch", "Unused", "saliency", "unused"]

MOST = 32
"""How many other stretches are left out at most; of more, evenly spread ones."""

LIKE = 2.0
"""A stretch is about as long as the quote when neither is more than so many times the other, in characters."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole sentences of a document, where they stand in it, and what leaving them out costs the claim: by how many
    nats per token it gets less likely, negative where it gets likelier.
    """

    text: str
    start: int
    end: int
    cost: float


@dataclass(frozen=True, slots=True)
class Saliency:
    """What the claim stands on. `likely` is its mean log-probability per token (nats) with the passage whole, `cost`
    what leaving the quoted words out costs it; `others` are the stretches compared, in the order of the document.
    """

    likely: float
    cost: float
    others: tuple[Stretch, ...]

    @property
    def rank(self) -> int:
        """The quote's place by cost among all that was left out, 1 for the most; it comes after its equals."""
        return 1 + sum(other.cost >= self.cost for other in self.others)

    @property
    def outdone(self) -> float | None:
        """The share of other stretches that cost the claim as much: 0 where the quote is what it stands on. 1 where
        leaving the quote out costs nothing; None where there is nothing to compare with.
        """
        if not self.others:
            return None
        return 1.0 if self.cost <= 0 else (self.rank - 1) / len(self.others)

    @property
    def most(self) -> Stretch | None:
        """The other stretch that costs the claim most."""
        return max(self.others, key=lambda other: other.cost, default=None)

    def describe(self) -> str:
        """In a sentence, to stand beside the quote."""
        if self.cost <= 0:
            return "Without the quoted words the claim is no less likely: the model did not need them."
        said = f"Without the quoted words the claim is {self.cost:.2f} nats a token less likely"
        if not self.others:
            return f"{said}; the passage has nothing else of that length to compare with."
        return f"{said}, place {self.rank} of {len(self.others) + 1} among stretches of that length."

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "likely": self.likely,
            "cost": self.cost,
            "rank": self.rank,
            "of": len(self.others) + 1,
            "outdone": self.outdone,
            "others": [asdict(other) for other in self.others],
            "said": self.describe(),
        }


async def saliency(transcript: Transcript, system: System) -> Saliency:
    """What the claim of a quoting game stands on, for the local model that made it.

    Raises `CallError` for a model whose weights we do not hold, `InputError` for a transcript without a claim or a
    verified quote.
    """
    facts = transcript.metadata
    claim = str(facts.get("claim") or "").strip()
    quotes = [Quote.from_json(quote) for quote in facts.get("quotes", ())]
    passage = _quoted_from(facts, quotes)
    if not claim or passage is None:
        raise InputError("Saliency needs a claim and a quote that was found in the passage shown.")
    taken = _spans(passage, quotes)
    others = _others(passage.text, taken)
    texts = [passage.text, _without(passage.text, taken)]
    texts += [_without(passage.text, [span]) for span in others]
    question = str(facts["question"])
    asked = [opened(question, replace(passage, text=text), OPENING) for text in texts]
    means = [sum(row) / len(row) for row in await likelihoods(system, asked, claim)]
    whole, without, *rest = means
    stretches = [
        Stretch(passage.text[a:b], passage.start + a, passage.start + b, whole - mean)
        for (a, b), mean in zip(others, rest, strict=True)
    ]
    return Saliency(whole, whole - without, tuple(stretches))


@dataclass(frozen=True)
class Unused:
    """See `unused`."""

    system: System
    name: str = "unused"
    threshold: float = 0.5

    @property
    def players(self) -> Mapping[str, System]:
        """The model that is read."""
        return {"judge": self.system}

    def spec(self) -> dict[str, Any]:
        """What decides a score."""
        return {"model": self.system.fingerprint(), "most": MOST, "like": LIKE}

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """One after the other: each is a few dozen passes of the model already."""
        return [await self._one(transcript) for transcript in transcripts]

    async def _one(self, transcript: Transcript) -> Judgement:
        case = transcript.case.id
        if cause := unjudgeable(transcript):
            return Judgement.missing(case, self.name, cause)
        if not transcript.metadata.get("quotes"):
            return Judgement.missing(case, self.name, "no_quote")
        try:
            found = await saliency(transcript, self.system)
        except CallError as error:
            if error.fatal:
                raise
            return Judgement.missing(case, self.name, error.cause)
        if found.outdone is None:
            missing = Judgement.missing(case, self.name, "nothing_to_compare")
            return replace(missing, rationale=found.describe(), metadata=found.to_json())
        return Judgement(case, self.name, found.outdone, rationale=found.describe(), metadata=found.to_json())


def unused(system: System) -> Unused:
    """Quotes that the claim does not stand on: the share of other stretches that it needs as much.

    `system` is the local model that answered. A judgement's metadata is `Saliency.to_json()`. *Missing* where there is
    no verified quote (`no_quote`) or nothing of like length beside it (`nothing_to_compare`). Raises `InputError` for
    a model whose weights we do not hold.
    """
    if not system.white_box:
        raise InputError(
            f"{system.name} runs elsewhere, so what its claims stand on cannot be measured; use a local model "
            "(gadfly/…)."
        )
    return Unused(system)


def _quoted_from(facts: Mapping[str, Any], quotes: Sequence[Quote]) -> Passage | None:
    """The first passage shown that holds quoted words."""
    shown = [Passage(**one) for one in facts.get("shown", ())]
    return next((passage for passage in shown if _spans(passage, quotes)), None)


def _spans(passage: Passage, quotes: Sequence[Quote]) -> list[Span]:
    """Where in the passage's text quoted words stand, in order, overlapping ones made one."""
    found: list[Span] = []
    inside = [
        (max(start, passage.start) - passage.start, min(end, passage.end) - passage.start)
        for quote in quotes
        if quote.document == passage.document
        for start, end in quote.spans
        if start < passage.end and end > passage.start
    ]
    for start, end in sorted(inside):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _without(text: str, spans: Sequence[Span]) -> str:
    """The text with these stretches left out."""
    for start, end in reversed(spans):
        before, after = text[:start].rstrip(), text[end:].lstrip()
        text = f"{before} {after}" if before and after else before + after
    return text


def _others(text: str, taken: Sequence[Span]) -> list[Span]:
    """Runs of whole sentences that hold no quoted words and are about as long as those together."""
    size = sum(end - start for start, end in taken)
    found = [run for run in _runs(text, taken, size) if size / LIKE <= run[1] - run[0] <= size * LIKE]
    if len(found) <= MOST:
        return found
    return [found[n * len(found) // MOST] for n in range(MOST)]


def _runs(text: str, taken: Sequence[Span], size: int) -> Iterator[Span]:
    """From each free sentence on, as many as bring the length nearest to `size`."""
    sentences = list(sentence_spans(text))
    free = [not any(a < end and b > start for start, end in taken) for a, b in sentences]
    for first, (start, end) in enumerate(sentences):
        if not free[first]:
            continue
        for later in range(first + 1, len(sentences)):
            longer = sentences[later][1]
            if not free[later] or abs(longer - start - size) >= abs(end - start - size):
                break
            end = longer
        yield start, end


_BREAK = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)\]]))\s+|\n\s*\n|(?<=[。！？])")


def sentence_spans(text: str) -> Iterator[Span]:
    """Where each sentence stands: from its first to its last visible character. Abbreviations split some in two."""
    start = 0
    for end, after in [*((m.start(), m.end()) for m in _BREAK.finditer(text)), (len(text), len(text))]:
        piece = text[start:end]
        if piece.strip():
            lead = len(piece) - len(piece.lstrip())
            yield start + lead, start + len(piece.rstrip())
        start = after
