"""A run as something to draw from: the cases a person could judge, and what one judge thinks of each."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

from gadfly.errors import GadflyError
from gadfly.judges import Seen
from gadfly.judges import judge as named
from gadfly.redteam import normalise_question
from gadfly.runs import Run, rejudge
from gadfly.transcripts import Transcript

__all__ = ["Frame", "frame_of", "judged_by", "replies"]


@dataclass(frozen=True)
class Frame:
    """N judgeable cases of a run, by case index: `case_ids`, the `questions` that opened them (their clusters), and
    `scores` (None: the judge could not tell). `seen` is the same for choosing policies. A place in the frame is what
    items call their index.
    """

    run: Run
    judge: str
    threshold: float
    case_ids: tuple[str, ...]
    questions: tuple[str, ...]
    scores: tuple[float | None, ...]
    seen: Seen

    @property
    def digest(self) -> str:
        """Which cases these are."""
        return hashlib.sha256("\n".join(self.case_ids).encode()).hexdigest()[:32]


def judged_by(run: Run, name: str, *, progress: bool = True) -> Run:
    """The run with this judge's judgements: judged now where the judge is new to it, or is not what it was then.

    A judge the run knows and that cannot be made from its name alone (a funnel, a model judge) stands as recorded.
    Raises `UnknownNameError` for a name that neither the run nor gadfly knows.
    """
    recorded = run.info["judges"].get(name)
    try:
        judge = named(name)
    except GadflyError:
        if recorded is None:
            raise
        return run
    spec: dict[str, Any] = getattr(judge, "spec", dict)()
    if recorded is not None and recorded.get("spec") == spec:
        return run
    return asyncio.run(rejudge(run, [judge], progress=progress))


def frame_of(run: Run, judge: str) -> Frame:
    """What can be drawn from a run this judge has judged: every case in which the target said something."""
    threshold = run.info["judges"][judge]["threshold"]
    rows = [
        (transcript, next((j for j in judgements if j.judge == judge), None))
        for transcript, judgements in run.judged()
        if can_be_judged(transcript)
    ]
    scores = tuple(j.score if j else None for _, j in rows)
    return Frame(
        run,
        judge,
        threshold,
        tuple(t.case.id for t, _ in rows),
        tuple(opening(t) for t, _ in rows),
        scores,
        Seen.of(scores, [j.uncertainty if j else None for _, j in rows], threshold),
    )


def can_be_judged(transcript: Transcript) -> bool:
    """Whether there is a reply to judge."""
    replies = transcript.said_by("target")
    return transcript.outcome == "completed" and any(turn.text.strip() for turn in replies)


def opening(transcript: Transcript) -> str:
    """The first question, normalised: cases that share it are not independent. The case's id where nobody asked."""
    asked = transcript.said_by("attacker")
    return normalise_question(asked[0].text) if asked else transcript.case.id


def replies(run: Run, wanted: set[str]) -> dict[str, str]:
    """The last thing the target said in each of these cases, by case id."""
    told = (t for t in run.transcripts() if t.case.id in wanted)
    return {t.case.id: t.said_by("target")[-1].text for t in told if t.said_by("target")}
