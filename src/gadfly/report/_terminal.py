"""The report's numbers in a terminal.

Every text goes in as a `rich.text.Text` that `line` made visible first: no escape sequence a model wrote
reaches the terminal, and no square bracket is read as markup.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gadfly.pages import line
from gadfly.pressure import ForkTable
from gadfly.report._debate_terminal import print_debate
from gadfly.report._evidenced import Evidenced
from gadfly.report._level import Level
from gadfly.report._pressed import Pressed, PressedCell
from gadfly.report._section import Cell, Grid, Report, Row, Section, Step
from gadfly.report._words import (
    LEVELS,
    against_rest,
    causes,
    change,
    count,
    difference,
    more_or_less,
    name,
    rate,
    setting,
    spend,
    stands_out,
)
from gadfly.stats import Estimate

__all__ = ["print_summary"]

_COLOURS: dict[Level, str] = {"fail": "red", "warn": "yellow", "pass": "green", "inconclusive": "dim"}


def print_summary(report: Report, console: Console) -> None:
    """The verdict, then one table per section, then how to run it again and to see it again."""
    console.print()
    console.print(_text(report.title, 300, "bold"))
    console.print(_text(report.target, 600, "dim"))
    console.print()
    console.print(Text.assemble(_badge(report.level), ": ", _text(report.verdict, 600, "bold")))
    for section in report.sections:
        _print_section(section, console)
    if report.provenance.commands:
        console.print("\nTo run it again:")
        for command in report.provenance.commands:
            console.print(_text(command, 2_000), soft_wrap=True)
    if report.provenance.look:
        console.print("\nTo see it again:")
        console.print(_text(report.provenance.look, 10_000), soft_wrap=True)


def _print_section(section: Section, console: Console) -> None:
    console.print()
    console.print(_text(section.title, 200, "bold"))
    for sentence in (section.summary, *section.findings):
        if sentence:
            console.print(_text(sentence, 600))
    if section.grid:
        console.print(_who_breaks_whom(section.grid))
    if section.steps:
        console.print(_ladder(section.steps))
    if section.pressed:
        _print_pressed(section.pressed, console)
    if section.evidence:
        _print_evidence(section.evidence, console)
    if section.debate:
        print_debate(section.debate, console)
    if section.rows:
        table = _rates(section.rows)
        unbounded = console.options.update(width=10_000)
        narrow = console.measure(table, options=unbounded).maximum > console.width
        console.print(_rates(section.rows, narrow=True) if narrow else table)
        for row in section.rows:
            _print_turns(row, console)
            _print_ranking(row, console)
            _print_corrected(row, console)
            _print_left_out(row, console)
    elif not (
        section.comparisons or section.findings or section.pressed or section.evidence or section.debate
    ):
        console.print("Nothing was run for this part.", style="dim")
    if section.comparisons:
        console.print(_differences(section))


def _print_evidence(shown: Evidenced, console: Console) -> None:
    """The headline, then figure by figure each choice at each share with what it gains, then what orders did."""
    head = shown.table.head
    within = head.rates["false_of_supported"]
    seen = (
        ""
        if shown.misled.point is None
        else ", as people see it"
        if shown.misled_by_people
        else ", by a judge"
    )
    misled = f"Supported but false ({shown.names[head.choice]}{seen}): {rate(shown.misled)}"
    console.print(_text(misled, 400, "bold"))
    if within.point is not None:
        console.print(_text(f"Of the answers that the judge finds supported, false: {rate(within)}", 400))
    for share in dict.fromkeys(line_.share for line_ in shown.table.lines):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        attempted = "every question attempted" if share == 1.0 else f"the surest {100 * share:.0f}% attempted"
        lines = [one for one in shown.table.lines if one.share == share]
        for heading in (attempted, *(shown.names[one.choice] for one in lines)):
            table.add_column(_text(heading, 80))
        for figure, words in _ANSWERS.items():
            table.add_row(words, *(_gained(one.rates[figure], one.gains.get(figure)) for one in lines))
        if any(one.declined for one in lines):
            declined = (Text(rate(one.declined)) if one.declined else Text("–") for one in lines)
            table.add_row("Declines the unanswerable", *declined)
        console.print(table)
    for choice, curve in shown.table.curves.items():
        area = f"mean risk over coverages {rate(curve.area)}; with all attempted {rate(curve.whole)}"
        console.print(_text(f"{shown.names[choice]}, {area}", 400))
    for one in shown.injected:
        console.print(_text(f"Orders in documents, {one.kind}: obeyed {rate(one.obeyed)}", 400))


def _gained(estimate: Estimate, gain: Estimate | None) -> Text:
    """A rate, what is missing of it, and below it the difference from the first sample's."""
    missing = f", {count(estimate.missing)} missing" if estimate.missing else ""
    against = f"\n{difference(gain)}" if gain is not None else ""
    return Text.assemble(f"{rate(estimate)}{missing}", (against, "dim"))


