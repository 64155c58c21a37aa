"""The charts of the agreement page: shares with intervals, one line a rater, and a session block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.pages import ACCENT, FAINT, INK, Chart
from gadfly.stats import Estimate

__all__ = ["Block", "blocks_chart", "shares_chart"]

_LABEL = {"field": "rater", "type": "nominal", "sort": None, "title": None}


@dataclass(frozen=True, slots=True)
class Block:
    """A few items in a row by one rater: where its middle lies in their session, and its value."""

    rater: str
    at: float
    value: float


def shares_chart(title: str, rows: Sequence[tuple[str, Estimate]]) -> Chart:
    """A share for each label, with its interval, 0 to 100 %. Labels must differ; a row without data is left out."""
    known = [(label, e) for label, e in rows if e.point is not None]
    data = [{"rater": label, "share": e.point, "low": e.low, "high": e.high} for label, e in known]
    words = "; ".join(f"{label}: {e.point:.0%} [{e.low:.0%}, {e.high:.0%}]" for label, e in known)
    axis = {"format": ".0%", "grid": True}
    x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": axis, "title": None}
    y = {**_LABEL, "axis": {"domain": False, "ticks": False, "labelLimit": 150, "labelPadding": 8}}
    interval = {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    point = {"type": "point", "filled": True, "fill": ACCENT, "size": 80, "opacity": 1}
    spec = {
        "height": {"step": 30},
        "data": {"values": data},
        "layer": [
            {"mark": {"type": "rule", "stroke": ACCENT, "strokeWidth": 2.5}, "encoding": interval},
            {"mark": point, "encoding": {"y": y, "x": {**x, "field": "share"}}},
        ],
    }
    return Chart(title, words, spec)


def blocks_chart(title: str, axis: str, blocks: Sequence[Block], form: str) -> Chart:
    """One small line chart a rater, all on the same axes; `form` is how d3 and Python write the values."""
    data = [{"rater": b.rater, "at": b.at, "value": b.value} for b in blocks]
    by_rater: dict[str, list[str]] = {}
    for block in blocks:
        by_rater.setdefault(block.rater, []).append(format(block.value, form))
    words = f"{axis}, block by block. " + "; ".join(
        f"{label}: {', '.join(values)}" for label, values in by_rater.items()
    )
    header = {"labelAngle": 0, "labelAlign": "left", "labelOrient": "top", "labelAnchor": "start"}
    row = {
        **_LABEL,
        "spacing": 8,
        "header": {**header, "labelColor": INK, "labelFontSize": 12, "labelPadding": 4},
    }
    y_axis = {"format": form, "tickCount": 3}
    spec: dict[str, Any] = {
        "height": 56,
        "data": {"values": data},
        "mark": {
            "type": "line",
            "stroke": ACCENT,
            "strokeWidth": 2,
            "point": {"fill": ACCENT, "filled": True, "size": 30},
        },
        "encoding": {
            "row": row,
            "x": {"field": "at", "type": "quantitative", "title": "Items answered so far"},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "axis": y_axis,
                "scale": {"zero": True, "nice": True},
            },
        },
        "config": {"view": {"stroke": FAINT, "strokeOpacity": 0.3}},
    }
    return Chart(title, words, spec)
