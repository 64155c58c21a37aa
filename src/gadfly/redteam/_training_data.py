"""Preferences among questions: an earlier run as pairs, and an attacker that learns from them (`method dpo`).

A failure is all that supervised training learns from; a pair learns from every question that was judged, for of two
questions in the same place the one whose reply was closer to a failure is the better one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from gadfly.errors import InputError
from gadfly.redteam._attacker import Attacker, row_key
from gadfly.redteam._focus import Focus
from gadfly.redteam._tuning import Student
from gadfly.redteam._verdicts import verdict_of
from gadfly.runs import Run
from gadfly.stats import normalise_question

if TYPE_CHECKING:
    from gadfly.training import Preference, Preferring, Trained

__all__ = ["learn_from_pairs", "pairs_from"]

OPPONENTS = 4
"""Questions that each one is held against, at most."""

Asked = tuple[str, float]
"""A question and the score its reply got."""


def learn_from_pairs(
    learner: Student, runs: Sequence[Run], output: Path, settings: Preferring | None = None
) -> Trained:
    """Direct preference optimisation on the questions of `runs`, by what their own judges made of the replies.

    Raises `InputError` when no two questions can be compared, and what `prefer` raises.
    """
    from gadfly.training import prefer

    pairs = pairs_from(runs, instructed=learner.instructed)
    if not pairs:
        names = ", ".join(run.id for run in runs)
        raise InputError(
            f"No two questions in {names} were asked in the same place and scored differently, so none is preferred: "
            "play more cases, or take a judge with finer scores."
        )
    focuses = sorted({run.info["spec"]["focus"]["name"] for run in runs})
    spec = {"instructed": learner.instructed, "focuses": focuses}
    return prefer(learner.base, pairs, output, settings, start=learner.start, spec=spec)


def pairs_from(runs: Iterable[Run], judge: str = "", instructed: bool = False) -> list[Preference]:
    """Pairs of valid questions written for the same row of slots, the one with the higher score first.

    Scores are those of `judge`, or of each run's own first judge. `p` is `confidence` in their difference, so that a
    judge who hardly tells two questions apart hardly prefers one. Left out: questions without a score, questions asked
    word for word from templates, pairs of equal scores. A question asked several times counts once, with its mean
    score; the same runs give the same pairs.
    """
    from gadfly.training import Preference, confidence

    return [
        Preference(prompt, f" {better}\n", f" {worse}\n", confidence(high, low))
        for (prompt, _), asked in sorted(_asked(runs, judge, instructed).items())
        for (better, high), (worse, low) in _opposed(asked)
    ]


def _asked(runs: Iterable[Run], judge: str, instructed: bool) -> dict[tuple[str, str], list[Asked]]:
    """The distinct questions by the text they continue and their row."""
    texts: dict[tuple[str, str, str], str] = {}
    scores: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    writer = Attacker(None, instructed=instructed)  # type: ignore[arg-type]  # only its text is wanted
    for run in runs:
        named = judge or verdict_of(run)[0]
        focus = Focus.model_validate(run.info["spec"]["focus"] | {"judge": named})
        given = {judgement.case_id: judgement.score for judgement in run.judgements(named)}
        for transcript in () if focus.templates else run.transcripts():
            score = given.get(transcript.case.id)
            if score is None or transcript.outcome != "completed":
                continue
            row = transcript.metadata.get("row", {})
            question = " ".join(transcript.said_by("attacker")[0].text.split())
            place = (writer.prompt(focus, transcript.case, row), row_key(row), normalise_question(question))
            scores[place].append(score)
            texts[place] = min(question, texts.get(place, question))
    found: dict[tuple[str, str], list[Asked]] = defaultdict(list)
    for (prompt, row, name), values in scores.items():
        found[prompt, row].append((texts[prompt, row, name], fmean(values)))
    return found


def _opposed(asked: Sequence[Asked]) -> Iterator[tuple[Asked, Asked]]:
    """Each question of the better half against a few of the worse half, spread over it.

    Where few replies fail, that pairs every failure with questions that did not. Equal scores stand in an order that
    has nothing to do with their words, or the attacker would learn that order.
    """
    ranked = sorted(asked, key=lambda one: (-one[1], hashlib.sha256(one[0].encode()).digest()))
    half = len(ranked) // 2
    better, worse = ranked[:half], ranked[half:]
    for place, high in enumerate(better):
        for step in range(min(OPPONENTS, len(worse))):
            low = worse[(place + step) % len(worse)]
            if high[1] > low[1]:
                yield high, low
