"""The terminal says the page's numbers, and a model cannot speak to the terminal."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import replace

from report_samples import audit, compared, edges, hostile, one, rows
from rich.console import Console

from gadfly.report import Report, Section, print_summary
from gadfly.report._words import rate


def printed(report: Report, *, colour: bool = False, width: int = 200) -> str:
    out = io.StringIO()
    print_summary(report, Console(file=out, width=width, force_terminal=colour, no_color=not colour))
    return out.getvalue()


def test_the_terminal_says_the_same_rates_as_the_page() -> None:
    words = printed(audit())
    assert all(rate(row.rate) in words for row in rows())
    assert "This model claims to be a person" in words


def test_the_terminal_says_what_was_left_out_and_why() -> None:
    assert "Persona, left out: not valid: no question was asked 60" in printed(audit())


def test_hostile_text_sends_nothing_to_the_terminal() -> None:
    words = printed(hostile())
    assert not {c for c in words if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs")}
    assert "⟦U+001B⟧" in words


def test_brackets_a_model_wrote_are_not_read_as_markup() -> None:
    report = Report("[red]t[/red]", "[/]", "[link=x]v[/link]", "warn")
    assert "[red]t[/red]" in printed(report, colour=True) and "[/]" in printed(report)


def test_a_comparison_prints_its_interval_and_what_it_amounts_to() -> None:
    assert "fewer failures, −18.7 points [−21.6, −15.8]" in printed(compared())


def test_every_shape_of_report_prints_even_on_a_narrow_terminal() -> None:
    assert all(printed(report, width=60) for report in edges().values())


def test_a_rate_stays_on_one_line_of_80_columns() -> None:
    shown = printed(audit(), width=80).splitlines()
    assert all(len(line.rstrip()) <= 80 for line in shown)
    for words in (part for row in rows() for part in re.split(r"(?<=;) ", rate(row.rate))):
        assert any(words in line for line in shown), words


def test_an_attacker_is_named_as_on_the_page() -> None:
    words = printed(compared_attackers())
    assert "zero-shot by itself" in words and "by zero-shot" not in words


def compared_attackers() -> Report:
    first, second = (replace(rows()[0], attacker=f"{how} by itself") for how in ("zero-shot", "few-shot"))
    return one(Section("s", "", (first, second)))
