"""What a body of documents consists of, and what may be called a quote from it: plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ELLIPSIS", "Document", "Found", "Passage", "Quote"]

ELLIPSIS = " [...] "
"""What stands between the spans of a quote that leaves words out."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text. `source` is where it came from (a path, a path and a line, an address); offsets count characters
    of `text`.
    """

    id: str
    title: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that is searched and shown: `text` is `Document.text[start:end]`."""

    document: str
    title: str
    text: str
    start: int
    end: int
    source: str = ""

    @property
    def id(self) -> str:
        """The document and the offsets."""
        return f"{self.document}:{self.start}-{self.end}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that a search came up with; a higher score is a better match, comparable within one search only."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that stand in a document, and where.

    `text` is the document's own words at `spans` (offsets into `Document.text`, in the order quoted), joined by
    `ELLIPSIS`. There is no other way to make one than to find it: what is not found is not a quote.
    """

    document: str
    title: str
    text: str
    spans: tuple[tuple[int, int], ...]
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "spans": [list(span) for span in self.spans]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Quote:
        """What `to_json` gave."""
        return cls(**{**data, "spans": tuple((int(a), int(b)) for a, b in data["spans"])})
