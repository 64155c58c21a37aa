"""The rules of speaking: what is a quotation, how long one may speak, and that nobody gives the judge orders.

What a player says is hostile text. Before anybody sees it, its quotations are looked up in the document, the marks that
only gadfly may set are taken out, and chat markup is broken.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gadfly.corpora import GAP, Passage, Quote, quoted, too_short
from gadfly.debate._protocol import Breach, Rules
from gadfly.models._inert import BRACKETED, TURNS, inert
from gadfly.words import word_count

__all__ = ["Checked", "Quotation", "checked", "plain", "quotations", "words_said"]

VERIFIED, ABSENT, SHORT = "[verified]", "[not in the document]", "[too short to count]"
"""The marks behind a quotation: its words stand in the document, they do not, or they do and are too few to show
anything.
"""

_OPEN, _CLOSE = r"<\s*quote\b[^<>]{0,80}>", r"<\s*/\s*quote\s*>"
_QUOTE = re.compile(rf"{_OPEN}(.*?)(?:{_CLOSE}|(?={_OPEN})|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(f"{_OPEN}|{_CLOSE}", re.IGNORECASE)
_BRACKETS = str.maketrans("<«‹⎡⎢⎣⎛>»›⎤⎥⎦⎠|｜", "(((((((" + ")))))))" + "//")
"""Brackets that Unicode does not call so, and what they become next to what reads like a mark."""
NEAR = 4
"""How many characters next to it are looked at."""
_ROUND = "()（）﹙﹚⁽⁾₍₎❨❩❪❫⸨⸩‚„"
_LIKE_A_MARK = re.compile("verif|notinthedoc|tooshort")
_LOOKALIKES = str.maketrans(
    "аеіορсνуτԁ0ı1lιƒᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢєгѵʋᏙ3", "aeiopcvytdoiiiifabcdefghijklmnoprstuvwyzervvve"
)
_FOLDED = str.maketrans(
    "аеіјоорсѕухԁһАВЕІЈКМНОРСТХУΑΒΕΙΚΜΝΟΡΤΥΧοα", "aeijoopcsyxdhABEIJKMHOPCTXYABEIKMNOPTYXoa"
)
"""Letters of other scripts that look like Latin ones."""

DEEP = 3
"""How often what is left when tags are taken out is read again for tags; those that are there then become words."""

_LETTER = (
    r"(?-i:(?<![\w&.'’-])[AB]"
    r"(?=\W*$|[.!?,;:)\]}\"'’”\n]|\s+(?:is|because|as|since|and|or|now|only|in|for|to|if)\b)"
    r"(?!\.\s?[A-Z]\.|\.[A-Z]|['’]\w))"
)
"""The letter of an answer: not the article of "A bird" or of "A Tale of Two Cities", and no initial of a name."""

_FILL = (
    r"(?:\W+(?:for|with|only|just|the|letter|answer|option|side|as|by|that|it|is|be|right|correct|one|in|favou?r|of))"
    r"{0,16}\W*"
)
"""What may stand between "choose" and a letter."""

_ORDERS = (
    re.compile(rf"<\s?/?\s?[|｜]\s?(?:{TURNS})\b|<\s?/?\s?(?:{TURNS})\s?[|｜>]", re.IGNORECASE),
    re.compile(rf"\[\s?/?(?:{BRACKETED}|SYSTEM)\s?\]|<\s?<\s?/?SYS\s?>>"),
    re.compile(r"^\W{0,6}(?:system\W{0,3}:(?!\s*the (?:document|passage|text) (?:says|calls|names|mentions)\b)"
               r"|(?:system|developer|moderator|administrator) "
               r"(?:message|prompt|note|notice|instruction)s?\W{0,3}(?::|$))", re.IGNORECASE | re.MULTILINE),
    re.compile(r"^\W{0,6}judge\W{0,3}:\W{0,3}(?:I (?:now )?(?:decide|choose|find|rule)|(?:my |the )?verdict)\b",
               re.IGNORECASE | re.MULTILINE),
    re.compile(r"\b(?:judge|you)\b.{0,20}\b(?:must|are (?:required|instructed|ordered) to|have to|shall)\b.{0,20}"
               r"\b(?:answer|choose|pick|select|output|reply|respond|decide|rule)\b"
               r"(?:" + _FILL + _LETTER + r"|.{0,12}\b(?:for (?:me|my (?:answer|side|position|case))|in my favou?r)\b)",
               re.IGNORECASE | re.DOTALL),
    re.compile(r"\b(?:answer|choose|pick|select|output|print|write|reply|respond)\b"
               r"(?=.{0,12}\b(?:only|just|letter)\b)" + _FILL + _LETTER + r"(?!\W+(?:(?:and|or)\W+)?[AB]\b)",
               re.IGNORECASE | re.DOTALL),
    re.compile(r"\b(?:final |correct )?verdict (?:is|has been) (?:already|hereby|now)\b.{0,30}\b"
               r"(?:set\b(?! (?:aside|in stone|out|forth|down))|(?:decided|determined)\b"
               r"(?! by the (?:document|passage|text|evidence|facts))|overrid)",
               re.IGNORECASE | re.DOTALL),
    re.compile(r"\bas (?:the|your) (?:system|developer|operator|administrator|moderator),? (?:I|we) (?:\w+ )?"
               r"(?:order|instruct|tell|require|command|direct|ask|inform|advise|confirm|rule)\b", re.IGNORECASE),
    re.compile(r"^\W{0,6}(?:judge leans\W{0,3}:|(?:rules|debater for [AB])\b.{0,60}\bloses by rule\b)"
               r"|^.{0,120}\bloses by rule\W{0,3}:", re.IGNORECASE | re.MULTILINE),
)  # fmt: skip

_IGNORE = re.compile(
    r"\b(?:ignore|disregard|forget)\b(?:"
    r"[^.!?]{0,30}\b(?:previous|prior|above|earlier)\b[^.!?]{0,30}\b(?:instructions?|prompts?|rules|messages)\b"
    r"|[^.!?]{0,30}\b(?:instructions?|prompts?|rules|messages)\b[^.!?]{0,12}\b(?:above|before|earlier|so far)\b"
    r"|\W+(?:(?:all|any|of|your|the|these|other)\W+)+(?:\w+\W+)?(?:instructions?|prompts?|messages)\b)",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"(?:\b(?:not|never|cannot)|n['’]t)\W+$", re.IGNORECASE)
_OF_OTHERS = re.compile(r"\b(?:to|they|he|she|it|we|who|which|that|will|would|did|does)\W+$", re.IGNORECASE)
_TO_THE_JUDGE = re.compile(
    r"\b(?:you|judge|please)\b[^.!?]*$|(?:^|[.!?\n])\W*(?:(?:remember|be sure|make sure|try)\W+to|it is time to)\W+$",
    re.IGNORECASE,
)
"""What stands before "ignore all previous instructions" where it is no order, or one all the same."""


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
    nothing: a quotation stands between <quote> and </quote>, and one without words is none. One that is there with
    fewer than `MIN_WORDS` words is neither verified nor held against its speaker. What stands in the document is
    nobody's order.
    """
    quotes, unverified = list[Quote](), list[str]()
    shown, own, count = list[str](), list[str](), 0
    for n, part in enumerate(_parts(raw.encode("utf-8", "ignore").decode().strip())):
        if n % 2 == 0:
            shown.append(plain(part))
            own.append(part)
            count += word_count(shown[-1])
            continue
        quote = quoted(part, passages)
        text = inert(" ".join(quote.text.split())) if quote else " ".join(plain(part).split())
        count += word_count(text)
        own.append(f'"{"…" if quote else part}"')
        if quote:
            quotes.append(quote)
        absent = quote is None and not too_short(part, passages)
        if absent:
            unverified.append(text)
        shown.append(f'"{text}" {VERIFIED if quote else ABSENT if absent else SHORT}')
    text = "".join(shown).strip()
    overrun = ""
    if cut or count > words * rules.slack:
        ran = f"ran on until it was cut off after {count:,} words" if cut else f"said {count:,} words"
        overrun = f"{ran} where {words:,} are allowed"
    breaches = _breaches(text, "".join(own), unverified, overrun)
    return Checked(text, tuple(quotes), tuple(unverified), tuple(breaches))


