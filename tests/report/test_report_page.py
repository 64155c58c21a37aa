"""The page as text: whole, self-contained, the same twice, and written all or nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_samples import ATTACKS, SOUP, audit, compared, edges, hostile, one, rows

from gadfly.errors import StoreError
from gadfly.pages import Chart
from gadfly.report import Counts, Report, Section, render, write

VOID = {"meta", "link", "br", "wbr", "input", "path", "line", "rect", "circle"}
FETCHES = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "background", "formaction"}


class Page(HTMLParser):
    """A strict reading: every tag closes in order, and each attribute is kept."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


EDGES = edges()


@pytest.mark.parametrize("sample", EDGES)
def test_every_shape_of_report_parses_and_fetches_nothing(sample: str) -> None:
    page = Page(render(EDGES[sample]))
    for tag, key, value in page.attributes:
        assert key not in FETCHES or value.startswith("#") or (tag, value) == ("link", "data:,")
        assert not key.startswith("on") and key not in ("style", "xmlns")


@pytest.mark.parametrize("sample", EDGES)
def test_ids_are_unique_and_links_lead_somewhere(sample: str) -> None:
    page = Page(render(EDGES[sample]))
    ids = [value for _, key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, key, value in page.attributes if key == "href" and value[0] == "#"} <= set(ids)


def test_hostile_text_adds_no_tag() -> None:
    samples = (audit(), compared(), EDGES["matrix"])
    tame = {tag for sample in samples for tag, *_ in Page(render(sample)).attributes}
    assert {tag for tag, _, _ in Page(render(hostile())).attributes} <= tame


def test_hostile_text_is_shown_in_full() -> None:
    text = Page(render(hostile())).text
    assert all(attack in text for attack in ATTACKS[:7])


def test_the_policy_allows_only_this_files_own_style_and_script() -> None:
    html = render(hostile())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy and "default-src 'none'" in policy[1] and "unsafe" not in policy[1]
    for tag in ("style", "script"):
        [inner] = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_no_sheet_or_chart_asks_for_a_url() -> None:
    html = render(audit())
    assert not re.search(r"url\(|@import|https?://", html)


def test_the_same_report_gives_the_same_page() -> None:
    assert render(audit()) == render(audit())


def test_a_usual_report_is_small() -> None:
    assert len(render(audit()).encode()) < 150_000


def test_a_report_says_what_was_run_and_how_to_do_it_again() -> None:
    text = Page(render(audit())).text
    for words in (
        "gadfly audit gadfly/smollm2 --cases 2000",
        "20260712-0914-audit",
        "4 min 12 s",
        "torch 2.8.0",
    ):
        assert words in text


def test_every_percentage_on_the_page_stands_with_an_interval_or_is_an_axis() -> None:
    shown = re.sub(
        r"<(svg|style|script|caption|section class=\"methods\").*?</\1?.*?>",
        "",
        render(audit()),
        flags=re.DOTALL,
    )
    for cell in re.findall(r'<span class="rate">(.*?)</span>\s*(?:</td|<svg|</summary)', shown, re.DOTALL):
        assert "%" not in cell or "[" in cell or "could still be" in cell


def test_missing_and_failed_cases_stand_with_their_causes() -> None:
    lost = Page(render(edges()["missing"])).text
    assert "call to the judge failed 1,988" in lost
    assert "server not reachable 12" in lost
    assert "No verdicts" in lost


def test_counts_add_up_to_the_verdicts() -> None:
    assert Counts(10, 7, {"no_question": 3}, {}, {"no_parse": 2}).judged == 5


def test_a_funnels_threshold_is_said_to_send_on_and_not_to_decide() -> None:
    funnel = render(one(Section("s", "", rows()[:1])))
    assert "a score of 0.2 or more goes on to model_judge, which decides" in funnel
    assert "counts as a failure</dd>" not in funnel


def test_a_chart_carries_its_words_and_swallows_hostile_ones() -> None:
    values = [{"x": attack, "y": i} for i, attack in enumerate(ATTACKS)]
    encoding = {
        "x": {"field": "x", "type": "nominal", "title": SOUP},
        "y": {"field": "y", "type": "quantitative"},
    }
    chart = Chart(SOUP, SOUP, {"data": {"values": values}, "mark": "bar", "encoding": encoding})
    html = render(one(Section("s", "", charts=(chart,))))
    Page(html)
    assert html.count("<script") == 1 and html.count("<desc ") == 2


def test_one_point_makes_no_chart() -> None:
    assert "<figure" not in render(one(Section("s", "", rows()[:1])))


def test_a_report_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = write(audit(), tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == render(audit())
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"could not be written to .*another place with --output"):
        write(audit(), tmp_path / "file" / "report.html")


def test_a_report_of_nothing_says_so() -> None:
    assert "holds no results yet" in render(Report("t", "m", "Nothing was run.", "inconclusive"))
