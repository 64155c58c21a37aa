"""Which answers are to the same question: what is asked again, in whatever case and punctuation, is no new fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gadfly.evidence._choosing import Chosen
from gadfly.stats import normalise_question
from gadfly.transcripts import Transcript

__all__ = ["as_one", "asked", "asked_by"]


def asked(transcript: Transcript) -> str:
    """The question, normalised: the name of its cluster."""
    return normalise_question(str(transcript.metadata.get("question", transcript.question)))


def asked_by(answers: Sequence[Chosen]) -> list[str]:
    """`asked` of each answer."""
    return [asked(one.transcript) for one in answers]


def as_one(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Cases in which a question that was asked before has the number it had then, as what clusters them."""
    first: dict[str, int] = {}
    return [
        {**case, "of": first.setdefault(normalise_question(str(case["question"])), case["of"])}
        for case in cases
    ]
