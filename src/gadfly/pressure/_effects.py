"""What the knobs do: each level against the base, in points and as odds; the worst cell and the average one.

Cells are paired by case: case i has the same wording and the same random numbers in every cell. Like a rate, an effect
is one over wordings like these.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gadfly.pressure._rates import CellRates, Verdicts, counted, fork_rates, read_cell
from gadfly.pressure._scenario import BUILT_IN
from gadfly.runs import Run
from gadfly.stats import Estimate, difference_by_group, rate_by_group

if TYPE_CHECKING:
    from gadfly.pressure._sweep import Sweep

__all__ = [
    "Cell",
    "Effect",
    "Overall",
    "cells_of",
    "doses",
    "effects",
    "effects_of",
    "level_order",
    "overall",
]

OUTCOMES = ("act", "deceives")

ALIKE = 1e-9
"""The variance of a log odds below which a level's cases came out as the base's, one by one."""

FEWEST = 3
"""Cases of the rarer outcome below which odds are not estimated."""


@dataclass(frozen=True)
class Cell:
    """A cell as effects see it. `only_control`: it was played as a control and is no variant. `rates` are those of a
    cell that was read from its run.
    """

    name: str
    levels: Mapping[str, str]
    found: Sequence[Verdicts]
    conclusive: bool = True
    only_control: bool = False
    rates: CellRates | None = None

    @property
    def counts(self) -> bool:
        return self.conclusive and not self.only_control


@dataclass(frozen=True)
class Effect:
    """A knob at `level` less the same knob `against` the base's level, all else equal. `outcome`: `act`, `deceives`.

    `odds` is the odds ratio from a logistic model over all cells; where it is None, `note` says why.
    """

    knob: str
    level: str
    against: str
    outcome: str
    difference: Estimate
    odds: Estimate | None
    note: str = ""


@dataclass(frozen=True)
class Overall:
    """One outcome over all variants. Controls and cells that say nothing are no variants.

    `worst` is the highest rate of any cell: its interval holds the rate of the truly worst one, wherever that is, as
    all cells were looked at (Bonferroni). `worst_wording` likewise over the wordings, each on the average over cells
    and taken as it stands. `average` gives each cell the same weight.
    """

    outcome: str
    cells: int
    worst_cell: str
    worst: Estimate
    worst_wording: int
    by_wording: Estimate
    average: Estimate


def effects(found: Sweep) -> list[Effect]:
    """The effect of every level that was tried, knob by knob, in the order of the scenario's file."""
    cells = cells_of(found)
    order = level_order(found.runs[0]) if found.runs else {}
    return [effect for outcome in OUTCOMES for effect in effects_of(cells, order, outcome)]


def effects_of(
    cells: Sequence[Cell], order: Mapping[str, Sequence[str]], outcome: str, *, odds: bool = True
) -> list[Effect]:
    """The effects on one outcome; the first cell is the base. `order` has the levels of each knob. Without `odds` the
    model over all cells is not fitted.
    """
    if not cells:
        return []
    base = cells[0].levels
    tried = [
        (knob, level)
        for knob, levels in order.items()
        for level in levels
        if level != base[knob] and _pairs(cells, knob, level, base[knob])
    ]
    telling = [cell for cell in cells if cell.counts]
    ratios = _odds(telling, tried, base, outcome) if odds else dict.fromkeys(tried, (None, "Not asked for."))
    return [
        Effect(
            knob,
            level,
            base[knob],
            outcome,
            _difference(_pairs(cells, knob, level, base[knob]), outcome),
            *ratios[knob, level],
        )
        for knob, level in tried
    ]


def overall(found: Sweep, outcome: str = "deceives") -> Overall | None:
    """The worst and the average over the variants of a sweep; None where none says anything."""
    return overall_of(variants_of(found, cells_of(found)), outcome)


def overall_of(cells: Sequence[Cell], outcome: str) -> Overall | None:
    """`overall` of cells."""
    telling = [cell for cell in cells if cell.counts]
    if not telling:
        return None
    level = 1 - 0.05 / len(telling)
    rates = {cell.name: fork_rates(cell.found, level)[outcome] for cell in telling}
    worst = max(rates, key=lambda name: (rates[name].point or 0.0, rates[name].low))
    wordings = sorted({one.wording for cell in telling for one in cell.found})
    spoken = {
        wording: _of_wording(telling, wording, outcome, 1 - 0.05 / len(wordings)) for wording in wordings
    }
    loudest = max(spoken, key=lambda wording: (spoken[wording].point or 0.0, spoken[wording].low))
    return Overall(
        outcome,
        len(telling),
        worst,
        _highest(rates[worst], list(rates.values())),
        loudest,
        _highest(spoken[loudest], list(spoken.values())),
        average(telling, outcome),
    )


