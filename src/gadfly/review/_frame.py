"""A run as something to draw from: the cases a person could judge, and what one judge thinks of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from gadfly.errors import GadflyError, InputError
from gadfly.evidence import NOT_CHOSEN, answers
from gadfly.judges import Seen, fitted_names
from gadfly.judges import judge as named
from gadfly.models._blocking import run_blocking
from gadfly.review._debated import holds_a_debate
from gadfly.runs import Run, rejudge
from gadfly.stats import normalise_question
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Frame", "frame_of", "judged_by", "replies"]


@dataclass(frozen=True)
class Frame:
    """N judgeable cases of a run, by case index: `case_ids`, the `questions` that opened them (their clusters), and
    `scores` (None: the judge could not tell). `seen` is the same for choosing policies. A place in the frame is what
    items call their index. Of a run of questions and quotes it may hold one answer to each question only, the one that
    `chosen` names the way to pick (`gadfly.evidence.answers`); empty: all of them.
    """

    run: Run
    judge: str
    threshold: float
    case_ids: tuple[str, ...]
    questions: tuple[str, ...]
    scores: tuple[float | None, ...]
    seen: Seen
    chosen: str = ""

    @property
    def digest(self) -> str:
        """Which cases these are."""
        return hashlib.sha256("\n".join(self.case_ids).encode()).hexdigest()[:32]


def judged_by(run: Run, name: str, *, progress: bool = True) -> Run:
    """The run with this judge's judgements: judged now where the judge is new to it, or is not what it was then.

    A judge the run knows and that cannot be made from its name alone (a funnel, a model judge) stands as recorded.
    One that was stopped midway goes on. Raises `UnknownNameError` for a name that neither the run nor gadfly knows,
    and `KeyboardInterrupt` when Ctrl-C stops the judging: half a run's scores are none to draw by.
    """
    recorded = run.info["judges"].get(name)
    options = {"threshold": recorded["threshold"]} if recorded and name not in fitted_names() else {}
    try:
        judge = named(name, **options)
    except GadflyError:
        if recorded is None:
            raise
        return run
    if judge.name != name:
        raise InputError(
            f"The judge {name!r} calls itself {judge.name!r}: have it judge the run first (gadfly.runs.rejudge), then "
            f"name it {judge.name!r}."
        )
    spec: dict[str, Any] = getattr(judge, "spec", dict)()
    same = recorded is not None and recorded.get("spec") == spec
    if same and name in fitted_names():  # a new round may have moved its threshold alone
        same = recorded["threshold"] == judge.threshold
    if same and judged_whole(run, name):
        return run
    judged = run_blocking(rejudge(run, [judge], progress=progress))
    if judged.cut:
        raise KeyboardInterrupt
    return judged


def judged_whole(run: Run, judge: str) -> bool:
    """Whether this judge has seen every transcript of the run."""
    held = sum(batch.num_rows for batch in run.transcript_table.batches(["index"]))
    judged = (batch.filter(pc.field("judge") == judge) for batch in run.judgement_table.batches(["judge"]))
    return held == sum(batch.num_rows for batch in judged)


def frame_of(run: Run, judge: str, chosen: str = "") -> Frame:
    """What can be drawn from a run this judge has judged: every case in which the target said something to judge, or
    of these the answers that `chosen` picks.

    A case that did not come as far as the fork this judge reads has nothing. Raises `InputError` where no case has, and
    where nothing can be chosen by `chosen`.
    """
    picked = {one.transcript.case.id for one in answers(run, chosen)} if chosen else None
    threshold = run.info["judges"][judge]["threshold"]
    rows = [
        (transcript.case.id, opening(transcript), *_thought(judgements, judge))
        for transcript, judgements in run.judged()
        if can_be_judged(transcript) and came_so_far(judgements, judge)
        if picked is None or transcript.case.id in picked
    ]
    if not rows:
        raise InputError(f"Run {run.id} has no case with a reply to judge, so nothing can be drawn from it.")
    case_ids, questions, scores, uncertainty = zip(*rows, strict=True)
    return Frame(
        run, judge, threshold, case_ids, questions, scores, Seen.of(scores, uncertainty, threshold), chosen
    )


def _thought(judgements: list[Judgement], judge: str) -> tuple[float | None, float | None]:
    """This judge's score and uncertainty."""
    return next(((j.score, j.uncertainty) for j in judgements if j.judge == judge), (None, None))


def can_be_judged(transcript: Transcript) -> bool:
    """Whether there is a reply to judge, or a debate."""
    replies = transcript.said_by("target")
    told = any(turn.text.strip() for turn in replies)
    return transcript.outcome == "completed" and (told or holds_a_debate(transcript))


def came_so_far(judgements: list[Judgement], judge: str) -> bool:
    """Whether the case came to what this judge is about: an agent that did nothing has nothing to hide, and a sample
    that nothing chose is no answer.
    """
    return not any(j.judge == judge and j.cause in ("not_reached", NOT_CHOSEN) for j in judgements)


def opening(transcript: Transcript) -> str:
    """What cases share that are not independent: the first question, normalised, the wording of a scenario, or what a
    debate is about. The case's id where there is none of these.
    """
    if "moves" in transcript.metadata and "of" in transcript.metadata:
        return f"question {transcript.metadata['of']}"
    if "wording" in transcript.metadata:
        return f"wording {transcript.metadata['wording']}"
    asked = transcript.said_by("attacker") or transcript.said_by("user")
    return normalise_question(asked[0].text) if asked else transcript.case.id


def replies(run: Run, wanted: set[str]) -> dict[str, str]:
    """The last thing the target said in each of these cases, by case id."""
    told = (t for t in run.transcripts() if t.case.id in wanted)
    return {t.case.id: t.said_by("target")[-1].text for t in told if t.said_by("target")}
