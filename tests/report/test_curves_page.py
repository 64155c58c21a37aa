"""The page of learning curves: what it says came of them, and that nothing in it acts."""

import numpy as np
import pytest

from gadfly.judges import AUROC, LOG_LOSS, Curves
from gadfly.judges._curves import Setup
from gadfly.report import curve_rows, curves_page, curves_sentence, write_curves

UNIFORM = np.random.default_rng(0).normal([0.8, 0.85, 0.9], 0.01, (6, 3))


def curves(**gains):
    """Six seeds' curves of policies that differ from uniform by this much and a little chance."""
    rng = np.random.default_rng(1)
    drawn = {name: UNIFORM + rng.normal(0, 0.002, UNIFORM.shape) + gain for name, gain in gains.items()}
    values = {name: {"AUROC": v, "log loss": 1 - v} for name, v in {"uniform": UNIFORM, **drawn}.items()}
    return Curves(Setup(200, 100, 60, (20, 40, 60)), (AUROC, LOG_LOSS), values)


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ({}, "Only uniform drawing was tried."),
        ({"a": 0.0}, "No policy was seen to teach more than uniform drawing."),
        ({"a": -0.03, "b": 0.0}, "than uniform drawing. Worse than uniform: a."),
        ({"a": 0.02, "b": 0.03, "c": -0.03}, "Choosing by b teaches more than uniform drawing: AUROC +0.0"),
        ({"a": 0.02, "b": 0.03, "c": -0.03}, "So do a. Worse than uniform: c."),
    ],
)
def test_it_says_in_a_sentence_what_came_of_choosing(gains, said):
    assert said in curves_sentence(curves(**gains))


def test_a_lower_loss_is_better():
    verdicts = {row.policy: row.verdict for row in curve_rows(curves(good=0.03, bad=-0.03), LOG_LOSS)}
    assert verdicts["good"].startswith("better") and verdicts["bad"].startswith("worse")
    assert verdicts["uniform"] == ""


def test_labels_that_never_sufficed_are_counted():
    rows = {row.policy: row for row in curve_rows(curves(bad=-0.2), AUROC)}
    assert "never in 6 of 6 seeds" in rows["bad"].labels[0] and rows["bad"].labels[0].startswith(
        "80, uniform"
    )


def test_every_policy_has_a_chart_and_a_row_for_each_metric():
    page = curves_page(curves(a=0.02, b=0.0), {"Learner": "fitted"})
    assert page.count("<figure") == 2 and page.count('scope="row">a<') == 2


def test_a_hostile_name_stays_text():
    page = curves_page(curves(**{"<script>alert(1)</script>\u202e": 0.02}), {"<b>": "\u202e</dd>"})
    assert "<script" not in page and "\u202e" not in page and "<b>" not in page


@pytest.mark.parametrize("width", [320, 700, 1000, 1280])
def test_no_width_cuts_the_page(browser, tmp_path, width):
    path = write_curves(curves(a=-0.2, **{"uniform:0.5+epistemic:0.5!": 0.02}), tmp_path / "c.html", {})
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()
