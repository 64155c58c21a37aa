"""The comparison of protocols in a terminal: the same figures as on the page, every text made visible first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TypeGuard

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gadfly.debate import DebateLine, DebateTable
from gadfly.pages import line
from gadfly.report._debated import Debated
from gadfly.report._words import amount, causes, count, difference, more_or_less, name, rate, signed
from gadfly.stats import Estimate
from gadfly.words import plural

__all__ = ["HELPED", "Figures", "believed_rows", "effort_rows", "print_debate", "print_fitting", "sure_rows"]

HELPED = {"better": "clearly better", "worse": "clearly worse", "unclear": "no clear change", None: ""}
"""What a protocol does to the judge, for all protocols looked at together."""

NARROW = 21
"""Characters of a cell where a table is wider than the terminal."""

TO_READ = 6
"""Errors that are named in the terminal."""

Figures = tuple[str, Mapping[str, str]]
"""A figure's heading, and its words by protocol; a protocol of which there is no such thing is left out."""


def print_debate(shown: Debated, console: Console) -> None:
    """Accuracy first, then whom the judge believes, how sure it is, and what it takes."""
    table = shown.table
    print_fitting((_accuracy(table, False), _accuracy(table, True)), _one_by_one(table), console)
    for heading, rows in (
        ("Whom the judge believes", believed_rows(table)),
        ("How sure it is", sure_rows(table)),
        ("What a case takes, on average", effort_rows(table)),
    ):
        if rows:
            console.print()
            wide, narrow = (_figures(heading, rows, table, fold) for fold in (False, True))
            print_fitting((wide, narrow), _listed(heading, rows), console)
    for kind, read in shown.kinds.items():
        if read[0].error:
            cases = ", ".join(f"{one.case_id} ({one.protocol.replace('_', ' ')})" for one in read[:TO_READ])
            console.print(_text(f"{kind}, to read: {cases}", 600, "dim"))


def print_fitting(tables: Sequence[Table], lines: Sequence[Text], console: Console) -> None:
    """The first of the tables that fits, else the figures line by line."""
    unbounded = console.options.update(width=10_000)
    for table in tables:
        if console.measure(table, options=unbounded).maximum <= console.width:
            console.print(table)
            return
    for words in lines:
        console.print(words)


def _accuracy(table: DebateTable, fold: bool) -> Table:
    base = table.first.name
    against = "Against the judge alone" if table.alone else f"Against {base.replace('_', ' ')}"
    headings = ("Protocol", "Right [95% interval]", "Missing", "Decided by rule", against)
    found = _table(*(_fit(heading, fold) for heading in headings))
    for one in table.lines:
        gain = one.gains.get(base)
        cells = (
            (rate(one.accuracy), f"without those by rule {rate(one.judged)}" if one.rules else ""),
            (count(one.accuracy.missing), causes(one.causes)),
            (rate(one.by_rule) if one.protocol.seats else "nobody argues", causes(one.rules)),
            ("" if gain is None else difference(gain), _beside(one, base)),
        )
        texts = (
            Text.assemble(_fit(said, fold), (f"\n{_fit(note, fold).plain}" if note else "", "dim"))
            for said, note in cells
        )
        found.add_row(_fit(name(one.called), fold), *texts)
    return found


def _beside(one: DebateLine, base: str) -> str:
    """What stands beside a protocol's difference from the base."""
    notes, judged = [HELPED[one.helped]], one.judged_gains.get(base)
    if judged is not None and judged != one.gains[base]:
        notes.append(f"without those by rule {difference(judged)}")
    if base in one.gains and one.gains[base].missing:
        notes.append(f"{plural(one.gains[base].missing, 'case')} missing in either")
    if one.apart:
        notes.append("other people judged alone")
    return "; ".join(note for note in notes if note)


