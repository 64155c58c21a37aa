"""Charts as static SVG: drawn once here by vl-convert, so the page needs no chart library and runs no script.

The colours below are attributes that the page's stylesheet overrides, so that one drawing serves light and
dark. Each chart is drawn twice, wide and narrow, because text in a scaled-down drawing cannot be read on a
phone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert
from markupsafe import Markup

from gadfly.report._inert import line, visible
from gadfly.report._section import Chart, Row
from gadfly.report._words import name, scale

__all__ = ["ACCENT", "FAINT", "INK", "rate_against_diversity", "svg"]

INK = "#1a2b3c"
FAINT = "#8a9aab"
ACCENT = "#1f5a80"
WIDE, NARROW = 640, 290
NAMED = 8
"""Points up to which a chart has room for names; beyond it they bear the row's number."""
_FONT = "system-ui, sans-serif"


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


def svg(chart: Chart) -> Markup:
    """The chart as two inline SVG drawings, of which the stylesheet shows the one that fits."""
    drawings = ((WIDE, "wide"), (NARROW, "narrow"))
    return Markup("").join(_draw(chart, width, kind) for width, kind in drawings)


def _draw(chart: Chart, width: int, kind: str) -> Markup:
    spec: dict[str, Any] = {"height": 300, **_inert(chart.spec), "width": width, "padding": 4}
    spec["$schema"] = "https://vega.github.io/schema/vega-lite/v6.json"
    spec["config"] = _config(narrow=kind == "narrow") | spec.get("config", {})
    drawing = vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    return _labelled(drawing, chart, kind)


def _inert(value: Any) -> Any:
    """The spec with every string in it safe to show."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(key)): _inert(item) for key, item in value.items()}
    return [_inert(item) for item in value] if isinstance(value, list | tuple) else value


def _config(*, narrow: bool) -> dict[str, Any]:
    axis = {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": FAINT,
        "gridOpacity": 0.25,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "titleLimit": NARROW if narrow else WIDE,
        "tickCount": 5,
    }
    return {"font": _FONT, "background": "transparent", "axis": axis, "view": {"stroke": None}, "aria": False}


def _labelled(drawing: str, chart: Chart, kind: str) -> Markup:
    """The drawing with a title and description for screen readers, in ids of its own."""
    size = re.search(r'viewBox="[\d. -]+"', drawing)
    body = drawing[drawing.index(">", drawing.index("<svg")) + 1 :]
    key = hashlib.sha256(f"{kind}{chart.title}{chart.description}".encode(errors="replace")).hexdigest()[:8]
    tag = Markup(
        '<svg {size} role="img" class="chart-{kind}" aria-labelledby="title-{key} desc-{key}">'
        '<title id="title-{key}">{title}</title><desc id="desc-{key}">{desc}</desc>'
    ).format(
        size=Markup(size.group() if size else ""),  # noqa: S704 - digits only
        kind=kind,
        key=key,
        title=line(chart.title),
        desc=visible(chart.description),
    )
    return tag + Markup(body)  # noqa: S704 - vl-convert escapes its texts; tests/report holds it to that
