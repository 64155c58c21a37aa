"""Documents into passages that tile them: put together in order, the pieces are the text, character by character.

A piece ends, as near below `size` characters as it can, after a paragraph, else a sentence, else a line, else a word;
a text without any of these is cut where it stands, but never before a mark that belongs to the letter before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from gadfly.corpora._types import Document, Passage

__all__ = ["SIZE", "passages", "pieces"]

SIZE = 1_000
"""Characters of a passage at most, unless told otherwise: some 170 words of English."""

_ENDS = (
    re.compile(r"\n[^\S\n]*\n"),
    re.compile(r"[.!?…][\"'”’)\]]*\s|[。！？]"),
    re.compile(r"\n"),
    re.compile(r"\s"),
)
_SPACE = re.compile(r"\s*")
_LONGEST_STACK = 100


def pieces(text: str, size: int = SIZE) -> Iterator[tuple[int, int]]:
    """Where each piece begins and ends; none of a text of white space alone.

    Every piece has a visible character in its first `size`, unless white space leads the whole text; the white space
    after a piece belongs to it and does not count.
    """
    start, begins = 0, _SPACE.match(text).end()  # type: ignore[union-attr]
    while begins < len(text):
        cut = _cut(text, begins, size)
        end = _SPACE.match(text, cut).end()  # type: ignore[union-attr]
        yield start, end
        start = begins = end


def passages(document: Document, size: int = SIZE) -> Iterator[Passage]:
    """The passages of a document: its pieces without the white space around them."""
    for start, end in pieces(document.text, size):
        yield trimmed(document.id, document.title, document.source, start, document.text[start:end])


def trimmed(document: str, title: str, source: str, start: int, piece: str) -> Passage:
    """The passage that a piece holds."""
    text = piece.strip()
    start += len(piece) - len(piece.lstrip())
    return Passage(document, title, text, start, start + len(text), source)


def _cut(text: str, start: int, size: int) -> int:
    """Where the piece that begins at `start` ends at the latest."""
    if len(text) - start <= size:
        return len(text)
    least = start + size // 3
    for pattern in _ENDS:
        ends = [found.end() for found in pattern.finditer(text, least, start + size)]
        if ends:
            return ends[-1]
    cut = start + size
    for back in range(cut, max(least, cut - _LONGEST_STACK), -1):
        if not unicodedata.category(text[back]).startswith("M") and text[back] != "\u200d":
            return back
    return cut
