"""A claim with its quotes: what raters see of it, and what they may say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from claim_samples import CLAIM, QUESTION, QUOTED, TEXT, answered, claims, passage, quote_of
from hypothesis import given
from hypothesis import strategies as st
from page_samples import QUEUE, Rating, filled

from gadfly.corpora import Quote
from gadfly.errors import InputError
from gadfly.pages import highlighted
from gadfly.review._items import failing, item_type
from gadfly.review._quoted import CONTEXT, claim_payload, claim_view
from gadfly.review._records import EVIDENCE, VALUES, score
from gadfly.transcripts import Case, Transcript

KIND = {"kind": "supported", "question": "", "guidelines": "", "double_share": 0, "gold_share": 0}


def plain(html: str) -> str:
    """The text of HTML whose text has no markup characters, without summaries and places to break."""
    return re.sub(r"<summary>.*?</summary>|<[^>]*>", "", html)


def test_a_quote_is_marked_in_its_passage_at_its_own_place_only() -> None:
    twice = passage("Nine hours. Then again nine hours. Nine hours.", start=700)
    second = Quote("ness", "Ness light", "nine hours", ((723, 733),))
    [cited] = claim_view(claim_payload(answered(quotes=[second], shown=[twice])), "p").cited
    assert cited.spans == ((23, 33),)
    assert str(highlighted(cited.text, cited.spans)).count("<mark>") == 1
    assert "Then again <mark>nine hours</mark>." in highlighted(cited.text, cited.spans)


def test_two_quotes_of_one_passage_share_it_and_a_span_goes_to_the_passage_that_holds_it() -> None:
    one, other = passage("First the oil.", 0), passage("Then the wick.", 200)
    quotes = [quote_of(one, "First", "oil"), quote_of(other, "wick"), quote_of(one, "the")]
    seen = claim_view(claim_payload(answered(quotes=quotes, shown=[one, other])), "p")
    assert [(cited.text, cited.spans) for cited in seen.cited] == [
        ("First the oil.", ((0, 5), (10, 13), (6, 9))),
        ("Then the wick.", ((9, 13),)),
    ]


def test_a_quote_whose_passage_was_not_shown_stands_alone_and_marked() -> None:
    [cited] = claim_view(claim_payload(answered(quotes=[quote_of(passage(), QUOTED)], shown=[])), "p").cited
    assert (cited.text, cited.spans) == (QUOTED, ((0, len(QUOTED)),))


def test_words_that_are_not_the_quotes_are_never_marked_in_a_passage() -> None:
    changed = passage(TEXT.replace("nine hours", "five hours"))
    found = claim_payload(answered(quotes=[quote_of(passage(), QUOTED)], shown=[changed]))
    assert [cited.text for cited in claim_view(found, "p").cited] == [QUOTED]


def test_what_is_no_quote_is_counted_and_not_shown(tmp_path: Path) -> None:
    made_up = answered(quotes=[], unverified=["burns for ever, says the keeper"])
    page = Rating(filled(tmp_path, [claim_payload(made_up)], **KIND)).html
    assert "1 quotation that stands in no document is not shown" in page
    assert "No quote could be verified: no words are highlighted." in page
    assert "says the keeper" not in page


def test_only_so_much_of_a_passage_is_kept_and_its_marks_move_with_it() -> None:
    long = passage("a " * CONTEXT + "the needle" + " b" * CONTEXT, start=5)
    found = claim_payload(answered(quotes=[quote_of(long, "the needle")], shown=[long]))
    [cited] = claim_view(found, "p").cited
    assert len(cited.text) == 2 * CONTEXT + 10
    assert [cited.text[a:b] for a, b in cited.spans] == ["the needle"]


@given(
    st.text("ab\n é字", max_size=80),
    st.lists(st.tuples(st.integers(-3, 90), st.integers(-3, 90)), max_size=4),
    st.integers(0, 20),
)
def test_highlighting_loses_no_character_and_marks_just_the_spans(
    text: str, spans: list[tuple[int, int]], around: int
) -> None:
    html = str(highlighted(text, spans, around))
    marked = "".join(c for n, c in enumerate(text) if any(a <= n < b for a, b in spans))
    assert plain(html) == text
    assert "".join(re.findall("<mark>(.*?)</mark>", html, re.DOTALL)) == marked


def test_hostile_words_in_and_around_a_quote_are_inert() -> None:
    text = "<b>a</b> \u202egnp.exe <script>x</script> \x1b[31m" + "\u0301" * 40 + "y" * 3_000
    html = str(highlighted(text, [(4, 20), (30, 60)], 10))
    assert set(re.findall(r"<(\w+)", html)) == {"mark", "span", "wbr", "details", "summary"}
    assert not set("\u202e\x1b") & set(html)
    assert max(map(len, re.split(r"<wbr>|\s", html))) < 1_300


def test_a_passage_far_from_its_quote_is_folded_and_cut_between_words() -> None:
    start = TEXT.index(QUOTED)
    html = highlighted(TEXT, [(start, start + len(QUOTED))])
    assert html.count("<details") == 2
    shown = plain(re.sub("<details.*?</details>", "¦", html, flags=re.DOTALL))
    before, _, after = shown.partition(QUOTED)
    assert re.match("^¦[A-Za-z]+ ", before)
    assert 135 < len(before) < 225 > len(after) > 135
    assert plain(html) == TEXT


@pytest.mark.parametrize("kind", EVIDENCE)
def test_no_is_the_answer_that_says_a_claim_fails(kind: str) -> None:
    one = item_type(kind)
    assert [choice.value for choice in one.choices] == list(VALUES[kind])
    assert [score(value) for value in VALUES[kind]] == [0.0, 1.0, None]
    assert (failing(kind), failing("label"), failing("compare")) == (f"Not {kind}", "Fails", "")


@pytest.mark.parametrize("kind", EVIDENCE)
def test_each_kind_has_a_question_rules_and_buttons_of_its_own(kind: str, tmp_path: Path) -> None:
    rating = Rating(filled(tmp_path, claims(1), **KIND | {"kind": kind}))
    assert item_type(kind).question in rating.html
    assert f"<span>{kind.capitalize()}</span>" in rating.html
    assert f"<span>Not {kind}</span>" in rating.html
    rules = rating.client.get("/guidelines").text
    assert rules.count("<h2>") >= 5
    assert "written by a language model" in rating.client.get("/start").text


def test_a_rater_sees_question_claim_title_and_the_marked_words(tmp_path: Path) -> None:
    html = Rating(filled(tmp_path, claims(1), **KIND)).html
    for words in (QUESTION, CLAIM, "Ness light", "ness.md", f"<mark>{QUOTED}</mark>", "In winter it has to"):
        assert words in html


def test_an_answer_of_another_kind_is_refused(tmp_path: Path) -> None:
    rating = Rating(filled(tmp_path, claims(1), **KIND))
    assert rating.answer("fails").status_code == 400
    assert "value must be one of yes, no, cannot_tell" in rating.html


def test_a_queues_own_question_and_rules_come_before_the_default_ones(tmp_path: Path) -> None:
    own = {"question": "Is it so?", "guidelines": "1. **Mine.** Read slowly."}
    rating = Rating(filled(tmp_path, claims(1), **KIND | own))
    assert "Is it so?" in rating.html
    assert "Mine." in rating.client.get("/guidelines").text


def test_a_dialogue_has_no_claim_to_judge() -> None:
    with pytest.raises(InputError, match="Case c has no claim with quotes"):
        claim_payload(Transcript(Case("c", 0, 0), ()))


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"claim": 3}, r"p\.claim must be text"),
        ({"cited": {}}, r"p\.cited must be a list"),
        ({"cited": [{"title": "t", "text": "x", "spans": [[1, "2"]]}]}, r"p\.cited\[0\]\.spans\[0\] must be"),
        ({"unverified": "many"}, r"p\.unverified must be a whole number"),
    ],
)
def test_a_claim_that_cannot_be_shown_names_the_field(wrong: dict[str, object], place: str) -> None:
    with pytest.raises(InputError, match=place):
        claim_view({**claims(1)[0], **wrong}, "p")


def test_labels_of_claims_go_out_and_come_in_again(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    store, other = filled(tmp_path, claims(2), **KIND), filled(tmp_path / "other", claims(2), **KIND)
    Rating(store).answer("no", reason="Nine, not ten.")
    [line] = store.export(QUEUE)
    assert (line["value"], line["reason"]) == ("no", "Nine, not ten.")
    assert other.import_(QUEUE, [json.dumps(line)]) == 1
    assert [label.judgement().score for label in other.ratings(QUEUE)] == [1.0]
    assert other.version(QUEUE) == store.version(QUEUE)
