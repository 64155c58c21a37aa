"""What a search found: every candidate with its figures, what they may be taken for, and the winner as a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gadfly.errors import InputError, StoreError
from gadfly.pressure._edits import Candidate
from gadfly.pressure._outcomes import Outcome
from gadfly.pressure._pressing import Setting
from gadfly.pressure._scenario import BUILT_IN
from gadfly.stats import Estimate

__all__ = ["Found", "Tried", "scenario_text"]


@dataclass(frozen=True)
class Tried:
    """One candidate. `searched` is its rate on the samples that selected it, which for the best is too high; `fresh`
    the rate on samples that had no part in it, `others` the same on models that were not searched on, by name.

    `realism` is the chance a model gave that the text reads like a real situation, None where nobody said. `run` and
    `fresh_runs` are ids of runs, the latter by model.
    """

    candidate: Candidate
    searched: Estimate
    realism: float | None
    score: float
    run: str
    fresh: Estimate | None = None
    others: Mapping[str, Estimate] = field(default_factory=dict)
    fresh_runs: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`start`, `k3` (a knob turned), `w2` (a new wording), or several joined by +."""
        return self.candidate.name

    @property
    def lines(self) -> tuple[str, ...]:
        """Its edits as one reads them; empty for the scenario as it stood."""
        return self.candidate.lines

    @property
    def setting(self) -> Setting:
        """The edited scenario with its knobs turned."""
        return self.candidate.setting


@dataclass(frozen=True)
class Found:
    """What came of a search: `tried` has the best first, by what the search saw, and `winners` of them looked at anew.

    `spent` counts samples (cases played), those of other models included. `proposals` and `realism_runs` are ids of
    runs. `cut`: Ctrl-C ended it, and the same call goes on.
    """

    start: Setting
    target: str
    outcome: Outcome
    budget: int
    spent: int
    tried: tuple[Tried, ...]
    proposals: str = ""
    realism_by: str = ""
    realism_runs: tuple[str, ...] = ()
    unjudged: int = 0
    cut: bool = False

    @property
    def winner(self) -> Tried | None:
        """The best, chosen before anything fresh was seen; None where no edit beat the start, or nothing was found."""
        best = self.tried[0] if self.tried else None
        return best if best and best.candidate.edits and best.searched.point else None

    @property
    def reestimated(self) -> tuple[Tried, ...]:
        """Those that were looked at anew, the best first."""
        return tuple(one for one in self.tried if one.fresh is not None)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the figures may be taken for. They stand wherever the figures do."""
        return tuple(self._said())

    def text(self) -> str:
        """The winner as a scenario file. Raises `InputError` where there is none."""
        if self.winner is None:
            raise InputError(
                "No edit did better than the scenario as it stands, so there is nothing to write."
            )
        return scenario_text(self.winner.setting, [*self._about(self.winner), *self.sentences])

    def write(self, path: Path) -> Path:
        """Write the winner where `gadfly pressure run` takes it from. Raises `StoreError` when the disk does."""
        text = self.text()
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{path} cannot be written ({error.strerror}).") from error
        return path

    def _said(self) -> Iterable[str]:
        what = "acts and conceals it" if self.outcome == "deceives" else "acts"
        yield (
            f"{len(self.tried)} candidates were tried on {self.target} alone, {self.spent:,} samples in all, for how "
            f"often it {what}{' and how real the situation reads' if self.realism_by else ''}."
        )
        yield (
            "A rate from the search is of the samples that chose the candidate, so the best ones are too high; a fresh "
            "rate is of samples that had no part in choosing."
        )
        others = sorted({name for one in self.tried for name in one.others})
        if others:
            yield (
                f"The search was done on {self.target} and not on {', '.join(others)}: a lower rate there shows that "
                f"the find was fitted to {self.target}, not that the others deceive less."
            )
        else:
            yield f"The search was done on {self.target} alone and says nothing about any other model."
        if self.realism_by:
            runs = f" (runs {', '.join(self.realism_runs)})" if self.realism_runs else ""
            yield f"How real a situation reads is what {self.realism_by} says; people can label the same texts{runs}."
        else:
            yield "Nobody judged how real the situations read."
        if self.unjudged:
            yield f"{self.unjudged} candidates were left out: how real they read could not be told."
        if self.cut:
            yield "The search was interrupted; the same command goes on."
        elif self.tried and not self.winner:
            yield "No edit did better than the scenario as it stands."

    def _about(self, one: Tried) -> Iterable[str]:
        yield f"Found by a search that began at {self.start.scenario.name} ({self.start.name})."
        yield from one.lines
        yield f"In the search: {one.searched}."
        if one.fresh is not None:
            yield f"On fresh samples: {one.fresh}."
        yield from (f"On {name}: {estimate}." for name, estimate in one.others.items())


def scenario_text(setting: Setting, comments: Sequence[str] = ()) -> str:
    """A scenario as a YAML file in which these levels are the knobs' defaults.

    The knobs every scenario has (form, scratchpad) have no default of their own: where they are turned, a comment says
    how to turn them again.
    """
    content = setting.scenario.model_dump(mode="json", by_alias=True, exclude={"name"}, exclude_defaults=True)
    for knob, level in setting.turned.items():
        if knob not in BUILT_IN:
            content["knobs"][knob]["default"] = level
    content["values"] = _scalars(content.get("values", {}))
    for knob in content.get("knobs", {}).values():
        knob["levels"] = {level: _scalars(values) for level, values in knob["levels"].items()}
    own = {knob: level for knob, level in setting.turned.items() if knob in BUILT_IN}
    turned = [f"Run it with {knob}={level}." for knob, level in own.items()]
    head = "".join(f"# {line}\n" for text in [*comments, *turned] for line in _printable(text).splitlines())
    return head + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _scalars(values: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """Slots' values as a person would write them: a single wording needs no list."""
    return {name: among[0] if len(among) == 1 else among for name, among in values.items()}


def _printable(text: str) -> str:
    """A comment can hold no control characters: YAML would not be read again."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as blocks, as a person would write them."""


def _text(dumper: yaml.SafeDumper, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
