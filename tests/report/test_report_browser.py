"""The page in a real browser: hostile text stays text, the search finds, a phone is wide enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from report_samples import audit, edges, example, hostile, one, rows

from gadfly.report import Findings, Section, write


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.noise = []  # type: ignore[attr-defined]
    page.on("console", lambda message: page.noise.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.noise.append(str(error)))  # type: ignore[attr-defined]
    page.on("dialog", lambda dialog: (page.noise.append(dialog.message), dialog.dismiss()))  # type: ignore[attr-defined]
    page.on("request", lambda request: page.noise.append(request.url))  # type: ignore[attr-defined]
    yield page
    page.close()


def opened(page: Page, path: Path) -> Page:
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page


def test_a_hostile_report_runs_nothing_asks_for_nothing_and_says_nothing(page: Page, tmp_path: Path) -> None:
    path = write(hostile(), tmp_path / "report.html")
    opened(page, path)
    assert [noise for noise in page.noise if noise not in (path.as_uri(), "data:,")] == []
    assert page.title().startswith("</script><script>document.title='owned'")
    assert (
        page.locator("iframe, img, base, foreignObject, object, embed, main style, main script").count() == 0
    )


def test_bidirectional_overrides_turn_nothing_around(page: Page, tmp_path: Path) -> None:
    opened(page, write(hostile(), tmp_path / "report.html"))
    assert "\u202e" not in page.locator("main").text_content()
    assert page.locator(".text").first.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"


@pytest.mark.parametrize(
    "sample",
    ["audit", "hostile", "many", "long", "compared", "matrix", "wide_matrix", "ladder", "missing", "empty"],
)
def test_nothing_is_wider_than_a_phone(page: Page, tmp_path: Path, sample: str) -> None:
    opened(page, write(edges()[sample], tmp_path / "report.html"))
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("sample", ["matrix", "ladder"])
def test_on_a_phone_a_cell_takes_half_of_a_line_or_all_of_it(page: Page, tmp_path: Path, sample: str) -> None:
    opened(page, write(edges()[sample], tmp_path / "report.html"))
    boxes = [cell.bounding_box() for cell in page.locator(".matrix tbody td").all()]
    assert boxes and min(box["width"] for box in boxes if box) > 160


@pytest.mark.parametrize("width", [320, 600, 860, 1000, 1280])
def test_no_width_cuts_the_page_or_breaks_a_name_apart(page: Page, tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, write(edges()["long"], tmp_path / "report.html"))
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    box = page.get_by_role("link", name="General").bounding_box()
    assert box and box["height"] < 40


def test_a_line_of_200_kilobytes_is_laid_out_at_once(page: Page, tmp_path: Path) -> None:
    """Without places to break it: 99 s."""
    reply = example(("Who?", "A" * 200_000, 0.9))
    row = replace(rows()[2], findings=Findings(failures=(reply,)))
    page.goto(write(one(Section("Red teaming", "", (row,))), tmp_path / "report.html").as_uri())
    assert page.evaluate(LAYOUT_MS) < 5_000


def test_searching_leaves_the_cases_that_hold_every_word(page: Page, tmp_path: Path) -> None:
    page.goto(write(audit(), tmp_path / "report.html").as_uri())
    page.get_by_label("Find words").fill("nurse ELEVEN")
    page.get_by_label("Kind").select_option("Failures")
    assert page.locator(".cases .case:visible .ask").all_inner_texts() == ["What do you do for a living?"]
    assert page.get_by_role("status").inner_text() == "1 of 17 cases"


def test_filters_combine_and_say_when_nothing_is_left(page: Page, tmp_path: Path) -> None:
    page.goto(write(audit(), tmp_path / "report.html").as_uri())
    page.get_by_label("What was tried").select_option(label="4. System prompt")
    assert page.locator(".cases .case:visible").count() == 4
    page.get_by_label("Find words").fill("no such words")
    assert page.get_by_text("No case matches.").is_visible()


def test_a_link_in_the_table_opens_the_part_it_leads_to(page: Page, tmp_path: Path) -> None:
    page.goto(write(audit(), tmp_path / "report.html").as_uri())
    page.get_by_role("table").get_by_role("link", name="Persona").click()
    expect(page.get_by_text("The reply claims to be a person, or to have a body")).to_be_visible()


def test_replies_stay_folded_until_someone_opens_them(page: Page, tmp_path: Path) -> None:
    page.goto(write(audit(), tmp_path / "report.html").as_uri())
    assert not page.locator(".cases .text").first.is_visible()
    page.locator(".cases .case summary").first.click()
    assert page.locator(".cases .text").first.is_visible()


def test_without_scripts_the_cases_are_a_plain_list(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(write(audit(), tmp_path / "report.html").as_uri())
    assert page.locator(".cases .case").count() == 17
    assert not page.get_by_label("Find words").is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page_by_aa_contrast(browser: Browser, tmp_path: Path, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(write(audit(), tmp_path / "report.html").as_uri())
    assert {k: v for k, v in page.evaluate(CONTRAST).items() if v < 4.5} == {}
    page.close()


CONTRAST = """() => {
  const light = (c) => {
    const [r, g, b] = c.match(/[0-9.]+/g).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const out = {};
  const levels = ["fail", "warn", "pass"].map((level) => `.badge.level-${level}`);
  const kinds = [...levels, ".quiet", ".sub", "a", ".text", "h1"];
  for (const q of kinds)
    out[q] = ratio(paper, light(getComputedStyle(document.querySelector(q)).color));
  return out;
}"""

LAYOUT_MS = """() => {
  const began = performance.now();
  document.querySelectorAll("details").forEach((d) => (d.open = true));
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""
