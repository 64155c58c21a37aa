"""Text and numbers: whatever a model wrote is inert, and no rate goes out without its interval."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import ATTACKS, estimate, rows

from gadfly.pages import CLIP, KEEP, line, said, visible
from gadfly.report._words import (
    causes,
    change,
    difference,
    duration,
    money,
    name,
    percent,
    rate,
    scale,
    tokens,
)
from gadfly.stats import Estimate

SOUPS = st.lists(st.sampled_from(ATTACKS)).map(lambda parts: "".join(parts)[:2_000])  # longer ones are folded
TEXTS = st.text(st.characters(), max_size=200) | SOUPS
ACTING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


class Reader(HTMLParser):
    """What a browser would take a fragment for: its text, and its tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags = "", []
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))


@given(TEXTS)
def test_any_text_comes_back_from_html_as_the_visible_text_and_nothing_else(text: str) -> None:
    read = Reader(str(said(text)))
    assert read.text == visible(text)
    assert set(read.tags) <= {("span", (("class", "hidden-char"),)), ("wbr", ())}


@given(TEXTS)
def test_visible_text_holds_nothing_that_acts(text: str) -> None:
    kept = set(visible(text)) - set("\n\t")
    assert not {char for char in kept if unicodedata.category(char) in ACTING}
    visible(text).encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="⠀ᅟᅠㅤﾠ⟦"), max_size=80))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert visible(text) == text


@given(st.text('ab<>&" \n', max_size=40), st.text("ab<&", max_size=3))
def test_marking_evidence_adds_marks_and_changes_no_word(text: str, evidence: str) -> None:
    read = Reader(str(said(text, (evidence, text[2:5]))))
    assert read.text == text
    assert {tag for tag, _ in read.tags} <= {"mark"}
    assert not evidence or evidence not in text or read.tags


@given(st.text("ab<&'\"é⟦ \n\u202e", max_size=30), st.integers(1, 80), st.text("ab<", max_size=2))
def test_places_to_break_a_line_change_no_letter_and_leave_no_run_unbroken(
    text: str, times: int, evidence: str
) -> None:
    html = str(said(text * times, (evidence,)))
    assert Reader(html).text == visible(text * times)
    assert not re.search(r"[^\s<>&]{2000}", re.sub(r"<(?!wbr)[^>]*>", "", html))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202egnp", "⟦U+202E⟧gnp"),
        ("\x1b[31m", "⟦U+001B⟧[31m"),
        ("\u200b" * 500, "⟦U+200B ×500⟧"),
        ("\ud800", "⟦U+D800⟧"),
        ("\U000e0041", "⟦U+E0041⟧"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("e\u0301", "e\u0301"),
        ("Z" + "\u0301" * 9, "Z⟦U+0301 ×9⟧"),
    ],
)
def test_acting_characters_show_as_markers(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_text_folds_and_keeps_every_character() -> None:
    read = Reader(str(said("x" * 200_000)))
    assert "Show all 200,000 characters" in read.text
    assert read.text.count("x") == 200_000


def test_a_text_too_long_for_any_page_says_what_it_leaves_out() -> None:
    assert "… 7 further characters are kept in the run." in said("x" * (KEEP + 7))
    assert "<details" not in said("x" * CLIP)


def test_a_line_is_one_line_and_no_longer_than_asked() -> None:
    assert line("a\n\n b\x00" + "c" * 50, 12) == "a b⟦U+0000⟧…"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**7))
def test_a_rate_never_goes_without_a_bound_and_an_n(a: float, b: float, c: float, n: int) -> None:
    low, point, high = sorted((a, b, c))
    words = rate(Estimate(point, low, high, n, n))
    assert n == 0 or f"{n:,}" in words
    assert "[" in words or "could still be" in words or words == "no verdicts"


def test_none_seen_says_how_high_it_could_still_be() -> None:
    assert rate(Estimate(0.0, 0.0, 0.0021, 1912, 1912)) == "none seen in 1,912; could still be up to 0.2%"


def test_all_seen_says_how_low_it_could_still_be() -> None:
    assert rate(Estimate(1.0, 0.929, 1.0, 50, 50)) == "all of 50; could still be as low as 92.9%"


def test_an_interval_of_another_level_says_which() -> None:
    assert rate(Estimate(0.5, 0.4, 0.6, 9, 9, level=0.9)) == "50.0% [40.0%, 60.0%] (90.0% interval), n = 9"


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0%"), (1, "100%"), (0.00004, "0.004%"), (0.99996, "99.996%"), (0.0613, "6.1%")]
)
def test_a_percentage_never_rounds_to_none_or_all(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.2, "more failures"), (-0.2, -0.1, "fewer failures"), (-0.1, 0.1, "no clear change")],
)
def test_a_difference_is_read_by_its_interval(low: float, high: float, words: str) -> None:
    both = Estimate((low + high) / 2, low, high, 10, 10)
    assert change(both) == words
    assert "points [" in difference(both)


def test_nothing_to_compare_says_so() -> None:
    nothing = estimate(None, 0, 0, 5)
    assert (rate(nothing), difference(nothing), change(nothing)) == (
        "no verdicts",
        "no verdicts to compare",
        "not known",
    )


def test_quantities_read_as_people_say_them() -> None:
    assert [tokens(n) for n in (812, 41_240, 999_700, 3_100_000)] == ["812", "41.2 k", "1 M", "3.1 M"]
    assert [money(d) for d in (0, 0.00042, 12.3, 1234.5)] == ["$0.00", "$0.00042", "$12.30", "$1,234.50"]
    assert [duration(s) for s in (48.2, 252, 11_100)] == ["48 s", "4 min 12 s", "3 h 5 min"]


def test_causes_are_in_words_and_most_frequent_first() -> None:
    assert causes({"timeout": 2, "odd_cause": 9, "no_parse": 0}) == "odd cause 9, no answer in time 2"


def test_names_and_scales_suit_a_reader() -> None:
    assert name("contact_details") == "Contact details"
    assert scale(r.rate for r in rows()) == 0.8
    assert scale(()) == 1.0
