"""The charts of debates: accuracy by protocol, how sure against how right, accuracy against what it takes to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.debate import DebateLine, DebateTable
from gadfly.pages import ACCENT, FAINT, INK, Chart, line
from gadfly.report._words import amount, name, percent, rate
from gadfly.stats import Estimate, Reliability

__all__ = ["debate_charts"]


def debate_charts(table: DebateTable) -> Iterator[Chart]:
    """Those for which there is anything to draw."""
    known = [one for one in table.lines if one.accuracy.point is not None]
    if known:
        yield _accuracies(known)
    sure = [one for one in _contrasted(table) if one.calibration.said.bins]
    if sure:
        yield _diagram(sure)
    for effort in EFFORTS:
        taken = [
            (one, estimate) for one in known if (estimate := effort.of(one)) and estimate.point is not None
        ]
        taken = [(one, estimate) for one, estimate in taken if estimate.point or one is table.alone]
        if len(taken) > 1 and any(estimate.point for _, estimate in taken):
            yield _against(effort, taken)


def _contrasted(table: DebateTable) -> list[DebateLine]:
    """The judge alone and the last protocol in which both sides are heard: two lines that can be told apart."""
    debates = [one for one in table.lines if one.protocol.contested and not one.within]
    found = [*([table.alone] if table.alone else []), *debates[-1:]]
    return found or [table.lines[-1]]


def _accuracies(lines: Sequence[DebateLine]) -> Chart:
    """Accuracy by protocol with its interval, beside guessing."""
    names = _brief(lines)
    data = [{"protocol": called, **_ends(one.accuracy)} for called, one in zip(names, lines, strict=True)]
    x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "title": "How often the judge is right"}
    x = {**x, "axis": {"format": "~%"}}
    axis = {
        "labelLimit": 190,
        "domain": False,
        "ticks": False,
        "grid": False,
        "minExtent": 7 * max(map(len, names)),
    }
    y = {"field": "protocol", "type": "nominal", "title": None, "axis": axis, "scale": {"domain": names}}
    bar = {"type": "bar", "fill": ACCENT, "fillOpacity": 0.25, "height": 18}
    rule = {"type": "rule", "stroke": ACCENT, "strokeWidth": 3}
    guess = {"type": "rule", "stroke": FAINT, "strokeDash": [2, 3]}
    point = {"type": "tick", "stroke": INK, "thickness": 2, "height": 18}
    spec = {
        "height": 34 * len(lines),
        "data": {"values": data},
        "layer": [
            {"mark": bar, "encoding": {"y": y, "x": {**x, "field": "point"}, "x2": {"datum": 0}}},
            {"mark": rule, "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}}},
            {"mark": point, "encoding": {"y": y, "x": {**x, "field": "point"}}},
            {"data": {"values": [{"half": 0.5}]}, "mark": guess, "encoding": {"x": {**x, "field": "half"}}},
        ],
    }
    words = "; ".join(f"{name(one.called)}: {rate(one.accuracy)}" for one in lines)
    return Chart("How often the judge is right, with 95% intervals; dotted: guessing", words, spec)


def _ends(estimate: Estimate) -> dict[str, Any]:
    return {"point": estimate.point, "low": estimate.low, "high": estimate.high}


def _brief(lines: Sequence[DebateLine]) -> list[str]:
    """Names cut to fit, told apart by a number where that makes them alike."""
    short = [line(name(one.called), 26) for one in lines]
    return [f"{n}. {said}" if short.count(said) > 1 else said for n, said in enumerate(short, 1)]


_LOOKS = (("┈", FAINT, [2, 3]), ("━", ACCENT, [1, 0]))


def _diagram(lines: Sequence[DebateLine]) -> Chart:
    """How sure the judge is against how often it is right then."""
    x = {
        "type": "quantitative",
        "scale": {"domain": [0.5, 1]},
        "title": "Probability that the judge gives its answer",
    }
    y = {"type": "quantitative", "scale": {"domain": [0, 1]}, "title": "How often it is right"}
    x, y = {**x, "axis": {"format": "~%"}}, {**y, "axis": {"format": "~%"}}
    looks = _LOOKS if len(lines) > 1 else _LOOKS[1:]
    even = {"data": {"values": [{"said": 0.5, "seen": 0.5}, {"said": 1, "seen": 1}]}}
    layers: list[dict[str, Any]] = [
        {
            **even,
            "mark": {"type": "line", "stroke": INK, "strokeWidth": 1, "strokeDash": [6, 4]},
            "encoding": {"x": {**x, "field": "said"}, "y": {**y, "field": "seen"}},
        }
    ]
    for one, (_, colour, dash) in zip(lines, looks, strict=False):
        values = [{"said": each.said, **_ends(each.seen)} for each in one.calibration.said.bins]
        data, across = {"data": {"values": values}}, {**x, "field": "said"}
        interval = {"type": "rule", "stroke": colour, "strokeWidth": 2, "strokeOpacity": 0.6}
        path = {"type": "line", "stroke": colour, "strokeDash": dash, "strokeWidth": 2}
        dot = {"type": "point", "filled": True, "fill": colour, "size": 50, "opacity": 1}
        high = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
        layers.append({**data, "mark": interval, "encoding": {"x": across, **high}})
        for mark in (path, dot):
            layers.append({**data, "mark": mark, "encoding": {"x": across, "y": {**y, "field": "point"}}})
    key = ", ".join(f"{look} {name(one.called)}" for one, (look, _, _) in zip(lines, looks, strict=False))
    words = "; ".join(f"{name(one.called)}: {_bins(one.calibration.said)}" for one in lines)
    title = f"Is it right as often as it says? {key}; dashed: exactly as often"
    return Chart(title, words, {"height": 280, "layer": layers})


def _bins(found: Reliability) -> str:
    each = ", ".join(f"at {percent(one.said)} right in {rate(one.seen)}" for one in found.bins)
    return f"{each}; Brier score {amount(found.brier, 3)}"


@dataclass(frozen=True)
class Effort:
    """Something that a verdict takes of the judge: a chart's title and axis, and its unit."""

    title: str
    axis: str
    unit: str
    of: Callable[[DebateLine], Estimate | None]