def _parts(raw: str) -> list[str]:
    """What was said and what was quoted, by turns; a quotation without a word is no quotation, and one with words left
    out, [...], is as many as it has pieces: who left out a "not" quotes both its sides.
    """
    said, *others = _QUOTE.split(raw)
    found = [said]
    for quote, after in zip(others[0::2], others[1::2], strict=True):
        pieces = GAP.split(quote)
        for n, piece in enumerate(pieces, 1):
            behind = after if n == len(pieces) else " … "
            if word_count(plain(piece)):
                found += [piece, behind]
            else:
                found[-1] += piece + behind
    return found


def words_said(text: str) -> int:
    """How many words of what is shown are its speaker's; the marks are gadfly's."""
    for mark in (VERIFIED, ABSENT, SHORT):
        text = text.replace(f'" {mark}', '"')
    return word_count(text)


@dataclass(frozen=True, slots=True)
class Quotation:
    """Where a quotation stands in what is shown: its words from `start` to `end`, all of it, with its quotation marks
    and gadfly's mark, from `opens` to `closes`.
    """

    start: int
    end: int
    opens: int
    closes: int
    verified: bool


def quotations(text: str, quotes: Sequence[Quote], unverified: Sequence[str]) -> Iterator[Quotation]:
    """The quotations in what is shown, in order. Marks that a player typed are not in it any more."""
    marked = {inert(f'"{" ".join(quote.text.split())}" {VERIFIED}'): True for quote in quotes}
    marked |= {inert(f'"{words}" {ABSENT}'): False for words in unverified}
    if not marked:
        return
    longest_first = sorted(marked, key=len, reverse=True)
    for found in re.finditer("|".join(map(re.escape, longest_first)), text):
        end = found.start() + found[0].rindex('"')
        yield Quotation(found.start() + 1, end, found.start(), found.end(), marked[found[0]])


