"""From people's labels to a rate: what a judge counted, put right by what raters said of the cases drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gadfly.errors import InputError
from gadfly.evidence import Judges
from gadfly.judges import fitted_names, history
from gadfly.review._frame import Frame, frame_of, judged_by
from gadfly.review._records import FLAW, DrawnItem, Label, code, score
from gadfly.review._store import Store
from gadfly.runs import Correction, Run, corrections, keep_correction
from gadfly.stats import (
    ConfidenceSequence,
    Draw,
    Estimate,
    RaterError,
    Rating,
    confidence_sequence,
    corrected_rate,
    corrected_within,
    rate,
    rater_error,
)

__all__ = ["Corrected", "correct", "drawn_by", "known_truths", "preference", "ratings_of", "re_estimate"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction with what it rests on. `looks` is the confidence sequence over the labels in the order drawn;
    `error` what the raters' own error was found to be, None where nothing told; `pending` items wait for a label; from
    the first `learned` labels the judge has learned.
    """

    correction: Correction
    looks: ConfidenceSequence
    error: RaterError | None
    pending: int
    learned: int


def correct(run: Run, judge: str, store: Store, queue: str, *, progress: bool = True) -> Corrected:
    """The rate of failures in a run as people see them: by `judge` on every case and the queue's labels on some.

    The run is judged first where this judge has not seen all of it. The result is kept with the run. A judge that
    learned from some of these labels counts there with the score of its heads that had not seen them (cross-prediction,
    Zrnic & Candès 2024, arXiv 2309.16598), and the confidence sequence bets only on labels that came after. Raises
    `InputError` when the queue holds no labels on this run, or the run changed since they were drawn.
    """
    if store.spec(queue).compares:
        raise InputError(
            f"Queue {queue} compares items two by two, which gives no rate: name one that labels them."
        )
    if store.spec(queue).kind == FLAW:
        raise InputError(
            f"Queue {queue} says where the flaws are, which corrects no rate: gadfly review flaws reads it."
        )
    return _corrected(judged_by(run, judge, progress=progress), judge, store, queue)


