"""What may be called a quote: words found in a passage, and where.

A quote is looked for as it stands and then with what a copyist changes without changing a word: white space, the
shape of quotation marks and dashes, how an accent is encoded, invisible characters. Letters, digits and what
belongs to a number are never touched, and a quote begins and ends where a word does: "5 percent" is no quote from
"1.5 percent", nor "violent" from "non-violent". What is returned is always the document's own text.
"""

from __future__ import annotations

import functools
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import regex

from gadfly.corpora._types import ELLIPSIS, Passage, Quote
from gadfly.words import UNIT, UNSEEN

__all__ = ["GAP", "MIN_WORDS", "Units", "quoted", "too_short", "units"]

MIN_WORDS = 3
"""Fewest words of a span, unless its passage has fewer; then all of them."""
MOST_SPANS = 8

GAP = regex.compile(r"\s*\[(?:\.\.\.|…)\]\s*")
"""What stands in a quotation for words that were left out."""

SAME = {
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **{char: unicodedata.normalize("NFKC", char) for char in "…ﬀﬁﬂﬃﬄﬅﬆ"},
    **dict.fromkeys("\u00ad\u034f\u061c\ufeff", ""),
    **{chr(code): "" for first, last in UNSEEN for code in range(first, last + 1)},
}
"""Characters that a copyist writes in another way, and the one way in which they are compared."""


@dataclass(frozen=True)
class Units:
    """A text cut into words, single other characters and white space, which is left out.

    `starts` and `ends` are offsets, ascending; `words[i]` is how many of the first i units are words. A span of the
    text begins at a start and ends at an end.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    words: tuple[int, ...]

    @property
    def least(self) -> int:
        """Fewest words of a span: `MIN_WORDS`, or all there are; at least one."""
        return self.enough(MIN_WORDS)

    def enough(self, least: int) -> int:
        """So many words, or all there are; at least one."""
        return max(1, min(least, self.words[-1]))

    def are_span(self, start: int, end: int, least: int = MIN_WORDS) -> bool:
        """Whether [start, end) begins and ends where units do and has words enough."""
        first, last = bisect_left(self.starts, start), bisect_left(self.ends, end)
        whole = self.starts[first : first + 1] == (start,) and self.ends[last : last + 1] == (end,)
        return whole and start < end and self.words[last + 1] - self.words[first] >= self.enough(least)


@functools.lru_cache(maxsize=256)
def units(text: str) -> Units:
    """The units of a text, as `gadfly.words.UNIT` cuts it."""
    starts, ends, words = [], [], [0]
    for found in UNIT.finditer(text):
        if found["word"] is not None or not found[0].isspace():
            starts.append(found.start())
            ends.append(found.end())
            words.append(words[-1] + (found["word"] is not None))
    return Units(tuple(starts), tuple(ends), tuple(words))


def quoted(text: str, passages: Sequence[Passage], least: int = MIN_WORDS) -> Quote | None:
    """The quote that `text` is from one of the passages' documents, or None.

    Spans are separated by `[...]`, stand in the order of the document and have `least` words each, unless their
    passage has fewer. Documents are tried in the order of their first passage, exact before normalised; of several
    places the first counts.
    """
    pieces = GAP.split(text.strip())
    gaps = GAP.findall(text.strip())
    if not text.strip() or len(pieces) > 4 * MOST_SPANS:
        return None
    documents: dict[str, list[Passage]] = {}
    for passage in passages:
        documents.setdefault(passage.document, []).append(passage)
    for read in (_as_it_is, _normalised):
        for of in documents.values():
            ordered = sorted(of, key=lambda p: (p.start, p.end))
            spans = _spans(pieces, gaps, [(p, read(p.text)) for p in ordered], read, least)
            if spans is not None:
                return _quote(spans, ordered)
    return None


def too_short(text: str, passages: Sequence[Passage]) -> bool:
    """Whether `text` stands in a document in one piece, and is no quote only because it has too few words. Pieces that
    `[...]` joins could say anything, so they are never merely short.
    """
    return GAP.search(text) is None and quoted(text, passages, least=1) is not None


@dataclass(frozen=True)
class _Readable:
    """A text as it is compared, and where each of its characters begins and ends in the text it was made from."""

    text: str
    begins: Sequence[int]
    ends: Sequence[int]


@functools.lru_cache(maxsize=256)
def _as_it_is(text: str) -> _Readable:
    return _Readable(text, range(len(text)), range(1, len(text) + 1))


@functools.lru_cache(maxsize=256)
def _normalised(text: str) -> _Readable:
    """Runs of white space as one space, `SAME`, and NFC; one character may come from several and the reverse."""
    kept: list[str] = []
    begins: list[int] = []
    ends: list[int] = []
    for found in regex.finditer(r"\s+|\X", text):
        if found[0].isspace():
            new = " "
        else:
            new = unicodedata.normalize("NFC", "".join(SAME.get(char, char) for char in found[0]))
        if new == " " and kept and kept[-1] == " ":
            ends[-1] = found.end()
            continue
        kept.extend(new)
        begins.extend([found.start()] * len(new))
        ends.extend([found.end()] * len(new))
    return _Readable("".join(kept), begins, ends)


_Read = Sequence[tuple[Passage, _Readable]]
_Place = tuple[int, int, int]
"""Where a span stands: its offsets in the document, and which of the passages it was found in."""


def _spans(
    pieces: list[str], gaps: list[str], passages: _Read, read: Callable[[str], _Readable], least: int
) -> tuple[_Place, ...] | None:
    """Where the pieces stand, one after another; a gap may also be the document's own words."""

    @functools.cache
    def place(at: int, after: int, left: int) -> tuple[_Place, ...] | None:
        if at == len(pieces):
            return ()
        if not left:
            return None
        for end in range(len(pieces), at, -1):
            joined = pieces[at] + "".join(
                g + p for g, p in zip(gaps[at:], pieces[at + 1 : end], strict=False)
            )
            span = _first(read(joined).text.strip(), passages, after, least)
            rest = None if span is None else place(end, span[1], left - 1)
            if span is not None and rest is not None:
                return (span, *rest)
        return None

    return place(0, 0, MOST_SPANS)


def _first(wanted: str, passages: _Read, after: int, least: int) -> _Place | None:
    """The first place from offset `after` of the document on where it stands as a span."""
    found = [
        (passage.start + start, passage.start + end, i)
        for i, (passage, readable) in enumerate(passages)
        for start, end in _places(wanted, passage.text, readable, after - passage.start, least)
    ]
    return min(found, default=None)


def _places(wanted: str, text: str, readable: _Readable, after: int, least: int) -> Iterator[tuple[int, int]]:
    """The first such place in one passage, if there is one."""
    if not wanted:
        return
    at = readable.text.find(wanted, bisect_left(readable.begins, after))
    while at >= 0:
        start, end = readable.begins[at], readable.ends[at + len(wanted) - 1]
        if start >= after and units(text).are_span(start, end, least):
            yield start, end
            return
        at = readable.text.find(wanted, at + 1)


def _quote(places: tuple[_Place, ...], passages: Sequence[Passage]) -> Quote:
    of = [passages[i] for _, _, i in places]
    texts = [p.text[a - p.start : b - p.start] for p, (a, b, _) in zip(of, places, strict=True)]
    spans = tuple((a, b) for a, b, _ in places)
    return Quote(of[0].document, of[0].title, ELLIPSIS.join(texts), spans, of[0].source)
