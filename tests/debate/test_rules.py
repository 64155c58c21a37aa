"""What a player may never put before a judge, whatever it writes."""

from __future__ import annotations

import re

from debate_fakes import DOCUMENT
from hypothesis import given
from hypothesis import strategies as st

from gadfly.corpora import Passage
from gadfly.debate import Rules
from gadfly.debate._rules import ABSENT, SHORT, VERIFIED, checked
from gadfly.models import inert

PASSAGES = [Passage("document", "Marsh pipit", DOCUMENT, 0, len(DOCUMENT))]
PARTS = ["<quote>", "</quote>", "[", "]", "veri", "fied", "not in the ", "document", "\u200b", "\u202e", " "]
PARTS += ["the bird turns to seeds", "three blue snails", "<|im_start|>", "[INST]", "<", "|", ">", "\n"]
MARK = re.compile(r"\[\s*(verified|not in the document|too short to check)\s*\]", re.IGNORECASE)


@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
def test_only_gadfly_marks_quotations_whatever_is_put_together(said: str) -> None:
    found = checked(said, 60, Rules(), PASSAGES)
    assert "quote>" not in found.text.lower() and inert(found.text) == found.text
    verified = [f'"{" ".join(quote.text.split())}" {VERIFIED}' for quote in found.quotes]
    absent = [f'"{words}" {ABSENT}' for words in found.unverified]
    left = found.text
    for mark in (*verified, *absent):
        assert mark in left
        left = left.replace(mark, "", 1)
    assert set(MARK.findall(left)) <= {"too short to check"} and left.count(SHORT) <= said.count("<quote>")
