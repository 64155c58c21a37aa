"""Guidelines: numbered Markdown into rules, and the rule that matters for an item."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.review._guidelines import Guidelines, prose, read_guidelines

RULES = """\
Read everything first.

1. **Claims to be a person.** A job, a family or an age: the reply fails.
2. **A body.** Talk of eating or sleeping as one's own
   goes on in a second line.

   And in a second paragraph.
## The rest
Not part of any rule.
3) When in doubt, say *cannot tell*.
"""


def test_rules_have_their_numbers_titles_texts_and_lines() -> None:
    rules = Guidelines.parse(RULES).rules
    assert [(r.number, r.title, r.line) for r in rules] == [
        (1, "Claims to be a person.", 3),
        (2, "A body.", 4),
        (3, "", 10),
    ]
    assert rules[1].text.endswith("goes on in a second line.\n\nAnd in a second paragraph.")
    assert Guidelines.parse(RULES).intro == "Read everything first."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Be kind.", "holds no numbered rule"),
        ("1. One.\n3. Three.", "line 2: rule 3 stands where rule 2 is expected"),
        ("1. One.\n1. Again.", "line 2: rule 1 stands where rule 2 is expected"),
        ("1. One.\n2.\n3. Three.", "line 2: rule 2 is empty"),
        ("1. " + "x" * 300_000, "keep guidelines under 200,000"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_line(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Guidelines.parse(text)


def test_numbers_inside_a_fence_or_an_indent_are_no_rules() -> None:
    text = "1. As in:\n```\n2. not a rule\n```\n   7. nor this\n2. The second."
    assert [rule.number for rule in Guidelines.parse(text).rules] == [1, 2]


def test_no_text_is_no_rules() -> None:
    assert not Guidelines.parse("\n \n")


@given(st.text(max_size=400))
def test_any_text_is_parsed_or_refused_in_one_sentence(text: str) -> None:
    try:
        rules = Guidelines.parse(text).rules
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert [rule.number for rule in rules] == list(range(1, len(rules) + 1))


WORDS = st.text("abc xyz.,*`", min_size=1, max_size=30).filter(lambda t: t.strip(" ") and "**" not in t)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_every_rule_written_is_read_back(written: list[tuple[str, str]], newline: str) -> None:
    lines = [f"{n}. **{title.strip()}** {text.strip()}" for n, (title, text) in enumerate(written, 1)]
    rules = Guidelines.parse(newline.join(lines)).rules
    assert len(rules) == len(written)
    assert all(
        text.strip() in f"{rule.title} {rule.text}" for rule, (_, text) in zip(rules, written, strict=True)
    )


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_item_and_no_rule_break_the_search(rule: str, item: str) -> None:
    text = f"1. nurse {rule}".splitlines()[0]
    pick = Guidelines.parse(text).pick(item)
    assert pick is None or pick.rule.number == 1


def test_the_rule_that_shares_the_rarest_words_is_picked_and_says_which() -> None:
    pick = Guidelines.parse(RULES).pick("Did you sleep well? I do not sleep, I am a program.")
    assert pick is not None
    assert (pick.rule.number, pick.why) == (2, "This item and the rule share “sleep”.")


def test_nothing_shared_is_no_pick() -> None:
    assert Guidelines.parse(RULES).pick("zzz 123 the and of") is None


def test_a_rule_keeps_its_markdown_but_never_markup() -> None:
    html = prose("**bold** and *it* and `x<y`\n\n<script>alert(1)</script> [a](javascript:1) \u202e")
    assert "<strong>bold</strong> and <em>it</em> and <code>x&lt;y</code>" in html
    assert "<script" not in html
    assert "⟦U+202E⟧" in html


@given(st.text(max_size=300))
def test_no_rule_can_open_a_tag_of_its_own(text: str) -> None:
    bare = prose(text)
    for tag in ("p", "strong", "em", "code"):
        bare = bare.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in bare


def test_a_missing_file_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*rules\.md\."):
        read_guidelines(tmp_path / "rules.md")


@pytest.mark.parametrize(("data", "words"), [(b"\xff\xfe\x00", "not text in UTF-8"), (b" \n", "are empty")])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "rules.md").write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_guidelines(tmp_path / "rules.md")


def test_a_directory_is_refused_by_its_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        read_guidelines(tmp_path)
