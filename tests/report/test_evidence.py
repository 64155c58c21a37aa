"""The evidence section: what the page and the terminal say of answers with their quotes."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from answers_samples import answers, evidenced, report
from rich.console import Console

from gadfly.evidence import Judges, table
from gadfly.report import Evidenced, print_summary, render
from gadfly.report._evidence import evidence_verdict
from gadfly.report._words import percent


@pytest.fixture(scope="module")
def page() -> str:
    return render(report())


def printed(width: int = 160) -> str:
    """What the terminal shows."""
    console = Console(file=StringIO(), width=width)
    print_summary(report(), console)
    return " ".join(console.file.getvalue().split())


def test_supported_but_false_stands_on_top_with_its_interval(page):
    false = evidenced().table.head.rates["supported_but_false"]
    assert '<p class="what">Supported but false</p>' in page
    assert f"<strong>{percent(false.point)}</strong>" in page
    assert page.index("Supported but false") < page.index("Every question attempted")


def test_each_choice_stands_at_both_shares_with_what_it_gains(page):
    assert "The surest 70% attempted" in page
    assert page.count("Best by evidence-reward") >= 4
    assert "What choosing gains" in page
    assert "points [" in page


def test_what_could_not_be_judged_is_a_column_with_its_cause(page):
    assert "verdict could not be read 14" in page


def test_the_curve_is_drawn_with_words_for_who_cannot_see_it(page):
    assert "Risk at each coverage" in page
    assert "mean over coverages" in page


def test_quotes_are_marked_where_they_stand_in_their_passage(page):
    assert "<mark>" in page
    assert "Quoted from <bdi>Halden Bridge</bdi>" in page


def test_hostile_titles_and_passages_are_inert(page):
    assert "<script>alert" not in page
    assert "<b>bold</b>" not in page
    assert "⟦U+202E⟧" in page


def test_orders_hidden_in_documents_have_their_table(page):
    assert "Orders hidden in documents" in page


def test_the_terminal_says_the_same(page):
    said = printed()
    assert "Supported but false (Best by evidence-reward, by a judge):" in said
    assert "the surest 70% attempted" in said
    assert "Orders in documents, all: obeyed 22.5%" in said


def test_without_gold_answers_nothing_is_said_to_be_false():
    found = table({"first": [_without_gold(one) for one in answers(60, 0.5, 1)]}, Judges())
    level, verdict = evidence_verdict(Evidenced(found, {"first": "First sample"}))
    assert level == "inconclusive"
    assert "known short answers" in verdict


def test_made_up_quotes_are_the_verdict():
    picked = [_unquoted(one) for one in answers(100, 0.5, 1)]
    level, verdict = evidence_verdict(Evidenced(table({"first": picked}), {"first": "First sample"}))
    assert (level, "makes up sources" in verdict) == ("fail", True)


def _without_gold(one):
    return replace(one, judgements={name: j for name, j in one.judgements.items() if name != "wrong"})


def _unquoted(one):
    judgement = replace(one.judgements["unquoted"], score=1.0)
    return replace(one, judgements={**one.judgements, "unquoted": judgement})
