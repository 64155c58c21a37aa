"""The rules of speaking: what is a quotation, how long one may speak, and that nobody gives the judge orders.

What a player says is hostile text. Before anybody sees it, its quotations are looked up in the document, the marks that
only gadfly may set are taken out, and chat markup is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gadfly.corpora import Passage, Quote, quoted, too_short
from gadfly.debate._protocol import Breach, Rules
from gadfly.models import inert

__all__ = ["Checked", "addresses_judge", "checked"]

VERIFIED, ABSENT, SHORT = "[verified]", "[not in the document]", "[too short to count]"
"""The marks behind a quotation: its words stand in the document, they do not, or they do and are too few to show
anything.
"""

_QUOTE = re.compile(r"<quote>(.*?)(?:</quote>|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?quote>", re.IGNORECASE)
_MARKS = re.compile(r"\[\s*(verified|not in the document|too short to count)\s*\]", re.IGNORECASE)

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
    re.compile(r"\b(?:final |correct )?verdict (?:is|has been) (?:already|hereby|now)\b.{0,30}\b(?:set|decided|"
               r"determined|overrid)", re.IGNORECASE | re.DOTALL),
    re.compile(r"\bas (?:the|your) (?:system|developer|operator|administrator|moderator),? (?:I|we) (?:\w+ )?"
               r"(?:order|instruct|tell|require|command|direct|ask|inform|advise|confirm|rule)\b", re.IGNORECASE),
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
    nothing: a quotation stands between <quote> and </quote>. One that is there with fewer than `MIN_WORDS` words is
    neither verified nor held against its speaker. What stands in the document is nobody's order.
    """
    quotes, unverified = list[Quote](), list[str]()
    shown, own, count = list[str](), list[str](), 0
    for n, part in enumerate(_QUOTE.split(raw.strip())):
        if n % 2 == 0:
            shown.append(_plain(part))
            own.append(part)
            count += len(shown[-1].split())
            continue
        quote = quoted(part, passages)
        text = inert(" ".join(quote.text.split())) if quote else " ".join(_plain(part).split())
        count += len(text.split())
        if quote:
            quotes.append(quote)
        else:
            own.append(part)
        absent = quote is None and not too_short(part, passages)
        if absent:
            unverified.append(text)
        shown.append(f'"{text}" {VERIFIED if quote else ABSENT if absent else SHORT}')
    text = "".join(shown).strip()
    overrun = ""
    if cut or count > words * rules.slack:
        overrun = f"said {count:,} words{' and was cut' if cut else ''} where {words:,} are allowed"
    breaches = _breaches(text, " ".join(own), unverified, overrun)
    return Checked(text, tuple(quotes), tuple(unverified), tuple(breaches))


def _plain(text: str) -> str:
    """Without tags, what cannot be seen, and the marks that only gadfly sets, however they were put together."""
    while (found := _MARKS.sub(r"(\1)", _TAG.sub("", inert(text)))) != text:
        text = found
    return text


def _breaches(text: str, own: str, unverified: Sequence[str], overrun: str) -> Iterator[tuple[Breach, str]]:
    if not text:
        yield "stopped", "said nothing"
        return
    if overrun:
        yield "overran", overrun
    if unverified:
        yield "fabricated", f"quoted words that are not in the document: {unverified[0][:80]!r}"
    if order := addresses_judge(own) or addresses_judge(_plain(own)):
        yield "addressed_judge", f"gave the judge orders or posed as the system: {order[:80]!r}"


def addresses_judge(text: str) -> str:
    """The words by which a text poses as the system or gives the judge orders; empty for none.

    Patterns: what argues ("the judge should believe …") is allowed, what commands ("you must answer A"), opens a
    message of the system's or sets earlier instructions aside is not. They catch the common forms, not every one.
    """
    for pattern in _ORDERS:
        if found := pattern.search(text):
            return found[0]
    return ""
