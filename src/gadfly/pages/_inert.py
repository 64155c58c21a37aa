"""Hostile text made inert: what a model said, shown as it is, able to do nothing.

Two steps, always in this order. `visible` replaces every character that acts instead of showing (escape
sequences, bidirectional overrides, zero-width and tag characters, lone surrogates) by a marker such as
⟦U+202E⟧; it is what both the page and the terminal print. Escaping for HTML comes after it and is never
optional: `said` returns markup, and the templates autoescape everything else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby

from markupsafe import Markup, escape

__all__ = ["CLIP", "KEEP", "highlighted", "line", "said", "visible"]

CLIP = 2_000
"""Characters of one text that show before "show all"."""
KEEP = 400_000
"""Characters of one text that a page holds at most; the rest stays in the run."""
AROUND = 180
"""Characters on either side of a quote that show of its passage; those further away are folded."""

_MARKER = re.compile(r"⟦U\+[^⟧]{4,20}⟧")
_RUN = 1000
_TOKEN = re.compile(r"<[^>]*>|\s+|[^\s<]+")  # a "<" in escaped text begins a tag of ours
_PIECE = re.compile(rf"(?:[^&]|&[#\w]{{1,8}};){{1,{_RUN}}}")  # entities are whole
_STACK = 4
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_STACKING = frozenset({"Mn", "Me"})
_ACTING = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0x180B, 0x1810), range(0xFE00, 0xFE0F), range(0xE0100, 0xE01F0))


def _acts(char: str) -> bool:
    code = ord(char)
    return (
        unicodedata.category(char) in _ACTING
        or char in _BLANK
        or any(code in selectors for selectors in _SELECTORS)
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
    )


def _mark(char: str, times: int) -> str:
    return f"⟦U+{ord(char):04X}⟧" if times == 1 else f"⟦U+{ord(char):04X} ×{times:,}⟧"


def visible(text: str) -> str:
    """The text with every acting character as ⟦U+XXXX⟧, repeats as ⟦U+XXXX ×n⟧. Newlines and tabs stay.

    Marks past the fourth on one letter count as acting: they would climb over the lines above.
    """
    text = text.replace("\r\n", "\n")
    if text.isascii() and not _CONTROL.search(text):
        return text
    out: list[str] = []
    stacked = 0
    for char, run in groupby(text):
        times = sum(1 for _ in run)
        stacked = stacked + times if unicodedata.category(char) in _STACKING else 0
        acts = stacked > _STACK or (char not in "\n\t" and _acts(char))
        out.append(_mark(char, times) if acts else char * times)
    return "".join(out)


def line(text: str, limit: int = 120) -> str:
    """`visible` on one line, white space folded, cut with an ellipsis at `limit` characters."""
    flat = " ".join(visible(text[: 4 * limit]).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def said(text: str, evidence: Iterable[str] = ()) -> Markup:
    """The text as HTML: inert, the evidence marked, and past `CLIP` characters behind a fold.

    Wherever 1,000 characters stand without white space there is a place to break the line: laying out an unbroken one
    takes Chromium time that grows with its square, half a minute and more for 200 kB.
    """
    words = tuple(evidence)
    if len(text) <= CLIP + CLIP // 4:
        return _breakable(_marked(text, words))
    shown, more = _breakable(_marked(text[:CLIP], words)), _breakable(_marked(text[CLIP:KEEP], words))
    return shown + _fold(f"Show all {len(text):,} characters", more, len(text) - KEEP)


def highlighted(text: str, spans: Iterable[tuple[int, int]], around: int = AROUND) -> Markup:
    """The text as HTML with these spans of it marked, and what is more than `around` characters from all of them
    behind folds, inert as `said` makes it.

    Spans are (start, end) offsets into the text in any order; they may touch, overlap or reach beyond it. Without one
    that holds a character it is `said(text)`.
    """
    marks = _merged(spans, len(text))
    if not marks:
        return said(text)
    gaps = zip([0, *(end for _, end in marks)], [*(start for start, _ in marks), len(text)], strict=True)
    between = [_gap(text[a:b], around, before=a > 0, after=b < len(text)) for a, b in gaps]
    marked = [Markup("<mark>{}</mark>").format(_shown(text[a:b])) for a, b in marks]
    return _breakable(between[0] + Markup("").join(m + g for m, g in zip(marked, between[1:], strict=True)))


def _merged(spans: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The spans within a text of that length, in order, those that touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(length, end)) for start, end in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        elif start < end:
            merged.append((start, end))
    return merged


def _gap(text: str, around: int, *, before: bool, after: bool) -> Markup:
    """What stands outside the marks: so much as is near the mark `before` it, a fold, so much as is near the one
    `after` it. A fold that would save little is none.
    """
    first = _break(text, around) if before else 0
    last = _break(text, len(text) - around) if after else len(text)
    if last - first <= around // 2:
        return _shown(text)
    folded = text[first:last]
    words = f"Show {len(folded):,} more characters"
    return (
        _shown(text[:first]) + _fold(words, _shown(folded[:KEEP]), len(folded) - KEEP) + _shown(text[last:])
    )


def _break(text: str, at: int) -> int:
    """Where to cut near `at`: after the last white space of the forty characters before it, where there is some."""
    start = max(0, at - 40)
    return next((end for end in range(at, start, -1) if text[end - 1 : end].isspace()), max(0, at))


def _fold(words: str, html: Markup, rest: int) -> Markup:
    """Text behind its summary; how many characters the page does not hold is said at its end."""
    tail = f"\n… {rest:,} further characters are kept in the run." if rest > 0 else ""
    fold = Markup('<details class="rest"><summary>{}</summary>{}{}</details>')
    return fold.format(words, html, tail)


def _breakable(html: Markup) -> Markup:
    """The same with `<wbr>` so that no run of text, be it cut up by tags, has 2,000 characters without a break."""
    out: list[str] = []
    unbroken = 0
    for token in _TOKEN.findall(html):
        if token[0] == "<":
            out.append(token)
        elif token[0].isspace():
            out.append(token)
            unbroken = 0
        elif unbroken + len(token) < _RUN:
            out.append(token)
            unbroken += len(token)
        else:
            out += ["<wbr>" if unbroken else "", *(f"{piece}<wbr>" for piece in _PIECE.findall(token))]
            unbroken = 0
    return Markup("".join(out))  # noqa: S704 - escaped before, and nothing is cut that is markup


def _marked(text: str, evidence: tuple[str, ...]) -> Markup:
    hit, miss = Markup("<mark>{}</mark>"), Markup("{}")
    pieces = _split(text, evidence)
    return Markup("").join((hit if found else miss).format(_shown(piece)) for piece, found in pieces)


def _shown(text: str) -> Markup:
    """Escaped, with the markers set apart from the words around them."""
    inert = str(escape(visible(text)))
    return Markup(_MARKER.sub(r'<span class="hidden-char">\g<0></span>', inert))  # noqa: S704 - escaped above


def _split(text: str, evidence: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Pieces of the text in order, and whether each is evidence. They add up to the text."""
    longest_first = sorted({words for words in evidence if words.strip()}, key=len, reverse=True)
    if not longest_first:
        yield text, False
        return
    pattern = re.compile("(" + "|".join(re.escape(words) for words in longest_first) + ")")
    for index, part in enumerate(pattern.split(text)):
        if part:
            yield part, index % 2 == 1