def _one_by_one(table: DebateTable) -> list[Text]:
    """The same, a line for each protocol."""
    base, said = table.first.name, []
    for one in table.lines:
        gain = one.gains.get(base)
        missing = f"{count(one.accuracy.missing)} missing" + (
            f" ({causes(one.causes)})" if one.causes else ""
        )
        broken = f" ({causes(one.rules)})" if one.rules else ""
        parts = [f"right {rate(one.accuracy)}", missing]
        if one.protocol.seats:
            parts.append(f"decided by rule: {rate(one.by_rule)}{broken}")
        if one.rules:
            parts.append(f"without those {rate(one.judged)}")
        if gain is not None:
            notes = _beside(one, base)
            parts.append(f"against {base} {difference(gain)}" + (f" ({notes})" if notes else ""))
        said.append(_text(f"{name(one.called)}: {'. '.join(parts)}", 900))
    return said


def _figures(heading: str, rows: Sequence[Figures], table: DebateTable, fold: bool) -> Table:
    """A line for each figure, a column for each protocol of which any is known."""
    lines = [one for one in table.lines if any(one.name in words for _, words in rows)]
    found = _table(*(_fit(words, fold) for words in (heading, *(name(one.called) for one in lines))))
    for figure, words in rows:
        found.add_row(*(_fit(cell, fold) for cell in (figure, *(words.get(one.name, "–") for one in lines))))
    return found


def _fit(words: str, fold: bool) -> Text:
    """The words on one line or, where they are to `fold`, on lines of `NARROW` characters that break no interval."""
    lines = [""]
    for piece in re.findall(r"\[[^\]]*\]\S*|n = \S+|\S+", line(words, 900)):
        longer = f"{lines[-1]} {piece}".strip()
        if fold and len(longer) > NARROW and lines[-1]:
            lines.append(piece)
        else:
            lines[-1] = longer
    return Text("\n".join(lines))


def _listed(heading: str, rows: Sequence[Figures]) -> list[Text]:
    said = [_text(heading, style="bold")]
    for figure, words in rows:
        each = "; ".join(f"{name(protocol).lower()} {value}" for protocol, value in words.items())
        said.append(_text(f"{figure}: {each}", 1_200))
    return said


# --- the figures, which the page shows too


def believed_rows(table: DebateTable) -> list[Figures]:
    """Whom the judge believes, as far as there is anybody to believe."""
    shares: tuple[tuple[str, str], ...] = (
        ("The honest side is believed", "honest"),
        ("The same where both sides argue and neither hedges", "certain"),
        ("The honest side wins, broken rules counted", "wins"),
        ("A false adviser alone is believed", "misled"),
        ("A lone adviser is believed, right or wrong", "follows"),
        ("The side that says more wins (verbosity bias)", "longer"),
        ("The side that speaks last wins", "last"),
        ("The side with more verified quotations wins", "quoting"),
        ("The side that hedges less wins", "surer"),
    )
    rows = [_row(table, words, attrgetter(f"believed.{key}"), rate) for words, key in shares]
    payoffs = (
        ("the honest side", "honest"),
        ("the false side", "false"),
        ("the judge, questions paid", "judge"),
    )
    for whose, side in payoffs:
        rows.append(_row(table, f"Payoff of {whose}", partial(_of, "payoffs", side), signed))
    return [row for row in rows if row[1]]


def sure_rows(table: DebateTable) -> list[Figures]:
    """How sure the judge is, and what it leans to."""
    rows = [
        _told(table, "Mean probability of the right answer", lambda one: one.confidence, rate),
        _told(table, "Of the wrong answer, when it decides for it", lambda one: one.when_wrong, rate),
        _told(table, "Brier score (0.25 knows nothing)", lambda one: one.calibration.said.brier, _brier),
        _told(table, "Brier score, recalibrated", _recalibrated, _brier),
        _told(
            table,
            "Prefers what is listed first (position bias), in log-odds",
            lambda one: one.leaning.position,
            signed,
        ),
        *(
            _row(
                table, f"Brier score of the {_seat(seat)}'s estimate", partial(_of, "estimates", seat), _brier
            )
            for seat in dict.fromkeys(seat for one in table.lines for seat in one.estimates)
        ),
        _row(table, "Verdict changes with the order of listing", lambda one: one.leaning.flips, rate),
        _row(table, "Believes the first side more than the second", lambda one: one.leaning.first, _leans),
        _row(table, "Decides for what is listed first (half: no preference)", _listed_first, rate),
    ]
    if any(one.even.point for one in table.lines):
        rows.append(_row(table, "Favours neither answer, counted as half right", lambda one: one.even, rate))
    return [row for row in rows if row[1]]


