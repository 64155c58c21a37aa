"""Charts as static SVG: drawn once here by vl-convert, so the page needs no chart library and runs no script.

The colours below are attributes that the page's stylesheet overrides, so that one drawing serves light and
dark. Each chart is drawn twice, wide and narrow, because text in a scaled-down drawing cannot be read on a
phone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import vl_convert
from markupsafe import Markup

from gadfly.pages._inert import line, visible

__all__ = ["ACCENT", "FAINT", "INK", "Chart", "svg"]

INK = "#1a2b3c"
FAINT = "#8a9aab"
ACCENT = "#1f5a80"
WIDE, NARROW = 640, 290
_FONT = "system-ui, sans-serif"


@dataclass(frozen=True, slots=True)
class Chart:
    """A further chart: a Vega-Lite spec with its data inside, and what it shows in words for who cannot see
    it.

    Colours in the spec: `"currentColor"` and those of `gadfly.pages` follow the page, dark or light.
    """

    title: str
    description: str
    spec: Mapping[str, Any]


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
    return tag + Markup(body)  # noqa: S704 - vl-convert escapes its texts; tests/pages holds it to that