def average(cells: Sequence[Cell], outcome: str) -> Estimate:
    """The mean of the cells' rates, each weighing the same."""
    rows = _weighed(cells, outcome)
    return rate_by_group(
        [getattr(one, outcome) for _, one, _ in rows],
        [one.wording for _, one, _ in rows],
        [name for name, _, _ in rows],
        weights=[weight for *_, weight in rows],
    )


def _weighed(cells: Sequence[Cell], outcome: str) -> list[tuple[str, Verdicts, float]]:
    """Every case that counts, with its cell and its weight in it."""
    return [
        (cell.name, one, weight)
        for cell in cells
        for one, weight in zip(cell.found, counted(cell.found, outcome), strict=True)
        if weight
    ]


def doses(cells: Sequence[Cell], rates: Mapping[str, CellRates], order: Mapping[str, Sequence[str]]) -> Doses:
    """The cells along each knob with three levels or more that were tried, all else as in the base, in file order."""
    if not cells:
        return {}
    base, found = cells[0].levels, {}
    for knob, levels in order.items():
        along = [
            (level, cell.name) for level in levels for cell in cells if _is_base_but(cell, base, knob, level)
        ]
        if len(along) >= 3:
            found[knob] = [(level, rates[name]) for level, name in along]
    return found


Doses = dict[str, list[tuple[str, CellRates]]]


def cells_of(found: Sweep) -> list[Cell]:
    """The cells of a sweep with every case's verdicts and their rates."""
    read = [(run.info["spec"], *read_cell(run)) for run in found.runs]
    return [
        Cell(spec["setting"], spec["levels"], told, rates.conclusive, number in found.only_controls, rates)
        for number, (spec, told, rates) in enumerate(read)
    ]


def variants_of(found: Sweep, cells: Sequence[Cell]) -> list[Cell]:
    """The cells without the controls: what may be said of the model."""
    controls = set(found.controls.values()) | found.only_controls
    return [cell for number, cell in enumerate(cells) if number not in controls]


def level_order(run: Run) -> dict[str, list[str]]:
    """Every knob's levels in the order of the scenario's file, gadfly's own knobs first."""
    knobs = run.info["spec"]["scenario"]["knobs"]
    own = {name: list(knob["levels"]) for name, knob in knobs.items()}
    return {name: list(levels) for name, levels in BUILT_IN.items()} | own


# --- pairs


Pair = tuple[Cell, Cell]


def _pairs(cells: Sequence[Cell], knob: str, level: str, against: str) -> list[Pair]:
    """Cells at this level of a knob, each with the one that differs from it only in having the other level."""
    variants = [cell for cell in cells if not cell.only_control]
    by_levels = {tuple(sorted(cell.levels.items())): cell for cell in variants}
    found = []
    for cell in variants:
        other = by_levels.get(tuple(sorted({**cell.levels, knob: against}.items())))
        if cell.levels[knob] == level and other is not None:
            found.append((cell, other))
    return found


def _difference(pairs: Sequence[Pair], outcome: str) -> Estimate:
    """Cases missing in either cell of a pair are left out and counted; so are cells that say nothing."""
    a: list[float | None] = []
    b: list[float | None] = []
    wordings: list[int] = []
    for cell, other in pairs:
        mute = not (cell.conclusive and other.conclusive)
        second = {one.index: getattr(one, outcome) for one in other.found}
        for one in cell.found:
            if one.index in second:
                a.append(None if mute else getattr(one, outcome))
                b.append(second[one.index])
                wordings.append(one.wording)
    return difference_by_group(a, b, wordings)


def _is_base_but(cell: Cell, base: Mapping[str, str], knob: str, level: str) -> bool:
    return not cell.only_control and dict(cell.levels) == {**base, knob: level}


# --- the worst


def _of_wording(cells: Sequence[Cell], wording: int, outcome: str, level: float) -> Estimate:
    """The rate in one wording over all cells. The wording is what it is; a case is one fact in all of its cells."""
    rows = [row for row in _weighed(cells, outcome) if row[1].wording == wording]
    return rate_by_group(
        [getattr(one, outcome) for _, one, _ in rows],
        [one.index for _, one, _ in rows],
        weights=[weight for *_, weight in rows],
        level=level,
    )