EFFORTS = (
    Effort(
        "How often the judge is right against what it has to hear or read",
        "Words that the judge hears or reads",
        "words",
        lambda one: one.effort.read,
    ),
    Effort(
        "How often the judge is right against how much it asks",
        "Questions that the judge asks",
        "questions",
        lambda one: one.effort.questions,
    ),
    Effort(
        "How often a person is right against the time it takes",
        "Seconds that a person takes",
        "seconds",
        lambda one: one.effort.seconds,
    ),
)


def _against(effort: Effort, taken: Sequence[tuple[DebateLine, Estimate]]) -> Chart:
    """Accuracy against what a verdict takes."""
    data = [
        {"name": called, "taken": estimate.point, **_ends(one.accuracy)}
        for called, (one, estimate) in zip(_brief([one for one, _ in taken]), taken, strict=True)
    ]
    top = 1.15 * max(row["taken"] for row in data)
    x = {"field": "taken", "type": "quantitative", "scale": {"domain": [0, top]}, "title": effort.axis}
    y = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"format": "~%"}}
    y = {**y, "title": "How often it is right"}
    point = {"type": "point", "filled": True, "fill": ACCENT, "size": 70, "opacity": 1}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "stroke": ACCENT, "strokeWidth": 2},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "transform": [{"filter": "datum.label > datum.high || datum.label < datum.low"}],
            "mark": {"type": "rule", "stroke": FAINT, "strokeDash": [1, 2]},
            "encoding": {"x": x, "y": {**y, "field": "point"}, "y2": {"field": "label"}},
        },
        {"mark": point, "encoding": {"x": x, "y": {**y, "field": "point"}}},
    ]
    for where, side in (
        (f"datum.taken <= {top / 2}", {"align": "left", "dx": 9}),
        (f"datum.taken > {top / 2}", {"align": "right", "dx": -9}),
    ):
        mark = {"type": "text", "fontSize": 12, "fill": INK, **side}
        encoding = {"x": x, "y": {**y, "field": "label"}, "text": {"field": "name", "type": "nominal"}}
        layers.append({"transform": [{"filter": where}], "mark": mark, "encoding": encoding})
    _spread(data, top)
    words = "; ".join(
        f"{name(one.called)}: {amount(estimate, 0)} {effort.unit}, {rate(one.accuracy)}"
        for one, estimate in taken
    )
    return Chart(effort.title, words, {"height": 280, "data": {"values": data}, "layer": layers})


def _spread(data: list[dict[str, Any]], top: float) -> None:
    """A height for each label: its point's, or the nearest at which it stands apart from its neighbours'."""
    placed: list[tuple[float, float]] = []
    steps = [0.0, *(sign * 0.02 * n for n in range(1, 50) for sign in (1, -1))]
    for row in sorted(data, key=lambda row: row["point"]):
        free = (
            height
            for step in steps
            if 0.02 <= (height := row["point"] + step) <= 0.98
            and not any(abs(x - row["taken"]) < 0.55 * top and abs(y - height) < 0.06 for x, y in placed)
        )
        row["label"] = next(free, row["point"])
        placed.append((row["taken"], row["label"]))