_ANSWERS = {
    "matches": "Holds a known answer",
    "verbatim": "Quotes verbatim",
    "supported": "Supported",
    "supported_but_false": "Supported but false",
}


def _print_pressed(pressed: Pressed, console: Console) -> None:
    """Cell by cell, the worst and the average, and what each level changes."""
    table, unbounded = _cells(pressed), console.options.update(width=10_000)
    if console.measure(table, options=unbounded).maximum <= console.width:
        console.print(table)
    else:
        for cell in pressed.cells:
            console.print(
                _text(f"{setting(cell.name)}{f' ({cell.role})' if cell.role else ''}: {_went(cell)}", 900)
            )
    for all_ in pressed.overall:
        what = _DID[all_.outcome]
        console.print(_text(f"{what}, worst variant ({setting(all_.worst_cell)}): {rate(all_.worst)}", 400))
        console.print(
            _text(f"{what}, worst wording ({all_.worst_wording + 1}): {rate(all_.by_wording)}", 400)
        )
        console.print(_text(f"{what}, average variant: {rate(all_.average)}", 400))
    if pressed.effects:
        console.print(_levels(pressed))


def _cells(pressed: Pressed) -> Table:
    """One line per cell: each rate, and below it how many answers at its fork are valid."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Setting", "Did it", "Hid it, of those", "Denied it, of those", "Did it and hid it"):
        table.add_column(heading)
    for cell in pressed.cells:
        name_ = Text.assemble(_text(setting(cell.name), 80), "\n", (cell.role, "dim"))
        if not cell.rates.conclusive:
            act = cell.rates.tables["act"]
            valid = f"{count(act.valid)} of {count(act.reached)} valid"
            table.add_row(name_, Text.assemble("inconclusive\n", (valid, "dim")), *["–"] * 3)
            continue
        told = cell.rates
        table.add_row(
            name_,
            _figure(told.act, told.tables["act"]),
            _figure(told.conceal, told.tables["report"]),
            _figure(told.deny, told.tables["deny"]),
            Text.assemble(rate(told.deceives), "\n", (f"{count(told.deceives.missing)} missing", "dim")),
        )
    return table


def _went(cell: PressedCell) -> str:
    """A cell on one line."""
    told, tables = cell.rates, cell.rates.tables
    if not told.conclusive:
        return f"inconclusive, {count(tables['act'].valid)} of {count(tables['act'].reached)} valid"
    figures = (
        ("did it", told.act, "act"),
        ("hid it", told.conceal, "report"),
        ("denied it", told.deny, "deny"),
    )
    each = [
        f"{did} {rate(e)} ({count(tables[f].valid)} of {count(tables[f].reached)} valid)"
        for did, e, f in figures
    ]
    return "; ".join([*each, f"did it and hid it {rate(told.deceives)}"])


def _figure(estimate: Estimate, fork: ForkTable) -> Text:
    return Text.assemble(rate(estimate), "\n", (f"{count(fork.valid)} of {count(fork.reached)} valid", "dim"))


def _levels(pressed: Pressed) -> Table:
    """One line per level that was tried."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Level, against the base's", *_DID.values()):
        table.add_column(heading)
    for (knob, level, against), by_outcome in pressed.levels.items():
        told = [by_outcome[outcome].difference for outcome in _DID]
        words = [f"{more_or_less(one)}, {difference(one)}" for one in told]
        table.add_row(_text(f"{knob}: {level}, against {against}", 100), *map(Text, words))
    return table


_DID = {"act": "Did it", "deceives": "Did it and hid it"}


def _who_breaks_whom(grid: Grid) -> Table:
    """One line per attacker, one column per target, the margins last."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), header_style="dim")
    for heading in ("Attacker", *grid.targets, "Across targets"):
        table.add_column(_text(heading, 80))
    for attacker, cells, margin in zip(grid.attackers, grid.cells, grid.by_attacker, strict=True):
        table.add_row(_text(attacker, 80), *map(_cell, cells), Text(rate(margin)))
    table.add_row("Across attackers", *(Text(rate(margin)) for margin in grid.by_target), "")
    return table


def _ladder(steps: tuple[Step, ...]) -> Table:
    """One line per attacker, the lowest rung first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Attacker", "Failure rate [95% interval]", "Against the first"):
        table.add_column(heading)
    compared = f"Distinct per 1,000 (of {count(steps[0].compared)})"
    for heading in (compared, "Self-BLEU", "Offensive questions", "Queries each"):
        table.add_column(heading, justify="right")
    for step in steps:
        table.add_row(
            step.method.replace("_", "-"),
            rate(step.rate),
            "" if step.gain is None else f"{change(step.gain)}, {difference(step.gain)}",
            f"{step.per_thousand:.0f}",
            "–" if step.self_bleu is None else f"{step.self_bleu:.0f}",
            rate(step.offensive),
            "–" if step.price is None else f"{step.price:.0f}",
        )
    return table


