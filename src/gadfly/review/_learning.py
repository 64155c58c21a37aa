"""From a queue's labels to examples that a judge can be fitted on."""

from __future__ import annotations

from collections.abc import Iterator

from gadfly.errors import InputError
from gadfly.judges import Example
from gadfly.review._frame import opening
from gadfly.review._records import DrawnRound
from gadfly.review._store import Store
from gadfly.runs import open_run

__all__ = ["examples_of"]


def examples_of(store: Store, queue: str) -> tuple[list[Example], tuple[str, ...]]:
    """Every drawn item that has a label, as an example, and the runs they came from.

    An example's weight is how many of its run's cases it stands for: cases over labels, times how much rarer it was
    drawn than under uniform drawing. Items of one opening question are one group. Gold was not drawn and teaches
    nothing here: it checks raters. Raises `InputError` for a queue without labels, `UnknownNameError` for a run that
    is gone.
    """
    runs = sorted({label.run for label in store.ratings(queue) if label.gold is None})
    if not runs:
        raise InputError(f"Queue {queue} has no labels yet: open the page, or import some.")
    return [example for run in runs for example in _examples(run, store.draws(queue, run))], tuple(runs)


def _examples(name: str, rounds: list[DrawnRound]) -> Iterator[Example]:
    told: dict[str, tuple[float, float]] = {}
    drawn = [(item, earlier.round.frame) for earlier in rounds for item in earlier.items]
    for place, (item, cases) in enumerate(drawn):
        if item.label is not None:
            told[item.case_id] = (item.label, 1 / (item.probability * (cases - place)))
    for transcript in open_run(name).transcripts():
        if transcript.case.id in told:
            label, rarity = told[transcript.case.id]
            stands_for = rarity * drawn[0][1] / len(told)
            yield Example(transcript, label, stands_for, opening(transcript))
