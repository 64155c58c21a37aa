"""The report's own charts: failure rate against how alike the questions were, and who breaks whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gadfly.pages import ACCENT, INK, Chart, line
from gadfly.report._section import Cell, Grid, Row
from gadfly.report._words import name, percent, rate, scale

__all__ = ["heat_map", "rate_against_diversity"]

TEXT_FITS = 6
"""Targets up to which a picture has room for numbers; beyond it the colours alone are shown."""

NAMED = 8
"""Points up to which a chart has room for names; beyond it they bear the row's number."""


def rate_against_diversity(rows: Sequence[tuple[int, Row]]) -> Chart | None:
    """Failure rate against how alike the questions were, one point per numbered row; None for fewer than two
    points.
    """
    known = [(n, row) for n, row in rows if row.rate.point is not None]
    points = [(n, row) for n, row in known if row.diversity.self_bleu is not None]
    if len(points) < 2:
        return None
    top = scale(row.rate for _, row in points)
    alone = len({row.focus for _, row in points}) == 1
    data = [_point(number, row, row.attacker if alone else row.focus) for number, row in points]
    _spread(data, top)
    words = "; ".join(
        f"{d['name']}: {d['rate']:.1%} [{d['low']:.1%}, {d['high']:.1%}], self-BLEU {d['alike']:.0f}"
        for d in data
    )
    return Chart("Failure rate against variety of the questions", words, _scatter(data, top))


def _point(number: int, row: Row, called: str) -> dict[str, Any]:
    return {
        "number": str(number),
        "name": name(called, 26),
        "alike": row.diversity.self_bleu,
        "rate": row.rate.point,
        "low": row.rate.low,
        "high": row.rate.high,
    }


def _spread(data: list[dict[str, Any]], top: float) -> None:
    """Give each point a height for its label, pushed up until neighbouring labels stand apart."""
    gap, near = 0.06 * top, 55.0 if len(data) <= NAMED else 6.0
    placed: list[tuple[float, float]] = []
    for d in sorted(data, key=lambda d: d["rate"]):
        height = max(d["rate"], gap / 2)
        while any(abs(x - d["alike"]) < near and abs(y - height) < gap for x, y in placed) and height < top:
            height += gap / 4
        placed.append((d["alike"], height))
        d["label"] = height


def _scatter(data: list[dict[str, Any]], top: float) -> dict[str, Any]:
    x = {
        "field": "alike",
        "type": "quantitative",
        "scale": {"domain": [0, 100]},
        "title": ["How alike the questions are", "(self-BLEU: 0 all different, 100 all the same)"],
    }
    axis = {"format": "~%"}
    y = {"type": "quantitative", "scale": {"domain": [0, top]}, "axis": axis, "title": "Failure rate"}
    interval = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    point = {"type": "point", "filled": True, "fill": ACCENT, "size": 70, "opacity": 1}
    words = {"field": "number" if len(data) > NAMED else "name", "type": "nominal"}
    label = {"x": x, "y": {**y, "field": "label"}, "text": words}
    return {
        "data": {"values": data},
        "layer": [
            {"mark": {"type": "rule", "stroke": ACCENT, "strokeWidth": 2}, "encoding": interval},
            {"mark": point, "encoding": {"x": x, "y": {**y, "field": "rate"}}},
            _labels(label, "datum.alike <= 50", {"align": "left", "dx": 9}),
            _labels(label, "datum.alike > 50", {"align": "right", "dx": -9}),
        ],
    }


def _labels(encoding: dict[str, Any], where: str, side: dict[str, Any]) -> dict[str, Any]:
    """Labels on the side of their points where there is room."""
    mark = {"type": "text", "fontSize": 12, "fill": INK, **side}
    return {"transform": [{"filter": where}], "mark": mark, "encoding": encoding}


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
        "encoding": {"x": _band("target", targets), "y": _band("attacker", attackers)},
        "layer": _layers(top, numbers=len(targets) <= TEXT_FITS),
    }
    title = f"The stronger the colour, the more failures, from none to {top:.0%}; framed: attacks itself"
    return Chart(title, words, spec)


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


def _band(field: str, names: Sequence[str]) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "labelLimit": 190,
        "labelAngle": 0,
        "domain": False,
        "ticks": False,
        "grid": False,
    }
    if field == "target":
        axis["orient"] = "top"
    else:
        axis["minExtent"] = 7 * max(map(len, names))  # a reader's font may be wider than the one drawn with
    scale_ = {"domain": list(names), "paddingInner": 0.06}
    return {"field": field, "type": "nominal", "title": None, "axis": axis, "scale": scale_}


def _short(names: Sequence[str]) -> list[str]:
    """Names without their providers and cut to fit, told apart by a number where that makes them alike."""
    short = [line(" ".join(word.rpartition("/")[2] for word in said.split()), 26) for said in names]
    return [f"{i}. {name}" if short.count(name) > 1 else name for i, name in enumerate(short, start=1)]
