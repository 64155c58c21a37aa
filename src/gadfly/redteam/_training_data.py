"""What an attacker learns from in earlier runs: the questions that made a target fail, or all of them in pairs.

A failure is all that supervised training learns from; a pair learns from every question that was judged, for of two
questions in the same place the one whose reply was closer to a failure is the better one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from gadfly.redteam._attacker import row_key, told
from gadfly.redteam._focus import Focus
from gadfly.redteam._verdicts import verdict_of
from gadfly.runs import Run
from gadfly.stats import normalise_question

if TYPE_CHECKING:
    from gadfly.training import Demonstration, Preference

__all__ = ["demonstrations", "pairs_from"]

OPPONENTS = 4
"""Questions that each one is held against, at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was judged: the text it continued, its row of slots as a string, and the score its reply got."""

    prompt: str
    row: str
    question: str
    score: float
    index: int


def demonstrations(
    runs: Iterable[Run], first: int | None = None, instructed: bool = False
) -> Iterator[Demonstration]:
    """The questions that made a target fail, each once for its row of slots, with the text they continue.

    Once, because a small attacker that is shown the commonest question twenty times learns to say nothing else.
    `first` takes only the first so many cases of each run.
    """
    from gadfly.training import Demonstration

    seen: set[tuple[str, str, str]] = set()
    for run in runs:
        judge, threshold = verdict_of(run)
        for one in _asked(run, judge, instructed):
            key = (one.prompt, one.row, normalise_question(one.question))
            if one.score >= threshold and key not in seen and (first is None or one.index < first):
                seen.add(key)
                yield Demonstration(one.prompt, f" {one.question}\n")


def pairs_from(runs: Iterable[Run], instructed: bool = False) -> list[Preference]:
    """Pairs of valid questions written for the same row of slots, the one with the higher score first.

    Scores are those that count in each run (`Run.as_judged_by`). `p` is `confidence` in their difference, so that a
    judge who hardly tells two questions apart hardly prefers one. Left out: questions without a score, questions asked
    word for word from templates, pairs of equal scores. A question asked several times counts once, with its mean
    score; the same runs give the same pairs.
    """
    from gadfly.training import Preference, confidence

    return [
        Preference(prompt, f" {better}\n", f" {worse}\n", confidence(high, low))
        for (prompt, _), asked in sorted(_places(runs, instructed).items())
        for (better, high), (worse, low) in _opposed(asked)
    ]


def _asked(run: Run, judge: str, instructed: bool) -> Iterator[Asked]:
    """The valid questions of a run that got a score; none where templates were asked word for word."""
    focus = Focus.model_validate(run.info["spec"]["focus"] | {"judge": judge})
    if focus.templates:
        return
    scores = {judgement.case_id: judgement.score for judgement in run.judgements(judge)}
    for transcript in run.transcripts():
        score = scores.get(transcript.case.id)
        if score is None or transcript.outcome != "completed":
            continue
        row = transcript.metadata.get("row", {})
        question = " ".join(transcript.said_by("attacker")[0].text.split())
        text = focus.attack.text(row)
        prompt = told(focus, text) if instructed else text
        yield Asked(prompt, row_key(row), question, score, transcript.case.index)


def _places(runs: Iterable[Run], instructed: bool) -> dict[tuple[str, str], list[tuple[str, float]]]:
    """The distinct questions with their mean score, by the text they continue and their row."""
    texts: dict[tuple[str, str, str], str] = {}
    scores: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for run in runs:
        for one in _asked(run, verdict_of(run)[0], instructed):
            place = (one.prompt, one.row, normalise_question(one.question))
            scores[place].append(one.score)
            texts[place] = min(one.question, texts.get(place, one.question))
    found: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for (prompt, row, name), values in scores.items():
        found[prompt, row].append((texts[prompt, row, name], fmean(values)))
    return found


def _opposed(
    asked: Sequence[tuple[str, float]],
) -> Iterator[tuple[tuple[str, float], tuple[str, float]]]:
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
