"""A report as one HTML file that opens anywhere, asks the network for nothing and runs nothing a model wrote.

Every string reaches the page through jinja's autoescape after `visible` (the `finalize` hook); the few values
that are markup are made in `gadfly.pages`. The content security policy allows this file's own style
and script, by hash, and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from gadfly.errors import StoreError
from gadfly.pages import csp_hash, environment, tokens, visible
from gadfly.report import _words
from gadfly.report._chart import heat_map, rate_against_diversity
from gadfly.report._debate_terminal import HELPED, Figures, believed_rows, effort_rows, sure_rows
from gadfly.report._section import Report, Row, Section

__all__ = ["render", "write"]


def render(report: Report) -> str:
    """The page. The same report gives the same text."""
    sections = [_view(number, section) for number, section in enumerate(report.sections, 1)]
    rows = [row for section in report.sections for row in section.rows]
    style, script = (
        tokens() + "".join(map(asset, ("style.css", "pressure.css", "evidence.css", "debate.css"))),
        asset("script.js"),
    )
    return (
        page_environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            sections=sections,
            totals=_totals(rows),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            style_hash=csp_hash(style),
            script_hash=csp_hash(script),
        )
    )


def write(report: Report, path: str | os.PathLike[str]) -> Path:
    """Render into `path`, all or nothing: a reader never sees half a page. Returns the path."""
    return put(render(report), Path(path))


def put(text: str, target: Path) -> Path:
    """Write a page into `target` through a file beside it; `StoreError` when the disk refuses."""
    page = text.encode()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(page)
                file.flush()
                os.fsync(file.fileno())
            part.chmod(0o644)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"The report could not be written to {target} ({reason}); mend that, or name another place with "
            "--output."
        ) from error
    return target


@cache
def page_environment() -> Environment:
    env = environment("gadfly.report")
    env.filters |= {word: getattr(_words, word) for word in _words.__all__ if word != "LEVELS"}
    env.filters["json"] = _json
    env.filters |= {"figured": _figured, "unbroken": _unbroken}
    env.globals["levels"] = _words.LEVELS
    env.globals["helped"] = HELPED
    return env


def _view(number: int, section: Section) -> dict[str, Any]:
    """A section with what the template needs beside it: numbered rows, the bars' axis, the charts."""
    rows = list(enumerate(section.rows, 1))
    built_in = rate_against_diversity(rows)
    cells = [cell for row in section.grid.cells for cell in row] if section.grid else []
    differences = [c.difference for c in section.comparisons]
    return {
        "id": f"s{number}",
        "section": section,
        "rows": rows,
        "top": _words.scale(row.rate for row in section.rows),
        "picture": heat_map(section.grid) if section.grid else None,
        "grid_top": _words.scale(cell.rate for cell in cells),
        "evidence_reach": _reach(section),
        "debate_reach": _debate_reach(section),
        "debate_figures": _debate_figures(section),
        "reach": max((max(abs(d.low), abs(d.high)) for d in differences), default=0.0) or 1.0,
        "charts": ((built_in,) if built_in and not section.grid else ()) + section.charts,
        "examples": sum(len(r.findings.failures) + len(r.findings.near_misses) for r in section.rows),
        "attackers": len({row.attacker for row in section.rows}),
    }


def _reach(section: Section) -> float:
    """How far the bars of what choices gain reach: as far as the widest interval, at least five points."""
    gains = (
        [g for line in section.evidence.table.lines for g in line.gains.values()] if section.evidence else []
    )
    return max((max(abs(g.low), abs(g.high)) for g in gains if g.point is not None), default=0.0) or 0.05


def _debate_reach(section: Section) -> float:
    """How far the bars of what protocols change reach: as far as the widest interval, at least five points."""
    lines = section.debate.table.lines if section.debate else ()
    gains = [gain for line in lines for gain in line.gains.values() if gain.point is not None]
    return max([0.05, *(max(abs(gain.low), abs(gain.high)) for gain in gains)])


def _debate_figures(section: Section) -> list[tuple[str, str, list[Figures]]]:
    """The tables of figures by protocol: a heading, a caption and the rows."""
    if section.debate is None:
        return []
    table = section.debate.table
    return [
        (
            "Whom the judge believes",
            "Each rate with its 95% interval, over cases that the judge was asked about but where rules are counted.",
            believed_rows(table),
        ),
        ("How sure it is, and what it leans to", "With 95% intervals.", sure_rows(table)),
        ("What a case takes", "The mean of a case with its 95% interval.", effort_rows(table)),
    ]


def _figured(rows: list[Figures]) -> set[str]:
    """The protocols of which any figure of a table is known."""
    return {protocol for _, words in rows for protocol in words}


def _unbroken(words: str) -> Markup:
    """The words with no break inside of an interval or before an n."""
    pieces = re.split(r"(\[[^\]]*\],?|n = [\d,]+)", words)
    whole, rest = Markup('<span class="whole">{}</span>'), Markup("{}")
    return Markup("").join((whole if n % 2 else rest).format(visible(one)) for n, one in enumerate(pieces))


def _totals(rows: list[Row]) -> dict[str, Any]:
    distinct = [row.diversity.distinct for row in rows if row.diversity.distinct is not None]
    costs = [row.spend.dollars for row in rows if row.spend.dollars is not None]
    return {
        "asked": sum(row.counts.asked for row in rows),
        "judged": sum(row.rate.n for row in rows),
        "missing": sum(row.rate.missing for row in rows),
        "distinct": sum(distinct) if distinct else None,
        "tokens": sum(row.spend.tokens for row in rows),
        "dollars": sum(costs) if costs else None,
    }


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=isinstance(value, Mapping))


@cache
def asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
