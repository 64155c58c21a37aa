"""A rate that people's labels have put right, kept with the run it is about.

It lies in `corrections.json` beside `run.json`, newest last, so that a report can show it, say what it was before,
and notice that the judge has changed since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gadfly.errors import StoreError
from gadfly.runs._store import Run
from gadfly.runs._table import sync
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
    path = run.path / "corrections.json"
    try:
        kept = json.loads(path.read_bytes()) if path.exists() else []
        return [_read(entry) for entry in kept]
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise StoreError(
            f"{path} cannot be read ({error}). Move it away and give `gadfly rate` again: it is made anew."
        ) from error


def keep_correction(run: Run, correction: Correction) -> None:
    """Add a correction, unless the last of its judge and queue says the same; written atomically under the lock."""
    lock = run.lock()
    try:
        kept = corrections(run)
        same = [c for c in kept if (c.judge, c.queue) == (correction.judge, correction.queue)]
        if same and replace(same[-1], at=correction.at) == correction:
            return
        temporary = run.path / "corrections.json.tmp"
        temporary.write_text(json.dumps([asdict(c) for c in [*kept, correction]], indent=1))
        sync(temporary)
        temporary.replace(run.path / "corrections.json")
    except OSError as error:
        raise StoreError(
            f"The corrected rate could not be written in {run.path} ({error.strerror})."
        ) from error
    finally:
        lock.release()


def _read(entry: Mapping[str, Any]) -> Correction:
    rates = {name: Estimate(**entry[name]) for name in ("before", "after", "alone")}
    misled = entry.get("supported_but_false")
    rates |= {"supported_but_false": Estimate(**misled)} if misled else {}
    return Correction(**{**entry, **rates})