def _corrected(run: Run, judge: str, store: Store, queue: str) -> Corrected:
    """See `correct`; the run has been judged."""
    frame = frame_of(run, judge, drawn_by(store, queue, run))
    items = drawn_items(store, queue, frame)
    pending = sum(not (item.votes or item.resolution) for item in items)
    if pending == len(items):
        raise InputError(f"Queue {queue} has no labels on run {run.id} yet: open the page, or import some.")
    labels = store.ratings(queue)
    error = rater_error(ratings_of(labels), *known_truths(labels))
    draws = [_draw(item, of_votes=error is not None) for item in items]
    learned = _learned(run, judge)
    scores = [learned.get(case, score) for case, score in zip(frame.case_ids, frame.scores, strict=True)]
    after = max((place for place, item in enumerate(items, 1) if item.case_id in learned), default=0)
    verdicts = [None if s is None else s >= frame.threshold for s in frame.scores]
    kind = store.spec(queue).kind
    correction = Correction(
        judge,
        queue,
        before=rate(verdicts, frame.questions),
        after=corrected_rate(scores, draws, frame.questions, error=error),
        alone=corrected_rate([0.0] * len(frame.scores), draws, frame.questions, error=error),
        judge_spec=run.info["judges"][judge],
        kind=kind,
        chosen=frame.chosen,
        supported_but_false=_misled(frame, scores, draws, error) if kind == "supported" else None,
        labels=store.version(queue),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    keep_correction(run, correction)
    seen = [_draw(item, of_votes=True) for item in items]
    looks = confidence_sequence(scores, seen, after=after)
    known = sum(draw.label is not None for draw in seen[:after])
    return Corrected(correction, looks, error, pending, known)


def _misled(
    frame: Frame, scores: Sequence[float | None], draws: Sequence[Draw], error: RaterError | None
) -> Estimate | None:
    """The rate of claims that hold no known answer though people see that their quotes show them; None where no case
    has a known answer.
    """
    told = {one.case_id: one.score for one in frame.run.judgements(Judges().wrong)}
    false = [told.get(case) for case in frame.case_ids]
    if all(one is None for one in false):
        return None
    return corrected_within(false, scores, draws, frame.questions, error=error)


def _learned(run: Run, judge: str) -> Mapping[str, float]:
    """By case, what a judge's heads said that had not seen it, of the cases it learned from."""
    if judge in fitted_names():
        return history(judge)[-1].learned
    if "heads" in run.info["judges"][judge].get("spec", {}):
        raise InputError(
            f"Judge {judge} learned from labels, and which ones is not known here. "
            "Set GADFLY_JUDGES to where it is kept."
        )
    return {}


def preference(store: Store, queue: str) -> tuple[str, Estimate] | None:
    """In a queue that compares two runs: one run's id, and how often raters chose it, a tie counting half.

    The votes on one pair are one cluster. None for a queue that does not compare, or has no votes yet.
    """
    votes = [label for label in store.ratings(queue) if not label.resolves and label.gold is None]
    if not store.spec(queue).compares or not votes:
        return None
    first = min(label.run for label in votes)
    scores = [score(label.vote.answer.value) for label in votes]
    ours = [s if s is None or v.run == first else 1 - s for s, v in zip(scores, votes, strict=True)]
    return first, rate(ours, [label.item for label in votes])


def re_estimate(run: Run, store: Store, *, progress: bool = True) -> list[tuple[Correction, Correction]]:
    """Judge and correct a run anew where the judge or the labels of an earlier correction have changed since.

    (before, now) for each that was made anew. A correction whose queue is not in this store stands as it is.
    """
    last = {(c.judge, c.queue): c for c in corrections(run)}
    queues, found = store.queues(), []
    for (judge, queue), before in last.items():
        if queue not in queues:
            continue
        judged = judged_by(run, judge, progress=progress)
        if before.stale(judged) or before.labels != store.version(queue):
            found.append((before, _corrected(judged, judge, store, queue).correction))
    return found


def drawn_by(store: Store, queue: str, run: Run) -> str:
    """What chose the answers of a run that were drawn into a queue; empty for all, or where nothing was drawn."""
    return next((drawn.round.chosen for drawn in store.draws(queue, run.id)), "")


def drawn_items(store: Store, queue: str, frame: Frame) -> list[DrawnItem]:
    """Every item drawn from the frame's run, in the order drawn. Raises `InputError` when the run changed since."""
    rounds = store.draws(queue, frame.run.id)
    if not rounds:
        raise InputError(
            f"Nothing was drawn from run {frame.run.id} into queue {queue}: "
            f"gadfly ask-next {frame.run.id} --judge {frame.judge} --add {queue}."
        )
    for drawn in rounds:
        if drawn.round.frame_digest != frame.digest:
            raise InputError(
                f"Run {frame.run.id} has changed since its items were drawn ({drawn.round.frame:,} cases then, "
                f"{len(frame.case_ids):,} now), so their probabilities no longer hold: draw into a new queue."
            )
    return [item for drawn in rounds for item in drawn.items]


def ratings_of(labels: list[Label]) -> list[Rating]:
    """Labels as agreement reads them: votes only, not what a lead decided, nor how that lead voted on the item."""
    decided = {(label.item, label.vote.rater) for label in labels if label.resolves}
    votes = [
        (str(label.item), label.vote)
        for label in labels
        if not label.resolves and (label.item, label.vote.rater) not in decided
    ]
    return [
        Rating(item, vote.rater, code(vote.answer.value), vote.answer.seconds, vote.at)
        for item, vote in votes
    ]


def known_truths(labels: list[Label]) -> tuple[dict[str, bool], dict[str, bool]]:
    """Items whose answer is known: gold, and what a lead decided."""
    gold = {str(label.item): label.gold for label in labels if label.gold is not None}
    decided = {str(label.item): score(label.vote.answer.value) for label in labels if label.resolves}
    return gold, {item: told >= 0.5 for item, told in decided.items() if told is not None}


def _draw(item: DrawnItem, *, of_votes: bool) -> Draw:
    """The draw with its label: the mean of its votes, or what the lead decided where there is such a decision."""
    told = [s for s in (score(vote.answer.value) for vote in item.votes) if s is not None]
    votes = sum(told) / len(told) if told else None
    return Draw(item.index, item.probability, votes if of_votes else item.label, item.lowest)
