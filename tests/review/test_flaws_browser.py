"""Looking for flaws in a real browser: by keyboard, with hostile statements, on a phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flaw_samples import payloads
from playwright.sync_api import Browser, expect
from test_browser import HOSTILE, PHONE, RESTED_MS, Sit, votes
from test_browser import sit as sit

KIND: dict[str, Any] = {"kind": "flaw", "question": "", "guidelines": ""}
LONG = "The log says that the bird eats seeds in summer; what is said of snails is of another season. " * 3


def test_a_statement_and_its_flaw_are_two_keys(sit: Sit, tmp_path: Path) -> None:
    seat = sit(payloads(tmp_path, 2), spec=KIND)
    seat.page.wait_for_timeout(RESTED_MS)
    seat.press("3")
    seat.answered("f")
    seat.page.get_by_role("radio", name="Statement 2").check()
    seat.answered("s")
    seat.answered("n")
    seat.answered("c")
    expect(seat.page.get_by_role("heading", name="All done, thank you")).to_be_focused()
    said = [(one.answer.value, one.answer.rule) for one in votes(seat)]
    assert said == [("3", 1), ("2", 4), ("none", None), ("cannot_tell", None)]
    assert seat.noise == []


def test_a_kind_of_flaw_asks_for_a_statement_first(sit: Sit, tmp_path: Path) -> None:
    seat = sit(payloads(tmp_path), spec=KIND)
    seat.page.wait_for_timeout(RESTED_MS)
    seat.press("m")
    expect(seat.page.locator("input:invalid")).to_have_count(4)
    assert votes(seat) == []
    seat.press("1")
    seat.answered("m")
    assert [(one.answer.value, one.answer.rule) for one in votes(seat)] == [("1", 2)]


@pytest.mark.parametrize("viewport", [PHONE, {"width": 320, "height": 640}, {"width": 1280, "height": 860}])
def test_hostile_statements_are_inert_and_nothing_is_wider_than_the_window(
    sit: Sit, tmp_path: Path, viewport: dict[str, int]
) -> None:
    hostile = payloads(
        tmp_path, words=HOSTILE[:3_000], question="Question 0 " + HOSTILE[:1_000], title=HOSTILE[:300]
    )
    seat = sit(hostile, spec=KIND, viewport=viewport)
    seat.press("o")
    said = seat.page.locator("#item").text_content() or ""
    assert "<script>alert(1)" in said and "\u202e" not in said
    assert (
        seat.page.locator("#item :is(script, img, iframe, style, form, input, a, base, h1, [hx-get])").count()
        == 0
    )
    assert seat.wider_than_the_window() <= 0
    assert seat.noise == []


def test_on_a_phone_what_is_read_fills_the_window_and_the_answer_comes_after_it(
    sit: Sit, tmp_path: Path
) -> None:
    seat = sit(payloads(tmp_path, words=LONG), spec=KIND, viewport=PHONE)
    seat.page.wait_for_timeout(RESTED_MS)
    expect(seat.page.locator("#answer")).not_to_be_in_viewport()
    seat.page.get_by_role("radio", name="Statement 3").check()
    seat.page.get_by_role("button", name="Misleading").click()
    expect(seat.page.get_by_text("Item 2", exact=True)).to_be_visible()
    assert [(one.answer.value, one.answer.rule) for one in votes(seat)] == [("3", 2)]


def test_without_scripts_the_form_is_whole(browser: Browser, sit: Sit, tmp_path: Path) -> None:
    seat = sit(payloads(tmp_path), spec=KIND, java_script_enabled=False)
    seat.page.get_by_role("radio", name="Statement 4").check()
    seat.page.get_by_role("button", name=re.compile("Unanswered point")).click()
    assert [(one.answer.value, one.answer.rule) for one in votes(seat)] == [("4", 3)]
