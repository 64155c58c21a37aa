"""Where people saw the flaw in debates that a judge decided, kept with the run they are about.

It lies in `flaws.json` beside `run.json`, by queue, so that a report can show it: a verdict that is wrong although
people see a flaw is what obfuscated arguments look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from gadfly.runs import Beside, Run
from gadfly.stats import Estimate

__all__ = ["Mark", "Marks", "keep_marks", "marks_of"]


@dataclass(frozen=True, slots=True)
class Mark:
    """The statement of a case in which people agree that the flaw lies: its place in `Position.said`, whether its
    author argued for the wrong answer (None for one who argues for none), and what is the matter with it.
    """

    case_id: str
    said: int
    dishonest: bool | None
    what: str = ""


@dataclass(frozen=True)
class Marks:
    """What a queue says of one judge's debates: how often people see a flaw where the judge was wrong and where it was
    right, how often it stands with the wrong answer where they agree, and where it lies. `judge_spec` is what the judge
    was then (`run.json`'s judges).
    """

    judge: str
    queue: str
    when_wrong: Estimate
    when_right: Estimate
    dishonest: Estimate
    marks: tuple[Mark, ...] = ()
    judge_spec: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def by_case(self) -> Mapping[str, Mark]:
        """The marks by case id."""
        return {one.case_id: one for one in self.marks}


def marks_of(run: Run, judge: str) -> Marks | None:
    """The last that were kept of this judge's verdicts; None for none, or where it is not what it was. Raises
    `StoreError` on a broken file.
    """
    spec = run.info.get("judges", {}).get(judge)
    found = (one for one in reversed(KEPT.all(run)) if one.judge == judge and one.judge_spec == spec)
    return next(found, None)


def keep_marks(run: Run, marks: Marks) -> None:
    """Keep them, in the place of those of the same queue, with what the judge is now; written atomically under the
    lock. Raises `StoreError` where that fails, and `KeyError` for a judge that the run does not have.
    """
    marks = replace(marks, judge_spec=run.info["judges"][marks.judge])
    KEPT.change(run, lambda kept: [*(one for one in kept if one.queue != marks.queue), marks])


def _read(one: Mapping[str, Any]) -> Marks:
    rates = {name: Estimate(**one[name]) for name in ("when_wrong", "when_right", "dishonest")}
    return Marks(**{**one, **rates, "marks": tuple(Mark(**mark) for mark in one["marks"])})


KEPT = Beside("flaws.json", "gadfly review flaws", _read)
