"""What became of the words that an answer gives as its quotes.

A quote is verified, or it stands in a document and is too short to show anything, or it stands nowhere. Only the last
is made up. An answer may also give none at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.corpora import Passage, Quote, quoted, too_short

__all__ = ["Checked", "checked", "found", "fully_quoted"]

_MARKS = " \"'“”„‘’‚«»"
_NOTHING = re.compile(r"\W*(?:none|nothing|n/a|no quotes?)?\W*", re.IGNORECASE)


@dataclass(frozen=True)
class Checked:
    """The quotes that were verified, the words that are in a document but too few, and those that are in none."""

    quotes: tuple[Quote, ...] = ()
    short: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()

    @property
    def flawless(self) -> bool:
        """Whether there are quotes, all of them verified."""
        return bool(self.quotes) and not self.short and not self.unverified


def checked(texts: Iterable[str], passages: Sequence[Passage]) -> Checked:
    """What each of the texts given as quotes is; one that says “none” or has no words is no quote at all."""
    quotes: list[Quote] = []
    short: list[str] = []
    unverified: list[str] = []
    for text in texts:
        quote = found(text, passages)
        if quote is not None:
            quotes.append(quote)
        elif not _NOTHING.fullmatch(text):
            (short if too_short(text.strip(_MARKS), passages) else unverified).append(text)
    return Checked(tuple(quotes), tuple(short), tuple(unverified))


def found(text: str, passages: Sequence[Passage]) -> Quote | None:
    """The quote that a text is, as it stands or without the quotation marks around it."""
    return quoted(text, passages) or quoted(text.strip(_MARKS), passages)


def fully_quoted(facts: Mapping[str, Any]) -> bool:
    """Whether the facts of an answer hold quotes, all of them verified."""
    return bool(facts.get("quotes")) and not facts.get("unverified") and not facts.get("short")
