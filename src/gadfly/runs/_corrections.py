"""A rate that people's labels have put right, kept with the run it is about.

It lies in `corrections.json` beside `run.json`, newest last, so that a report can show it, say what it was before,
and notice that the judge has changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gadfly.runs._beside import Beside
from gadfly.runs._store import Run
from gadfly.stats import Estimate

__all__ = ["Correction", "corrections", "keep_correction"]


@dataclass(frozen=True, slots=True)
class Correction:
    """One judge's rate on one run, `before` labels and `after`; `alone` is what the labels say without the judge.

    `judge_spec` is what the judge was then (`run.json`'s judges) and `labels` the digest of the queue's labels, so
    that either having changed since can be told. `at` is an ISO time in UTC. `kind` is what people were asked: whether
    a case fails (`label`), or whether a claim is not plausible, supported or true. `chosen` is what picked the answers
    that the rates are of, one to a question (`gadfly.evidence.answers`); empty: they are of all cases. Of labels of
    what is supported, `supported_but_false` is how many of the same claims hold none of the known answers though their
    quotes show them; None where no answers are known.
    """

    judge: str
    queue: str
    before: Estimate
    after: Estimate
    alone: Estimate
    judge_spec: Mapping[str, Any]
    labels: str
    at: str
    kind: str = "label"
    chosen: str = ""
    supported_but_false: Estimate | None = None

    def stale(self, run: Run) -> bool:
        """Whether the judge in the run is not the one that was corrected."""
        return bool(run.info["judges"].get(self.judge) != self.judge_spec)


def corrections(run: Run) -> list[Correction]:
    """Every correction of this run, oldest first; none when there is none. Raises `StoreError` on a broken file."""
    return KEPT.all(run)


def keep_correction(run: Run, correction: Correction) -> None:
    """Add a correction, unless the last of its judge and queue says the same; written atomically under the lock."""

    def added(kept: list[Correction]) -> list[Correction] | None:
        same = [c for c in kept if (c.judge, c.queue) == (correction.judge, correction.queue)]
        if same and replace(same[-1], at=correction.at) == correction:
            return None
        return [*kept, correction]

    KEPT.change(run, added)


def _read(entry: Mapping[str, Any]) -> Correction:
    rates = {name: Estimate(**entry[name]) for name in ("before", "after", "alone")}
    misled = entry.get("supported_but_false")
    rates |= {"supported_but_false": Estimate(**misled)} if misled else {}
    return Correction(**{**entry, **rates})


KEPT = Beside("corrections.json", "gadfly rate", _read)
