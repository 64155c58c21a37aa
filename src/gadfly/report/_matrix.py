"""The report of a matrix: who breaks whom, as a table with margins and as a picture, before what any report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gadfly.pages import ACCENT, INK, Chart, line
from gadfly.redteam import Matrix, Pair
from gadfly.report._from_runs import from_runs, report_of
from gadfly.report._section import Cell, Comparison, Diversity, Grid, Report
from gadfly.report._tally import Tally
from gadfly.report._words import percent, rate, scale
from gadfly.stats import Estimate, difference, paired_difference, proportion, self_bleu
from gadfly.stats import rate as estimated

__all__ = ["from_matrix", "heat_map"]

TEXT_FITS = 6
"""Targets up to which a picture has room for numbers; beyond it the colours alone are shown."""

_MARGINS = (
    "Who breaks whom",
    "Every attacker had the same number of calls of every target. What it asks before it has seen replies is the same "
    "for all targets, question by question. A margin counts all verdicts of its row or column together; a question put "
    "to several targets is one fact, not several, and widens the interval.",
)


def from_matrix(found: Matrix) -> Report:
    """The report of a matrix, as `from_runs` makes it of its runs, with the grid in front.

    What could not be played is said as a finding. Two targets are also compared, attacker by attacker.
    """
    tallies = {run.id: Tally.of(run) for run in found.runs if not found.proposals}
    if not tallies:
        return from_runs(found.runs)
    report = report_of(list(tallies.values()))
    grid = _grid(found.pairs, tallies)
    section = report.sections[0]
    waiting = [pair.name for pair in found.pairs if not pair.runs and not pair.error]
    section = replace(
        section,
        findings=(*section.findings, *found.errors, *(f"Not played: {name}." for name in waiting)),
        compared=grid.targets[:2] if len(grid.targets) == 2 else section.compared,
        comparisons=_comparisons(found.pairs, tallies) if len(grid.targets) == 2 else (),
        grid=grid,
        charts=(heat_map(grid),),
        methods=(_MARGINS, *section.methods),
    )
    return replace(report, sections=(section,))


def _grid(pairs: Sequence[Pair], tallies: dict[str, Tally]) -> Grid:
    attackers = list(dict.fromkeys(pair.attack.name for pair in pairs))
    width = len(pairs) // len(attackers)
    rows = [pairs[i : i + width] for i in range(0, len(pairs), width)]
    return Grid(
        attackers=tuple(attackers),
        targets=tuple(pair.target.name for pair in rows[0]),
        cells=tuple(tuple(_cell(pair, tallies) for pair in row) for row in rows),
        by_attacker=tuple(_margin(row, tallies) for row in rows),
        by_target=tuple(_margin(column, tallies) for column in zip(*rows, strict=True)),
    )


def _cell(pair: Pair, tallies: dict[str, Tally]) -> Cell:
    if pair.run is None:
        return Cell(proportion(0, 0), symmetric=pair.symmetric, error=pair.error)
    tally = tallies[pair.run.id]
    alike = Diversity(self_bleu=self_bleu(tally.openings))
    return Cell(tally.rate(), alike, list(tallies).index(pair.run.id) + 1, pair.symmetric, pair.error)


def _margin(pairs: Sequence[Pair], tallies: dict[str, Tally]) -> Estimate:
    counted = [tallies[pair.run.id] for pair in pairs if pair.run]
    return estimated(
        [verdict for tally in counted for verdict in tally.verdicts],
        [name for tally in counted for name in tally.names],
        missing=sum(sum(tally.causes["missing"].values()) for tally in counted),
    )


def _comparisons(pairs: Sequence[Pair], tallies: dict[str, Tally]) -> tuple[Comparison, ...]:
    """The second target less the first, attack by attack; on the same questions where they were the same."""
    found = []
    for one, other in zip(pairs[::2], pairs[1::2], strict=True):
        if one.run and other.run:
            a, b = tallies[one.run.id], tallies[other.run.id]
            found.append(Comparison(one.attack.name, a.rate(), b.rate(), _gap(a, b)))
    return tuple(found)


def _gap(a: Tally, b: Tally) -> Estimate:
    if a.run.info["spec"]["attacker"] != b.run.info["spec"]["attacker"]:
        return difference(b.verdicts, a.verdicts, b.names, a.names)
    first, second = (dict(zip(tally.indices, tally.verdicts, strict=True)) for tally in (a, b))
    both = [(i, name) for i, name in zip(a.indices, a.names, strict=True) if i in second]
    return paired_difference(
        [second[i] for i, _ in both], [first[i] for i, _ in both], [name for _, name in both]
    )


def heat_map(grid: Grid) -> Chart:
    """The grid as a picture: the darker, the more failures; a frame around a target that attacks itself."""
    top = scale(cell.rate for row in grid.cells for cell in row)
    targets, attackers = _short(grid.targets), _short(grid.attackers)
    data = [
        _square(cell, target, attacker)
        for attacker, row in zip(attackers, grid.cells, strict=True)
        for target, cell in zip(targets, row, strict=True)
    ]
    words = "; ".join(
        f"{attacker} against {target}: {rate(cell.rate)}"
        for attacker, row in zip(grid.attackers, grid.cells, strict=True)
        for target, cell in zip(grid.targets, row, strict=True)
    )
    spec = {
        "height": 72 * len(attackers),
        "data": {"values": data},
        "encoding": {"x": _axis("target", "Target", targets), "y": _axis("attacker", "Attacker", attackers)},
        "layer": _layers(top, numbers=len(targets) <= TEXT_FITS),
    }
    return Chart(f"Failure rates, from none (pale) to {top:.0%} (dark); framed: attacks itself", words, spec)


def _square(cell: Cell, target: str, attacker: str) -> dict[str, Any]:
    known = cell.rate.point is not None
    return {
        "target": target,
        "attacker": attacker,
        "rate": cell.rate.point,
        "point": percent(cell.rate.point) if cell.rate.point is not None else "–",
        "interval": f"{cell.rate.low:.0%} to {cell.rate.high:.0%}" if known else "no verdicts",
        "symmetric": cell.symmetric,
    }


def _layers(top: float, *, numbers: bool) -> list[dict[str, Any]]:
    shade = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"domain": [0, top], "range": [0.04, 0.5], "clamp": True},
        "legend": None,
    }
    square = {"type": "rect", "fill": ACCENT, "stroke": None}
    frame = {"type": "rect", "filled": False, "stroke": ACCENT, "strokeWidth": 2}
    text = {"type": "text", "fill": INK}
    layers: list[dict[str, Any]] = [
        {
            "mark": square,
            "encoding": {"fillOpacity": shade},
            "transform": [{"filter": "datum.rate !== null"}],
        },
        {"mark": frame, "transform": [{"filter": "datum.symmetric"}]},
    ]
    if numbers:
        for field, size, dy in (("point", 14, -8), ("interval", 11, 10)):
            layers.append(
                {
                    "mark": {**text, "fontSize": size, "dy": dy},
                    "encoding": {"text": {"field": field, "type": "nominal"}},
                }
            )
    return layers


def _axis(field: str, title: str, names: Sequence[str]) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "labelLimit": 150,
        "labelAngle": 0,
        "domain": False,
        "ticks": False,
        "grid": False,
    }
    if field == "target":
        axis["orient"] = "top"
    scale_ = {"domain": list(names), "paddingInner": 0.06}
    return {"field": field, "type": "nominal", "title": title, "axis": axis, "scale": scale_}


def _short(names: Sequence[str]) -> list[str]:
    """Names without their providers and cut to fit, told apart by a number where that makes them alike."""
    short = [line(" ".join(word.rpartition("/")[2] for word in said.split()), 26) for said in names]
    return [f"{i}. {name}" if short.count(name) > 1 else name for i, name in enumerate(short, start=1)]
