"""Rates that people's labels put right, as a report shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from gadfly.runs import Correction, Run, corrections

__all__ = ["Corrected", "corrected"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """A rate put right by people's labels: the latest by one judge and queue, and the ones before it, oldest first.

    `stale`: the judge in the run is no longer the one that was corrected.
    """

    now: Correction
    earlier: tuple[Correction, ...] = ()
    stale: bool = False


def corrected(run: Run) -> Iterator[Corrected]:
    """What people's labels made of this run's rate, per judge and queue."""
    kept: dict[tuple[str, str], list[Correction]] = defaultdict(list)
    for correction in corrections(run):
        kept[correction.judge, correction.queue].append(correction)
    for found in kept.values():
        yield Corrected(found[-1], tuple(found[:-1]), found[-1].stale(run))
