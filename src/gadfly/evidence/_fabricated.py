"""What a reward model of evidence learns from: answers of a run, what people said of them, and made-up bad ones.

After Menick et al. 2022, section 2.5: right claims with quotes that are not theirs teach it to read the quote, negated
claims with the right quote teach it to read the claim. An answer counts as good where its claim and its quote both hold
the question's short answer, or where people said so, which overrules.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gadfly.corpora import Passage, Quote, quoted
from gadfly.evidence._quoting import answer_text
from gadfly.evidence._repeats import asked
from gadfly.judges import holds_answer
from gadfly.judges._reward import dialogue
from gadfly.training import Row
from gadfly.transcripts import Case, Transcript, Turn
from gadfly.words import lowered

__all__ = ["fabricated", "negated"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"'])")
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|will|would|did|does|do)\b(?! not\b|n't)", re.IGNORECASE
)


def fabricated(
    transcripts: Sequence[Transcript], labels: Mapping[str, float] | None = None, *, seed: int = 0
) -> list[Row]:
    """Rows to train on, each with the chance that its answer is at fault: 0 for good answers, 1 for the others.

    Good answers come with four fabrications at most: another passage's quote, another sentence of their own passage,
    no quote at all, and their claim negated. `labels` are people's scores by case id (1: not supported). Rows of one
    question are one group. Answers that can be told neither way (no short answer known, nobody asked) are left out;
    no transcripts give no rows.
    """
    rng = random.Random(seed)
    told = labels or {}
    answers = [t for t in transcripts if t.outcome == "completed" and t.metadata.get("claim")]
    known = [(t, score) for t in answers if (score := told.get(t.case.id, _score(t.metadata))) is not None]
    donors = [t for t, _ in known if t.metadata["quotes"]]
    rows = []
    for transcript, score in known:
        rows.append(_row(transcript, score))
        if score == 0.0 and transcript.metadata["quotes"]:
            rows += _worse(transcript, donors, rng)
    return list({(row.text, row.target): row for row in rows}.values())


def negated(claim: str) -> str:
    """The claim turned into its opposite."""
    found = _AUXILIARY.search(claim)
    if found:
        return f"{claim[: found.end()]} not{claim[found.end() :]}"
    return f"It is not true that {lowered(claim)}"


def _score(facts: Mapping[str, Any]) -> float | None:
    """0 for an answer whose claim and quotes hold the short answer, 1 for one whose claim does not; None where the
    claim is right and its quote leaves the short answer out, which may support it all the same, or none is known.
    """
    answers = facts.get("answers", ())
    if not answers:
        return None
    if not holds_answer(facts["claim"], answers):
        return 1.0
    return 0.0 if holds_answer(" ".join(q["text"] for q in facts["quotes"]), answers) else None


def _worse(good: Transcript, donors: Sequence[Transcript], rng: random.Random) -> Iterator[Row]:
    """What becomes of a good answer when its quote or its claim is changed."""
    facts, quotes = good.metadata, [Quote.from_json(q) for q in good.metadata["quotes"]]
    claim, answers = str(facts["claim"]), facts.get("answers", ())
    yield _row(_as(good, negated(claim), quotes), 1.0)
    yield _row(_as(good, claim, []), 1.0)
    others = [d for d in donors if d.metadata.get("of") != facts.get("of")]
    if others:
        taken = Quote.from_json(rng.choice(others).metadata["quotes"][0])
        if not holds_answer(taken.text, answers):
            yield _row(_as(good, claim, [taken]), 1.0)
    elsewhere = [s for s in _sentences(facts["shown"]) if not holds_answer(s.text, answers)]
    elsewhere = [s for s in elsewhere if not any(q.text in s.text or s.text in q.text for q in quotes)]
    if elsewhere:
        yield _row(_as(good, claim, [rng.choice(elsewhere)]), 1.0)


def _sentences(shown: Sequence[Mapping[str, Any]]) -> list[Quote]:
    """Every sentence of what was shown that can be quoted."""
    passages = [Passage(**one) for one in shown]
    found = [quoted(sentence, [one]) for one in passages for sentence in _SENTENCE.split(one.text)]
    return [quote for quote in found if quote is not None]


def _as(transcript: Transcript, claim: str, quotes: Sequence[Quote]) -> Transcript:
    """The same question, answered otherwise."""
    said = [turn for turn in transcript.turns if turn.speaker != "target"]
    facts = {**transcript.metadata, "claim": claim, "quotes": [quote.to_json() for quote in quotes]}
    return Transcript(Case("", -1, 0), (*said, Turn("target", answer_text(claim, quotes))), metadata=facts)


def _row(transcript: Transcript, score: float) -> Row:
    return Row(dialogue(transcript), score, group=asked(transcript), case=transcript.case.id)