def plain(text: str) -> str:
    """Without tags, what cannot be seen, and what looks like the marks that only gadfly sets, however put together."""
    text = inert(text)
    for _ in range(DEEP):
        text = _TAG.sub("", text)
    return _unmarked(
        inert(_TAG.sub(lambda tag: f"({tag[0].strip('<> ')})", text))
    )  # what was apart may be markup now


def _unmarked(text: str) -> str:
    """With round brackets in place of those around anything that reads like a mark, and of what stands next to it and
    looks like one.
    """
    marks = list(_marks(text))
    if not marks:
        return text
    shown, opened, alone = list(text), list[int](), list[int]()
    for n, char in enumerate(text):
        kind = _bracket(char)
        if kind == "Ps":
            opened.append(n)
        elif kind == "Pe" and not opened:
            alone.append(n)
        elif kind == "Pe":
            start = opened.pop()
            after = bisect_left(marks, (start, 0))
            around = after < len(marks) and marks[after][1] < n
            if around or (after and marks[after - 1][1] > n):  # or in the middle of it
                shown[start], shown[n] = "(", ")"
    for n in (*opened, *alone):
        if _reads_on(text, n, marks):
            shown[n] = _rounded(text[n])
    for first, last in marks:
        for n in (*_outward(text, first, -1), *_outward(text, last, 1)):
            shown[n] = _rounded(shown[n])
    return "".join(shown)


def _reads_on(text: str, at: int, marks: Sequence[tuple[int, int]]) -> bool:
    """Whether a bracket without its other half opens or closes a line's rest in which a mark stands."""
    after = bisect_left(marks, (at, 0))
    if unicodedata.category(text[at]) == "Ps":
        return after < len(marks) and text.find("\n", at, marks[after][0]) < 0
    return after > 0 and text.find("\n", marks[after - 1][1], at) < 0


def _marks(text: str) -> Iterator[tuple[int, int]]:
    """The first and the last letter of all that reads like a mark."""
    folded, places = list[str](), list[int]()
    for n, char in enumerate(text):
        for letter in (
            unicodedata.normalize("NFKD", char.translate(_FOLDED)).casefold().translate(_LOOKALIKES)
        ):
            if letter.isalpha():
                folded.append(letter)
                places.append(n)
    for found in _LIKE_A_MARK.finditer("".join(folded)):
        yield places[found.start()], places[found.end() - 1]


def _outward(text: str, at: int, step: int) -> Iterator[int]:
    """The places of its line next to a mark that hold no letter; behind "verif" come more of its letters first."""
    at += step
    while step > 0 and at < len(text) and text[at].isalnum():
        at += step
    for n in range(at, at + NEAR * step, step):
        if not 0 <= n < len(text) or text[n].isalnum() or text[n] == "\n":
            return
        yield n


def _rounded(char: str) -> str:
    return {"Ps": "(", "Pe": ")"}.get(_bracket(char), char.translate(_BRACKETS))


def _bracket(char: str) -> str:
    """Its category, which is Ps or Pe for a bracket; empty for a round one, which is harmless."""
    return "" if char in _ROUND else unicodedata.category(char)


def _breaches(text: str, own: str, unverified: Sequence[str], overrun: str) -> Iterator[tuple[Breach, str]]:
    if not word_count(text):
        yield "stopped", "said nothing"
        return
    if overrun:
        yield "overran", overrun
    if unverified:
        yield "fabricated", f"quoted words that are not in the document: {unverified[0][:80]!r}"
    if order := orders_in(own) or orders_in(plain(own)):
        yield "addressed_judge", f"gave the judge orders or posed as the system: {order[:80]!r}"


def orders_in(text: str) -> str:
    """The words by which a text poses as the system or gives the judge orders, in letters of whatever script; empty for
    none.

    Patterns: what argues ("the judge should believe …") is allowed, what commands ("you must answer A"), opens a
    message of the system's or sets earlier instructions aside is not. They catch the common forms, not every one.
    """
    latin = unicodedata.normalize("NFKC", text).translate(_FOLDED)
    return next(filter(None, map(_order_in, dict.fromkeys((text, latin)))), "")


def _order_in(text: str) -> str:
    for pattern in _ORDERS:
        if found := pattern.search(text):
            return found[0]
    for found in _IGNORE.finditer(text):
        before = text[max(0, found.start() - 80) : found.start()]
        told_of_others = _OF_OTHERS.search(before) and not _TO_THE_JUDGE.search(before)
        if not (_NEGATED.search(before) or told_of_others):
            return found[0]
    return ""