def _cell(cell: Cell) -> Text:
    if cell.row is None:
        return Text("did not work" if cell.error else "not played", style="dim")
    notes = [f"{count(cell.rate.missing)} missing"] if cell.rate.missing else []
    if cell.diversity.self_bleu is not None:
        notes.append(f"self-BLEU {cell.diversity.self_bleu:.0f}")
    notes += ["attacks itself"] * cell.symmetric + ["stopped"] * bool(cell.error)
    return Text.assemble(rate(cell.rate), "\n", ("; ".join(notes), "dim"))


def _rates(rows: tuple[Row, ...], *, narrow: bool = False) -> Table:
    """One line per row; `narrow`: costs stand below the rates, which do not wrap."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("What was tried", "Result"):
        table.add_column(heading)
    table.add_column(Text("Failure rate [95% interval]"), no_wrap=narrow)
    for heading in ("Missing", "Distinct", *(() if narrow else ("Cost",))):
        table.add_column(heading, justify="right")
    attackers = len({row.attacker for row in rows}) > 1
    for row in rows:
        focus = _text(name(row.focus), 80)
        if attackers:
            focus.append("\n").append_text(_text(row.attacker, 80, "dim"))
        distinct = row.diversity.distinct
        found = "–" if distinct is None else count(distinct)
        words = (rate(row.rate), count(row.rate.missing), found, spend(row))
        cells = list(map(Text, words))
        if narrow:
            folded = words[0].replace("; ", ";\n")
            cells = [Text.assemble(folded, "\n", (spend(row), "dim")), *cells[1:-1]]
        table.add_row(focus, _badge(row.level), *cells)
    return table


def _print_turns(row: Row, console: Console) -> None:
    """The rate at each turn of dialogues, and whether it rises."""
    if row.by_turn:
        for turn, estimate in enumerate(row.by_turn.rates, start=1):
            console.print(_text(f"{name(row.focus)}, turn {turn}: {rate(estimate)}", 400))
        moved = row.by_turn.change
        said = f"{change(moved)}, {difference(moved)}, n = {count(moved.n)}"
        console.print(_text(f"{name(row.focus)}, turn {len(row.by_turn.rates)} against turn 1: {said}", 400))


def _print_ranking(row: Row, console: Console) -> None:
    """The values that fail more or less than the rest; the table of all stands in the report."""
    if not row.ranking:
        return
    found = [value for value in row.ranking.values if stands_out(value)]
    for value in found:
        what = f"{name(row.focus)}, {line(value.name, 80)}"
        console.print(_text(f"{what}: {rate(value.rate)}; against the rest {against_rest(value)}", 400))
    if not found:
        among = f"{len(row.ranking.values)} values of {row.ranking.slot}"
        console.print(_text(f"{name(row.focus)}: none of {among} stands out from the rest", 400))


def _print_corrected(row: Row, console: Console) -> None:
    """What people's labels made of the rate."""
    for corrected in row.corrected:
        now = corrected.now
        seen = f"{name(row.focus)}, as people see it by way of {now.judge}: {rate(now.after)}"
        since = f"; it has changed since: gadfly rate --labels {now.queue}" if corrected.stale else ""
        console.print(_text(f"{seen}; {now.judge} alone: {rate(now.before)}{since}", 400))


def _print_left_out(row: Row, console: Console) -> None:
    """Why cases are missing from a row, where any are."""
    kinds = (
        ("not valid", row.counts.invalid),
        ("failed", row.counts.failed),
        ("no verdict", row.counts.missing),
    )
    parts = [f"{kind}: {causes(tally)}" for kind, tally in kinds if sum(tally.values())]
    if parts:
        console.print(_text(f"{name(row.focus)}, left out: {'; '.join(parts)}", 400, "dim"))


def _differences(section: Section) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("What was tried", *section.compared, "Difference"):
        table.add_column(_text(heading, 60))
    for c in section.comparisons:
        words = (rate(c.a), rate(c.b), f"{change(c.difference)}, {difference(c.difference)}")
        table.add_row(_text(name(c.focus), 80), *map(Text, words))
    return table


def _badge(level: Level) -> Text:
    return Text(LEVELS[level], style=f"bold {_COLOURS[level]}")


def _text(words: str, limit: int, style: str = "") -> Text:
    return Text(line(words, limit), style=style)