def effort_rows(table: DebateTable) -> list[Figures]:
    """What a case takes; nothing where nobody argues and no tokens are counted."""
    figures: tuple[tuple[str, Callable[[DebateLine], Estimate | None]], ...] = (
        ("Statements", lambda one: one.effort.statements),
        ("Words said", lambda one: one.effort.words),
        ("Quotations, verified", lambda one: one.effort.quotes),
        ("Quotations that are not in the document", lambda one: one.effort.unverified),
        ("Paid by the players, in points of 100", lambda one: one.effort.paid),
        ("Words that the judge hears or reads", lambda one: one.effort.read),
        ("Questions that it asks", lambda one: one.effort.questions),
        ("Questions and polls that it answers", lambda one: one.effort.asked),
        ("Seconds that a person takes", lambda one: one.effort.seconds),
    )
    rows = [
        _row(table, words, measure, _two if "Quot" in words else amount)
        for words, measure in figures
        if any(map(_taken, map(measure, table.lines)))
    ]
    seats = dict.fromkeys(seat for one in table.lines for seat in one.effort.tokens)
    rows += [
        _row(table, f"Tokens, {_seat(seat)}", partial(_of, "effort.tokens", seat), _whole) for seat in seats
    ]
    rows += [
        _row(table, f"US dollars, {_seat(seat)}", partial(_of, "effort.cost", seat), _dollars)
        for seat in seats
        if any(_taken(one.effort.cost.get(seat)) for one in table.lines)
    ]
    return [row for row in rows if row[1]]


def _row(
    table: DebateTable,
    words: str,
    measure: Callable[[DebateLine], Estimate | None],
    shown: Callable[[Estimate], str],
) -> Figures:
    found = {one.name: measure(one) for one in table.lines}
    return words, {protocol: shown(value) for protocol, value in found.items() if _known(value)}


def _told(
    table: DebateTable,
    words: str,
    measure: Callable[[DebateLine], Estimate | None],
    shown: Callable[[Estimate], str],
) -> Figures:
    """`_row` of a figure on probabilities, which says where the judge gave none at all."""
    _, known = _row(table, words, measure, shown)
    none = {one.name: "not available" for one in table.lines if one.untold and not one.told}
    return words, {**none, **known}


def _of(mapping: str, key: str, one: DebateLine) -> Estimate | None:
    found: Estimate | None = attrgetter(mapping)(one).get(key)
    return found


def _known(value: Estimate | None) -> TypeGuard[Estimate]:
    return value is not None and value.point is not None


def _taken(value: Estimate | None) -> bool:
    """Whether any of it was used up."""
    return _known(value) and not (value.point == value.high == 0)


def _recalibrated(one: DebateLine) -> Estimate | None:
    found = one.calibration.recalibrated
    return None if found is None else found.brier


def _listed_first(one: DebateLine) -> Estimate | None:
    return one.leaning.listed_first


def _brier(estimate: Estimate) -> str:
    return amount(estimate, 3)


def _two(estimate: Estimate) -> str:
    return amount(estimate, 2)


def _whole(estimate: Estimate) -> str:
    return amount(estimate, 0)


def _dollars(estimate: Estimate) -> str:
    missing = f", {count(estimate.missing)} without a known price" if estimate.missing else ""
    return f"{amount(estimate, 5)}{missing}"


def _leans(estimate: Estimate) -> str:
    return f"{difference(estimate)}, {more_or_less(estimate).lower()}"


def _seat(seat: str) -> str:
    return line(seat.replace("_", " "), 40)


def _table(*headings: Text) -> Table:
    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        found.add_column(heading)
    return found


def _text(words: str, limit: int = 200, style: str = "") -> Text:
    return Text(line(words, limit), style=style)
