"""Suites: what is pinned, so that every version of a model is asked exactly the same. One YAML file each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from gadfly.documents import Place, Shelf
from gadfly.errors import GadflyError, UnknownNameError
from gadfly.judges import Judge, judge
from gadfly.models import System
from gadfly.pressure._fixed import Asking, FixedPrompt
from gadfly.pressure._graders import graders
from gadfly.pressure._pressing import Pressing, Setting
from gadfly.pressure._scenario import Name, Strict, Word, scenario
from gadfly.runs import Game

__all__ = ["Item", "Suite", "known_suites", "suite"]


class Pinned(Strict):
    """A scenario, by name or file, in some settings of its knobs, with so many samples in each."""

    scenario: Annotated[str, Field(min_length=1)]
    settings: Annotated[tuple[dict[Name, Word], ...], Field(min_length=1)] = ({},)
    samples: Annotated[int, Field(ge=1)] = 32


class Suite(Strict):
    """What is run again on every version. `drift` is what may stand around a fixed prompt: knobs, their levels, the
    words of each; a prompt is asked with the first level of all, and once with every other level of one.
    """

    name: str
    title: Annotated[str, Field(min_length=1)]
    about: str = ""
    drift: Annotated[dict[Name, Annotated[dict[str, str], Field(min_length=1)]], Field(default_factory=dict)]
    scenarios: tuple[Pinned, ...] = ()
    prompts: tuple[FixedPrompt, ...] = ()

    @field_validator("prompts")
    @classmethod
    def _named_once(cls, prompts: tuple[FixedPrompt, ...]) -> tuple[FixedPrompt, ...]:
        names = [one.name for one in prompts]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two prompts are called {twice}")
        return prompts

    @property
    def samples(self) -> int:
        """How many cases a rerun plays."""
        drifts = 1 + sum(len(levels) - 1 for levels in self.drift.values())
        pressed = sum(len(one.settings) * one.samples for one in self.scenarios)
        return pressed + drifts * sum(prompt.samples for prompt in self.prompts)

    def items(self, target: System, model: Any = None, seed: int = 0) -> list[Item]:
        """Every run of the suite for this target, in order. `model` helps the graders of scenarios."""
        found: list[Item] = []
        for pinned in self.scenarios:
            begun = scenario(_place(pinned.scenario))
            judges = graders(begun, model)
            for turned in pinned.settings:
                game = Pressing(Setting.of(begun, turned), target, pairing=seed)
                found.append((game, judges, pinned.samples))
        for prompt in self.prompts:
            for levels, around in self._drifts():
                asking = Asking(prompt, levels, around, target, pairing=seed)
                found.append((asking, [judge(prompt.judge)], prompt.samples))
        return found

    def _drifts(self) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        """What stands around a prompt, by knob: the levels that are not the first, and the words."""
        first = {knob: next(iter(levels.values())) for knob, levels in self.drift.items()}
        yield {}, first
        for knob, levels in self.drift.items():
            for level in list(levels)[1:]:
                yield {knob: level}, {**first, knob: levels[level]}


Item = tuple[Game, Sequence[Judge], int]
"""A game, its judges and how many samples it is to have."""


def known_suites() -> list[str]:
    """The suites that ship with gadfly."""
    return SHELF.names()


def suite(name: str | Path) -> Suite:
    """The suite of that name, or the one in that YAML file, which is named after its file.

    Raises `UnknownNameError` for a name nothing answers to and `InputError` for a file that cannot be used: what is
    wrong and on which line.
    """
    return SHELF.get(name)


def _problems(found: Suite) -> Iterator[tuple[Place, str]]:
    if not found.scenarios and not found.prompts:
        yield (), "a suite needs scenarios or prompts."
    seen: set[tuple[str, str]] = set()
    for number, pinned in enumerate(found.scenarios):
        try:
            begun = scenario(_place(pinned.scenario))
        except GadflyError as error:
            yield ("scenarios", number, "scenario"), str(error)
            continue
        for at, turned in enumerate(pinned.settings):
            place: Place = ("scenarios", number, "settings", at)
            try:
                item = (begun.name, Setting.of(begun, turned).name)
            except UnknownNameError as error:
                yield place, str(error)
                continue
            if item in seen:
                yield place, f"{item[0]} is here twice at {item[1]}."
            seen.add(item)
    for number, prompt in enumerate(found.prompts):
        try:
            judge(prompt.judge)
        except GadflyError as error:
            yield ("prompts", number, "judge"), str(error)


def _place(name: str) -> str | Path:
    return Path(name) if name.endswith((".yaml", ".yml")) else name


SHELF = Shelf("suite", Suite, "gadfly.pressure", "suites", _problems)
