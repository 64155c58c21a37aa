"""Which of a question's samples is its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gadfly.errors import InputError
from gadfly.evidence._scorers import sure
from gadfly.evidence._verifying import fully_quoted
from gadfly.runs import Run
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Chosen", "chosen", "pick"]


@dataclass(frozen=True)
class Chosen:
    """The sample picked for question `of`, with all that was judged of it. `confidence` is how `sure` it is by the
    judge it was picked by, None where there was none or it could not tell.
    """

    of: int
    transcript: Transcript
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    confidence: float | None = None


def chosen(run: Run, by: str | None = None) -> list[Chosen]:
    """One sample for each question, in their order: the one that is the surest by judge `by` (as `pick` has it), or the
    first.

    Raises `InputError` for a run that is not of quotes, or that `by` has not judged.
    """
    groups: dict[int, list[Chosen]] = {}
    for transcript, judgements in run.judged():
        if "of" not in transcript.metadata:
            raise InputError(f"Run {run.id} is not one of questions and quotes: name one of gadfly evidence.")
        by_judge = {judgement.judge: judgement for judgement in judgements}
        told = sure(transcript, by_judge.get(by)) if by else None
        one = Chosen(int(transcript.metadata["of"]), transcript, by_judge, told)
        groups.setdefault(one.of, []).append(one)
    if by and groups and not any(by in one.judgements for group in groups.values() for one in group):
        judges = sorted({name for group in groups.values() for one in group for name in one.judgements})
        raise InputError(f"{by!r} has not judged run {run.id}; these have: {', '.join(judges) or 'none'}.")
    return [pick(group) if by else first(group) for _, group in sorted(groups.items())]


def pick(samples: list[Chosen]) -> Chosen:
    """The sample whose quotes are all verified, then of highest confidence, then from the best passage, then drawn
    first. Those that did not complete, or that the judge could not tell of, come last.
    """
    return max(samples, key=_worth)


def _worth(one: Chosen) -> tuple[bool, bool, bool, float, int, int]:
    facts = one.transcript.metadata
    whole = one.transcript.outcome == "completed"
    known = one.confidence is not None
    rank = int(facts.get("rank", 1))
    return whole, fully_quoted(facts), known, one.confidence or 0.0, -rank, -place(one)


def first(samples: list[Chosen]) -> Chosen:
    """The sample drawn first."""
    return min(samples, key=place)


def place(one: Chosen) -> int:
    """Which sample of its question it is."""
    return int(one.transcript.metadata.get("sample", 0))
