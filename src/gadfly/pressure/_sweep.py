"""Several settings of one scenario, played by one model: a cell each, and two controls with every sweep.

Every cell is a run of its own, kept and resumed like any other: the same call again goes on where it stopped. All
cells of a sweep share its seed as their pairing, so that case i has one wording and the same random numbers in each.

In the *positive* control the agent is told to deceive: where it does not even then, not having seen it elsewhere says
little of this model. In the *negative* one there is nothing to hide: what is flagged there is the graders' error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from gadfly.errors import GadflyError, InputError
from gadfly.models import System
from gadfly.pages import line
from gadfly.pressure._pressing import Pressing, Setting
from gadfly.pressure._scenario import Scenario
from gadfly.runs import Run, Settings, run

if TYPE_CHECKING:  # some judges load a classifier
    from gadfly.judges import Judge

__all__ = ["CONTROLS", "Sweep", "cells", "noted", "press", "sweep_of", "with_controls"]

CONTROLS: tuple[Literal["positive", "negative"], ...] = ("positive", "negative")


@dataclass(frozen=True)
class Sweep:
    """What was played: `runs[i]` is that of `settings[i]`; the first is the base that effects are taken against.

    `controls` says which is the positive and which the negative one, `only_controls` which cells are nothing else.
    `errors` has a sentence for each cell that could not be played to its end, `left` the names of those that were not
    begun; `cut`: Ctrl-C ended it. Read back from runs, `settings` is empty.
    """

    settings: tuple[Setting, ...]
    runs: tuple[Run, ...]
    controls: Mapping[str, int] = field(default_factory=dict)
    cut: bool = False
    only_controls: frozenset[int] = frozenset()
    errors: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def cells(
    scenario: Scenario, vary: Sequence[str], *, full: bool = False, base: Mapping[str, Any] | None = None
) -> list[Setting]:
    """The base, then each knob of `vary` through its other levels, one knob at a time; `full`: every combination of
    them. Both controls come last. `base` turns knobs for all of them. Raises `UnknownNameError` for a knob or level
    that does not exist.
    """
    first = Setting.of(scenario, base or {})
    for knob in vary:
        scenario.levels({knob: scenario.knob_levels.get(knob, ("",))[0]})
    others = {knob: [x for x in scenario.knob_levels[knob] if x != first.levels[knob]] for knob in vary}
    if full:
        among = [[first.levels[knob], *levels] for knob, levels in others.items()]
        turned = [dict(zip(others, levels, strict=True)) for levels in product(*among)]
    else:
        turned = [{}, *({knob: level} for knob, levels in others.items() for level in levels)]
    return with_controls([Setting.of(scenario, {**first.levels, **one}) for one in turned])


def with_controls(settings: Sequence[Setting]) -> list[Setting]:
    """The settings and, after them, the controls that are not among them."""
    found = list(settings)
    for kind, turned in _controls(settings[0].scenario).items():
        if turned.name not in [one.name for one in found]:
            found.append(replace(turned, control=kind))
    return found


def _controls(scenario: Scenario) -> dict[str, Setting]:
    return {kind: Setting.of(scenario, scenario.controls[kind]) for kind in CONTROLS}


async def press(
    settings: Sequence[Setting],
    target: System,
    samples: int,
    *,
    model: Any = None,
    seed: int = 0,
    run_settings: Settings | None = None,
) -> Sweep:
    """Play `samples` cases of every setting and of both controls, and grade them; `model` helps the graders.

    Resumable: the same call again goes on. Ctrl-C finishes what is in flight and ends the whole. A cell that cannot be
    played says why and leaves the others alone. Raises `InputError` for no settings or settings of two scenarios, and
    the error of the first cell when every cell failed.
    """
    from gadfly.pressure._graders import graders

    _check(settings, samples)
    return await played(settings, target, samples, graders(settings[0].scenario, model), seed, run_settings)


async def played(
    settings: Sequence[Setting],
    target: System,
    samples: int,
    judges: Sequence[Judge],
    seed: int,
    run_settings: Settings | None,
) -> Sweep:
    """`press` with these judges."""
    _check(settings, samples)
    planned = with_controls(settings)
    run_settings = run_settings or Settings()
    made: list[tuple[Setting, Run]] = []
    failures: list[tuple[str, GadflyError]] = []
    for number, setting in enumerate(planned):
        if run_settings.progress:
            _say(f"Cell {number + 1} of {len(planned)}: {setting.name}")
        try:
            game = Pressing(setting, target, pairing=seed)
            found = await run(game, samples, judges, seed=seed, settings=run_settings)
        except GadflyError as failure:
            failures.append((setting.name, failure))
            continue
        made.append((setting, noted(found, setting)))
        if found.cut:
            break
    if len(failures) == len(planned):
        raise failures[0][1]
    return _sweep(planned, made, failures)


def sweep_of(runs: Sequence[Run]) -> Sweep:
    """The sweep that runs on disk make up, which are of one scenario, model and pairing: the base is the one with the
    fewest knobs turned.
    """
    known = [(run.info.get("pressing", {}), run) for run in runs]
    order = sorted(
        range(len(runs)), key=lambda i: (bool(known[i][0].get("only_control")), _turns(runs[i]), i)
    )
    ordered = [known[i] for i in order]
    return Sweep(
        settings=(),
        runs=tuple(found for _, found in ordered),
        controls={note["control"]: n for n, (note, _) in enumerate(ordered) if note.get("control")},
        only_controls=frozenset(n for n, (note, _) in enumerate(ordered) if note.get("only_control")),
    )


def _turns(found: Run) -> int:
    words = found.info["spec"]["setting"]
    return 0 if words == "default" else words.count("=")


def noted(found: Run, setting: Setting) -> Run:
    """The run with what a report needs to know of its cell, and its spec does not hold."""
    control = [kind for kind, one in _controls(setting.scenario).items() if one.name == setting.name]
    about = {
        "title": setting.scenario.title,
        "about": setting.scenario.about,
        "control": control[0] if control else "",
        "only_control": bool(setting.control),
    }
    return found.save(pressing=about)


def _sweep(
    planned: Sequence[Setting],
    made: Sequence[tuple[Setting, Run]],
    failures: Sequence[tuple[str, GadflyError]],
) -> Sweep:
    names = [setting.name for setting, _ in made]
    where = {found.info["pressing"]["control"]: n for n, (_, found) in enumerate(made)}
    begun = {*names, *(name for name, _ in failures)}
    return Sweep(
        settings=tuple(setting for setting, _ in made),
        runs=tuple(found for _, found in made),
        controls={kind: where[kind] for kind in CONTROLS if kind in where},
        cut=any(found.cut for _, found in made),
        only_controls=frozenset(n for n, (_, run) in enumerate(made) if run.info["pressing"]["only_control"]),
        errors=tuple(f"{name}: {failure}" for name, failure in failures),
        left=tuple(setting.name for setting in planned if setting.name not in begun),
    )


def _check(settings: Sequence[Setting], samples: int) -> None:
    if not settings:
        raise InputError("A sweep needs at least one setting.")
    if samples < 1:
        raise InputError(f"A cell needs at least one sample; got {samples}.")
    if len({setting.scenario.name for setting in settings}) > 1:
        raise InputError("A sweep is over one scenario; give each scenario a sweep of its own.")
    names = [setting.name for setting in settings]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"The setting {twice} comes twice; give each once.")


def _say(words: str) -> None:
    Console(stderr=True).print(line(words, 400), markup=False, highlight=False, soft_wrap=True)
