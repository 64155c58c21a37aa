"""Learning curves as one HTML file in the report's style: what choosing whom to ask was worth, policy by policy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gadfly.judges import Compared, Curves, LabelsTo, Metric
from gadfly.pages import ACCENT, FAINT, Chart, csp_hash, tokens
from gadfly.report._html import asset, page_environment, put
from gadfly.report._level import Level
from gadfly.stats import Estimate

__all__ = ["CurveRow", "curve_rows", "curves_page", "curves_sentence", "write_curves"]


def curves_page(curves: Curves, about: Mapping[str, str]) -> str:
    """The page. `about` says in words what learned from what, as (term, text)."""
    style = tokens() + asset("style.css")
    level, sentence = _told(curves)
    return (
        page_environment()
        .get_template("curves.html.j2")
        .render(
            curves=curves,
            about=about,
            level=level,
            sentence=sentence,
            tables=[(metric, curve_rows(curves, metric)) for metric in curves.metrics],
            charts=_charts(curves, curves.metrics[0]),
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=csp_hash(style),
        )
    )


def write_curves(curves: Curves, path: str | os.PathLike[str], about: Mapping[str, str]) -> Path:
    """`curves_page` into `path`, all or nothing; returns the path."""
    return put(curves_page(curves, about), Path(path))


def curves_sentence(curves: Curves) -> str:
    """What came of it, by the first metric."""
    return _told(curves)[1]


def gap(estimate: Estimate) -> str:
    """A difference with its interval: `+0.0064 [+0.0047, +0.0080]`."""
    said = f"{estimate.point:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"
    return said.replace("-", "\u2212")


def labels_to(one: LabelsTo) -> str:
    """`266, uniform 395 (−129 [−201, −57])`; a curve that did not get there counts as one step past the end, and how
    many seeds did not is said.
    """
    change = f"{one.difference.point:+.0f} [{one.difference.low:+.0f}, {one.difference.high:+.0f}]"
    said = f"{one.labels:.0f}, uniform {one.uniform:.0f} ({change})".replace("-", "\u2212")
    if not any(one.short):
        return said
    return f"{said}; never in {one.short[0]} of {one.difference.n} seeds, uniform in {one.short[1]}"


def _told(curves: Curves) -> tuple[Level, str]:
    metric = curves.metrics[0]
    sign = 1 if metric.higher_is_better else -1
    compared = curves.compared(metric)
    better = [one for one in compared if one.better]
    worse = [one.policy for one in compared if one.better is False]
    tail = f" Worse than uniform: {', '.join(worse)}." if worse else ""
    counts = curves.setup.counts
    if not compared:
        return "inconclusive", "Only uniform drawing was tried."
    if not better:
        return "inconclusive", f"No policy was seen to teach more than uniform drawing.{tail}"
    best = max(better, key=lambda one: sign * (one.over_curve.point or 0.0))
    others = [one.policy for one in better if one is not best]
    also = f" So do {', '.join(others)}." if others else ""
    return "pass", (
        f"Choosing by {best.policy} teaches more than uniform drawing: {metric.name} {gap(best.over_curve)} on average "
        f"from {counts[0]} to {counts[-1]:,} labels.{also}{tail}"
    )


@dataclass(frozen=True, slots=True)
class CurveRow:
    """A policy in words: its last value, what it is worth less uniform, and the labels to 95 % and 99 % of what uniform
    ends with. Uniform has only the first.
    """

    policy: str
    last: str
    gap: str = ""
    verdict: str = ""
    labels: tuple[str, ...] = ("", "")


def curve_rows(curves: Curves, metric: Metric) -> list[CurveRow]:
    """A row a policy, uniform first."""
    ends = {name: _value(curves.along(name, metric)[-1]) for name in curves.policies}
    uniform = curves.policies[0]
    return [
        CurveRow(uniform, ends[uniform]),
        *(
            CurveRow(
                one.policy,
                ends[one.policy],
                gap(one.over_curve),
                verdict(one),
                tuple(labels_to(to) for to in one.labels),
            )
            for one in curves.compared(metric)
        ),
    ]


def _value(estimate: Estimate) -> str:
    return f"{estimate.point:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def verdict(one: Compared) -> str:
    """`better (p = 0.003)`; p is adjusted for all the policies looked at."""
    if one.better is None:
        return "no clear difference"
    p = "p < 0.001" if one.p < 0.001 else f"p = {one.p:.3f}"
    return f"{'better' if one.better else 'worse'} ({p})"


def _charts(curves: Curves, metric: Metric) -> list[Chart]:
    """One for each policy but uniform, all on the same axes."""
    every = [at for name in curves.policies for at in curves.along(name, metric)]
    domain = [min(at.low for at in every), max(at.high for at in every)]
    uniform = _points(curves, curves.policies[0], metric)
    return [
        _chart(curves, metric, one, [(uniform, FAINT), (_points(curves, one.policy, metric), ACCENT)], domain)
        for one in curves.compared(metric)
    ]


def _points(curves: Curves, policy: str, metric: Metric) -> list[dict[str, float | None]]:
    return [
        {"labels": count, "value": at.point, "low": at.low, "high": at.high}
        for count, at in zip(curves.setup.counts, curves.along(policy, metric), strict=True)
    ]


def _chart(
    curves: Curves,
    metric: Metric,
    one: Compared,
    drawn: Sequence[tuple[list[dict[str, float | None]], str]],
    domain: list[float],
) -> Chart:
    """A policy's curve over uniform's, which is grey; bands are the intervals of the means."""
    x = {"field": "labels", "type": "quantitative", "title": "Labels", "scale": {"zero": False}}
    y = {
        "type": "quantitative",
        "title": f"{metric.name}, test items",
        "scale": {"zero": False, "domain": domain},
    }
    layers: list[dict[str, Any]] = []
    for data, colour in drawn:
        values = {"data": {"values": data}}
        band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
        layers += [
            {**values, "mark": {"type": "area", "fill": colour, "opacity": 0.25}, "encoding": band},
            {
                **values,
                "mark": {"type": "line", "stroke": colour, "strokeWidth": 2},
                "encoding": {"x": x, "y": {**y, "field": "value"}},
            },
        ]
    (first, _), (last, _) = drawn[0], drawn[1]
    words = (
        f"{metric.name} after {curves.setup.counts[-1]:,} labels: {one.policy} {last[-1]['value']:.3f}, uniform "
        f"{first[-1]['value']:.3f}. Over the curve {gap(one.over_curve)}: {verdict(one)}."
    )
    return Chart(f"{one.policy} (in colour) and uniform (grey): {verdict(one)}", words, {"layer": layers})