def _highest(of: Estimate, all_: Sequence[Estimate]) -> Estimate:
    """An interval for the highest of several rates, `of` being the one that came out highest."""
    known = [one for one in all_ if one.point is not None]
    low, high = max((one.low for one in known), default=0.0), max((one.high for one in known), default=1.0)
    words = f"having looked at {len(known)}" if len(known) > 1 else ""
    return Estimate(of.point, low, high, of.n, of.clusters, of.missing, 0.95, words)


# --- odds


Level = tuple[str, str]


def _odds(
    cells: Sequence[Cell], tried: Sequence[Level], base: Mapping[str, str], outcome: str
) -> dict[Level, tuple[Estimate | None, str]]:
    """The odds ratio of every level that was tried, or why there is none."""
    notes = {one: _no_odds(cells, one, base, outcome) for one in tried}
    fitted = [one for one in tried if not notes[one]]
    used = [cell for cell in cells if all(not notes.get(one) for one in cell.levels.items())]
    found: dict[Level, Estimate] = {}
    why = ""
    if fitted:
        found, why = _logistic(used, fitted, outcome)
    return {one: (found.get(one), "" if one in found else notes[one] or why) for one in tried}


def _no_odds(cells: Sequence[Cell], one: Level, base: Mapping[str, str], outcome: str) -> str:
    """Why a level has no odds ratio: one side all alike, or nearly."""
    knob, level = one
    pairs = _pairs(cells, knob, level, base[knob])
    sides = (level, [cell for cell, _ in pairs]), (base[knob], [other for _, other in pairs])
    for at, among in sides:
        words = f"at {knob}={at}"
        known = [v for cell in among for v in _column(cell.found, outcome)[0] if v is not None]
        flagged = int(sum(known))
        if not known:
            return f"Nothing can be said {words}."
        if flagged in (0, len(known)):
            return f"{'All' if flagged else 'None'} of {len(known):,} {words}: odds have no bound."
        if min(flagged, len(known) - flagged) < FEWEST:
            return f"Too few to say: {flagged:,} of {len(known):,} {words}."
    return ""


def _logistic(
    cells: Sequence[Cell], levels: Sequence[Level], outcome: str
) -> tuple[dict[Level, Estimate], str]:
    """Generalised estimating equations: logit of the outcome on an indicator for each level, answers in one wording
    exchangeable (Liang & Zeger 1986), their covariance corrected for few clusters (Mancl & DeRouen 2001) and Student's
    quantile with as many degrees of freedom as wordings less one.
    """
    from scipy import stats
    from statsmodels.genmod.cov_struct import Exchangeable
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    rows = [(cell.levels, one) for cell in cells for one in cell.found if getattr(one, outcome) is not None]
    y_N = np.array([getattr(one, outcome) for _, one in rows])
    x_NL = np.array([[1.0, *(float(at[knob] == level) for knob, level in levels)] for at, _ in rows])
    wordings = np.array([one.wording for _, one in rows])
    clusters = len(set(wordings.tolist()))
    if clusters < 2:
        return {}, "With one wording there is nothing to say of others."
    order = np.argsort(wordings, kind="stable")
    model = GEE(y_N[order], x_NL[order], groups=wordings[order], family=Binomial(), cov_struct=Exchangeable())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit: Any = model.fit(cov_type="bias_reduced", maxiter=100)
            variances = np.diag(fit.cov_robust_bc)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError, Warning):
        return {}, "The logistic model did not settle on this many answers."
    if not (np.isfinite(fit.params).all() and np.isfinite(variances).all()):
        return {}, "The logistic model did not settle on this many answers."
    t = float(stats.t.ppf(0.975, clusters - 1))
    return {
        one: _ratio(float(fit.params[k]), t * float(np.sqrt(variances[k])), int(x_NL[:, k].sum()), clusters)
        for k, one in enumerate(levels, start=1)
        if variances[k] > ALIKE
    }, "Answers differ in nothing that odds could be made of."


def _ratio(log: float, half: float, n: int, clusters: int) -> Estimate:
    low, high = (float(np.exp(np.clip(log + side * half, -50, 50))) for side in (-1, 1))
    return Estimate(float(np.exp(log)), low, high, n, clusters)


def _column(found: Sequence[Verdicts], outcome: str) -> tuple[list[float | None], list[int]]:
    return [getattr(one, outcome) for one in found], [one.wording for one in found]
