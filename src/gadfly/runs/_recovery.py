"""What a run already has when it is opened to go on, and what of it must be made anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

    @classmethod
    def nothing(cls, cases: int, judges: Iterable[str]) -> Done:
        """None of so many cases."""
        return cls(np.zeros(cases, np.bool_), {judge: np.zeros(cases, np.bool_) for judge in judges})

    def first(self, count: int) -> Done:
        """The same marks, of the first `count` cases alone: what is marked in one is marked in the other."""
        return Done(self.played[:count], {judge: marks[:count] for judge, marks in self.judged.items()})

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


def recover(transcripts: Table, judgements: Table, done: Done, asked: int, tally: Tally) -> None:
    """Mend both tables, mark what they hold in `done`, and count the first `asked` cases of it in `tally`.

    A judgement whose transcript is gone (its part file was moved away) is about words that nobody can read
    any more: it is dropped, and its case is played and judged again.
    """
    transcripts.recover()
    judgements.recover()
    for batch in transcripts.batches(["index", "outcome", "usage"]):
        done.played[_within(batch, len(done.played))["index"].to_numpy()] = True
        own = _within(batch, asked)
        tally.already_played(own["outcome"], own["usage"])
    if any(_orphans(batch, done.played).any() for batch in judgements.batches(["index"])):
        judgements.drop(lambda table: pa.array(_orphans(table, done.played)))
    for batch in judgements.batches(["index", "judge", "score", "cause"]):
        for judge, marks in done.judged.items():
            said = _within(batch, len(marks)).filter(pc.field("judge") == judge)
            marks[said["index"].to_numpy()] = True
            own = _within(said, asked)
            tally.already_judged(judge, own["score"], own["cause"])


def forget_failed(transcripts: Table, judgements: Table, judges: Sequence[str]) -> list[str]:
    """Drop failed cases with what was said of them, and what `judges` could not say because a call failed, so that both
    are made anew. Returns which other judges then have cases to judge.

    Judgements go first: killed in between, a failed case is merely judged again.
    """
    transcripts.recover()
    judgements.recover()
    failed, left = list[Any](), set[Any]()
    for batch in transcripts.batches(["index", "outcome"]):
        failed += batch.filter(pc.field("outcome") == "failed")["index"].to_pylist()

    def again(table: pa.Table) -> Any:
        return pc.is_in(table["index"], pa.array(failed, table["index"].type))

    for batch in judgements.batches(["index", "judge"]):
        left.update(batch.filter(again(batch))["judge"].to_pylist())
    judgements.drop(
        lambda table: pc.or_(
            again(table),
            pc.and_(
                pc.is_in(table["judge"], pa.array(judges, pa.string())),
                pc.starts_with(table["cause"], "call_failed"),
            ),
        )
    )
    transcripts.drop(lambda table: pc.is_in(table["outcome"], pa.array(["failed"])))
    return sorted(left - set(judges))


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
