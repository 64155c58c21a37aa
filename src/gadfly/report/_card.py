"""The card of a judge that learned, as one HTML file in the report's style: what it promises, how often it errs, what
it gets wrong, and how each round of labels moved it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gadfly.errors import InputError
from gadfly.judges import Card
from gadfly.judges._calibration import Bin
from gadfly.pages import ACCENT, FAINT, Chart, csp_hash, tokens
from gadfly.report._html import asset, page_environment, put
from gadfly.report._section import Example

__all__ = ["card_page", "write_card"]


def card_page(cards: Sequence[Card]) -> str:
    """The page for the last of a judge's cards; the ones before it are its history (`gadfly.judges.history`)."""
    if not cards:
        raise InputError("A judge without a saved round has no card; fit it first.")
    card = cards[-1]
    style = tokens() + asset("style.css")
    return (
        page_environment()
        .get_template("card.html.j2")
        .render(
            card=card,
            level="pass"
            if card.promise.recall >= card.promise.asked and card.promise.threshold > 0
            else "warn",
            rates=_rates(card),
            charts=tuple(
                chart
                for chart in (
                    reliability(card.errors.curve, "People who flag it"),
                    _scores(card),
                    _rounds(cards),
                )
                if chart
            ),
            cards=tuple(reversed(cards)),
            mistakes=[_mistake(card, m) for m in card.mistakes],
            made=_made(card),
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=csp_hash(style),
        )
    )


def write_card(cards: Sequence[Card], path: str | os.PathLike[str]) -> Path:
    """`card_page` into `path`, all or nothing; returns the path. Beside a round's `card.json` is a good place."""
    return put(card_page(cards), Path(path))


def _rates(card: Card) -> tuple[tuple[str, str, Any, str], ...]:
    """(what, in other words, estimate, how to show it) for the table of errors."""
    errors, at = card.errors, f"scores {card.promise.threshold:.3f} or more"
    return (
        ("Finds", f"of what people flag, {at}", errors.recall, "rate"),
        ("False alarms", f"of what people do not flag, {at}", errors.false_alarms, "rate"),
        ("Ranking (AUROC)", "chance that a flagged example outscores another; 0.5 is guessing", errors.auroc, "number"),
        ("Calibration error", "how far a score is from the share people flag, on average", errors.calibration, "rate"),
        ("Brier score", "mean squared error of the score; 0 is perfect", errors.brier, "number"),
    )  # fmt: skip


def _made(card: Card) -> dict[str, str]:
    """Where the judge comes from, as (term, text)."""
    labels, read, source = card.labels, card.reading, card.labels.source
    made = {
        "Fitted": card.created.strftime("%-d %B %Y, %H:%M UTC"),
        "Queue": source.queue,
        "Runs": ", ".join(source.runs),
        "Labels": f"{labels.n:,} ({labels.flagged:,} flagged), sha256 {labels.digest[:12]}",
        "Chosen": "with unequal probabilities, corrected for"
        if labels.unequal
        else "with equal probabilities",
        "Reads": f"the reply{' and the question' if read.question else ''} through {read.embedding}",
        "Embedding": f"sha256 {read.sha256[:16]}",
        "Builds on": read.base,
        "Heads": f"{card.fit.members}, strength C = {card.fit.strength:g}, seed {card.fit.seed}",
        "Versions": ", ".join(f"{name} {version}" for name, version in sorted(card.fit.versions.items())),
    }
    return {term: text for term, text in made.items() if text}


def _mistake(card: Card, mistake: Any) -> Example:
    metadata = {
        "people": f"{mistake.label:.0%} flag it",
        "uncertainty": f"±{mistake.uncertainty:.2f}",
    }
    return Example(
        mistake.case_id, mistake.turns, mistake.score, f"{card.name}, out of fold", metadata=metadata
    )


