"""The rules of speaking: what is a quotation, how long one may speak, and that nobody gives the judge orders.

What a player says is hostile text. Before anybody sees it, its quotations are looked up in the document, the marks that
only gadfly may set are taken out, and chat markup is broken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gadfly.corpora import Passage, Quote, quoted
from gadfly.debate._protocol import Breach, Rules
from gadfly.models import inert

__all__ = ["Checked", "addresses_judge", "checked"]

VERIFIED, ABSENT = "[verified]", "[not in the document]"
"""The marks behind a quotation: its words stand in the document, or they do not."""

_QUOTE = re.compile(r"<quote>(.*?)(?:</quote>|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?quote>", re.IGNORECASE)
_MARKS = re.compile(r"\[\s*(verified|not in the document)\s*\]", re.IGNORECASE)

_ORDERS = (
    re.compile(r"<\s?[|｜]\s?(?:im_start|im_end|system|assistant|user|eot_id|start_header_id)", re.IGNORECASE),
    re.compile(r"\[\s?/?(?:INST|SYSTEM_PROMPT)\s?\]|<<\s?/?SYS\s?>>"),
    re.compile(r"^\W{0,6}(?:system|developer|moderator|administrator)(?: (?:message|prompt|note|notice))?\W{0,3}:",
               re.IGNORECASE | re.MULTILINE),
    re.compile(r"\b(?:ignore|disregard|forget)\b.{0,30}\b(?:all|any|previous|prior|above|earlier|other)\b.{0,30}"
               r"\b(?:instructions?|prompts?|rules|messages)\b", re.IGNORECASE | re.DOTALL),
    re.compile(r"\b(?:judge|you)\b.{0,20}\b(?:must|are (?:required|instructed|ordered) to|have to|shall)\b.{0,20}"
               r"\b(?:answer|choose|pick|select|output|reply|respond|decide|rule)\b.{0,12}"
               r"(?:\b[AB]\b|\bfor me\b|\bin my favou?r\b)", re.IGNORECASE | re.DOTALL),
    re.compile(r"\b(?:the )?(?:final |correct )?verdict (?:is|has been|was)\b.{0,30}\b(?:already|set|decided|"
               r"determined|overrid)", re.IGNORECASE | re.DOTALL),
    re.compile(r"\bas (?:the|your) (?:system|developer|operator|administrator|moderator)\b", re.IGNORECASE),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """What was said as it may be shown, what it quotes, and the rules it breaks with a sentence on each."""

    text: str
    quotes: tuple[Quote, ...] = ()
    unverified: tuple[str, ...] = ()
    breaches: tuple[tuple[Breach, str], ...] = ()


def checked(
    raw: str, words: int, rules: Rules, passages: Sequence[Passage] = (), cut: bool = False
) -> Checked:
    """What a player said in up to `words` words. `cut`: the text ends where its tokens were used up.

    Where there is no document nothing can be quoted, and every quotation is made up. Quotation marks alone quote
    nothing: a quotation stands between <quote> and </quote>.
    """
    quotes: list[Quote] = []
    unverified: list[str] = []

    def marked(found: re.Match[str]) -> str:
        words_, quote = " ".join(found[1].split()), quoted(found[1], passages)
        if quote is None:
            unverified.append(words_)
            return f'"{words_}" {ABSENT}'
        quotes.append(quote)
        return f'"{" ".join(quote.text.split())}" {VERIFIED}'

    spoken = _MARKS.sub(r"(\1)", raw.strip())
    text = _TAG.sub("", inert(_QUOTE.sub(marked, spoken))).strip()
    return Checked(
        text, tuple(quotes), tuple(unverified), tuple(_breaches(raw, text, unverified, (words, cut), rules))
    )


def _breaches(
    raw: str, text: str, unverified: Sequence[str], length: tuple[int, bool], rules: Rules
) -> list[tuple[Breach, str]]:
    words, cut = length
    count, found = len(text.split()), list[tuple[Breach, str]]()
    if not text:
        return [("stopped", "said nothing")]
    if cut or count > words * rules.slack:
        found.append(
            ("overran", f"said {count:,} words{' and was cut' if cut else ''} where {words:,} are allowed")
        )
    if unverified:
        found.append(("fabricated", f"quoted words that are not in the document: {unverified[0][:80]!r}"))
    if order := addresses_judge(raw):
        found.append(("addressed_judge", f"gave the judge orders or posed as the system: {order[:80]!r}"))
    return found


def addresses_judge(text: str) -> str:
    """The words by which a text poses as the system or gives the judge orders; empty for none.

    Patterns: what argues ("the judge should believe …") is allowed, what commands ("you must answer A"), opens a
    message of the system's or sets earlier instructions aside is not. They catch the common forms, not every one.
    """
    for pattern in _ORDERS:
        if found := pattern.search(text):
            return found[0]
    return ""
