"""The report's own chart: failure rate against how alike the questions were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gadfly.pages import ACCENT, INK, Chart
from gadfly.report._section import Row
from gadfly.report._words import name, scale

__all__ = ["rate_against_diversity"]

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
    data = [_point(number, row) for number, row in points]
    _spread(data, top)
    words = "; ".join(
        f"{d['name']}: {d['rate']:.1%} [{d['low']:.1%}, {d['high']:.1%}], self-BLEU {d['alike']:.0f}"
        for d in data
    )
    return Chart("Failure rate against variety of the questions", words, _scatter(data, top))


def _point(number: int, row: Row) -> dict[str, Any]:
    return {
        "number": str(number),
        "name": name(row.focus, 26),
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