def reliability(bins: Sequence[Bin], what: str) -> Chart | None:
    """What the score says against what people do; the diagonal is perfect. None where nothing was seen."""
    data = [
        {"said": b.said, "seen": b.seen.point, "low": b.seen.low, "high": b.seen.high}
        for b in bins
        if b.seen.point is not None
    ]
    words = "; ".join(
        f"score {d['said']:.2f}: {d['seen']:.0%} [{d['low']:.0%}, {d['high']:.0%}]" for d in data
    )
    axis = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"format": "~%"}}
    x, y = {**axis, "field": "said", "title": "The score"}, {**axis, "title": what}
    ends = [{"said": 0, "seen": 0}, {"said": 1, "seen": 1}]
    line = {"type": "line", "stroke": FAINT, "strokeDash": [4, 4]}
    diagonal = {"data": {"values": ends}, "mark": line, "encoding": {"x": x, "y": {**y, "field": "seen"}}}
    spec = {"layer": [diagonal, *with_intervals(data, x, y)]}
    return Chart("Does a score mean what it says?", words, spec) if data else None


def with_intervals(data: list[dict[str, Any]], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """Layers of points ("said", "seen") with their intervals ("low" to "high")."""
    point = {"type": "point", "filled": True, "fill": ACCENT, "size": 60, "opacity": 1}
    rule = {"type": "rule", "stroke": ACCENT, "strokeWidth": 2}
    interval = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    return [
        {"data": {"values": data}, "mark": rule, "encoding": interval},
        {"data": {"values": data}, "mark": point, "encoding": {"x": x, "y": {**y, "field": "seen"}}},
    ]


def _scores(card: Card) -> Chart:
    """How many examples scored what, what people flag above the axis and the rest below it, and the threshold."""
    width = 1 / len(card.histogram)
    data = []
    for i, (no, yes) in enumerate(card.histogram):
        sides = ((yes, ACCENT), (-no, FAINT))
        data += [
            {"from": i * width, "to": (i + 1) * width, "n": n, "colour": colour} for n, colour in sides if n
        ]
    total = [sum(side) for side in zip(*card.histogram, strict=True)]
    x = {"type": "quantitative", "field": "from", "scale": {"domain": [0, 1]}, "title": "The judge's score"}
    y = {
        "field": "n",
        "type": "quantitative",
        "stack": None,
        "axis": {"labelExpr": "format(abs(datum.value), ',d')", "tickMinStep": 1},
        "title": ["Examples: people flag those above the line,", "not those below"],
    }
    rule = {"type": "rule", "stroke": "currentColor", "strokeWidth": 2}
    at = {"datum": card.promise.threshold, "type": "quantitative"}
    bars = {
        "x": x,
        "x2": {"field": "to"},
        "y2": {"datum": 0},
        "y": y,
        "fill": {"field": "colour", "type": "nominal", "scale": None},
    }
    spec = {
        "layer": [
            {"data": {"values": data}, "mark": {"type": "bar", "stroke": None}, "encoding": bars},
            {"data": {"values": [{}]}, "mark": rule, "encoding": {"x": at}},
        ]
    }
    words = f"{total[1]} examples people flag and {total[0]} they do not, by out-of-fold score; "
    return Chart(
        "Where the examples score", f"{words}threshold {card.promise.threshold:.3f}, the upright line.", spec
    )


def _rounds(cards: Sequence[Card]) -> Chart | None:
    """AUROC by number of labels, a point a round; None for a first round."""
    if len(cards) < 2:
        return None
    data = [
        {
            "labels": c.labels.n,
            "auroc": c.errors.auroc.point,
            "low": c.errors.auroc.low,
            "high": c.errors.auroc.high,
        }
        for c in cards
    ]
    words = "; ".join(
        f"{d['labels']} labels: {d['auroc']:.3f} [{d['low']:.3f}, {d['high']:.3f}]" for d in data
    )
    x = {"field": "labels", "type": "quantitative", "title": "Labels", "scale": {"zero": False}}
    y = {"type": "quantitative", "scale": {"zero": False}, "title": "AUROC, out of fold"}
    interval = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    point = {"x": x, "y": {**y, "field": "auroc"}}
    spec = {
        "data": {"values": data},
        "layer": [
            {"mark": {"type": "line", "stroke": FAINT}, "encoding": point},
            {"mark": {"type": "rule", "stroke": ACCENT, "strokeWidth": 2}, "encoding": interval},
            {
                "mark": {"type": "point", "filled": True, "fill": ACCENT, "size": 60, "opacity": 1},
                "encoding": point,
            },
        ],
    }
    return Chart("How each round moved it", words, spec)
