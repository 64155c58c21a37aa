"""What a run already has when it is opened to go on, and what of it must be made anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gadfly.runs._progress import Tally
from gadfly.runs._table import Table

__all__ = ["Done", "forget_failed", "forget_judges", "recover"]

Marks = npt.NDArray[np.bool_]
"""One flag per case index: memory that does not grow with what was said."""


@dataclass(frozen=True)
class Done:
    """Which cases are played and, per judge, judged."""

    played: Marks
    judged: Mapping[str, Marks]

    def all(self, span: slice = slice(None)) -> bool:
        """Whether nothing is left to do for these cases."""
        return bool(self.played[span].all()) and all(
            bool(marks[span].all()) for marks in self.judged.values()
        )

    def unjudged(self) -> Marks:
        """Played cases that some judge has not seen."""
        waiting = np.zeros_like(self.played)
        for marks in self.judged.values():
            waiting |= self.played & ~marks
        return waiting


def recover(transcripts: Table, judgements: Table, judges: Iterable[str], count: int, tally: Tally) -> Done:
    """Mend both tables, learn what is done among the first `count` cases, and count it in `tally`.

    A judgement whose transcript is gone (its part file was moved away) is about words that nobody can read
    any more: it is dropped, and its case is played and judged again.
    """
    transcripts.recover()
    judgements.recover()
    done = Done(np.zeros(count, np.bool_), {judge: np.zeros(count, np.bool_) for judge in judges})
    for batch in transcripts.batches(["index", "outcome", "usage"]):
        own = _within(batch, count)
        done.played[own["index"].to_numpy()] = True
        tally.already_played(own["outcome"], own["usage"])
    if any(_orphans(batch, done.played).any() for batch in judgements.batches(["index"])):
        judgements.drop(lambda table: pa.array(_orphans(table, done.played)))
    for batch in judgements.batches(["index", "judge", "score", "cause"]):
        for judge, marks in done.judged.items():
            own = _within(batch, count).filter(pc.field("judge") == judge)
            marks[own["index"].to_numpy()] = True
            tally.already_judged(judge, own["score"], own["cause"])
    return done


def forget_failed(transcripts: Table, judgements: Table) -> None:
    """Drop failed cases and every judgement that is missing because a call failed, so that both are made
    anew.

    Judgements go first: killed in between, a failed case is merely judged again.
    """
    transcripts.recover()
    judgements.recover()
    judgements.drop(lambda table: pc.match_substring_regex(table["cause"], "^(not_valid$|call_failed)"))
    transcripts.drop(lambda table: pc.is_in(table["outcome"], pa.array(["failed"])))


def forget_judges(judgements: Table, names: Sequence[str]) -> None:
    """Drop all that these judges said, so that they judge anew."""
    if names:
        judgements.recover()
        judgements.drop(lambda table: pc.is_in(table["judge"], pa.array(names, pa.string())))


def _within(batch: pa.Table, count: int) -> pa.Table:
    return batch.filter(pc.field("index") < count)


def _orphans(batch: pa.Table, played: Marks) -> Marks:
    index = batch["index"].to_numpy()
    known = index < len(played)
    return known & ~played[np.where(known, index, 0)] if len(played) else known
