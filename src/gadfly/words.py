"""Where words begin and end, in any script: what quotes are cut at, short answers compared and limits counted by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import regex

__all__ = ["UNIT", "UNSEEN", "enumerated", "first_words", "lowered", "plural", "same_words", "word_count"]

UNSEEN = (
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Joiners, direction marks, selectors and tags, from the first code of each kind to its last. Models are not shown
them, and need not quote them.
"""

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}々ー]"
_CORE = r"(?:[[\p{L}\p{N}_]--UNSPACED][\p{M}\u200c\u200d\u00ad]*)+"
_WORD = rf"""
    (?: [<>≤≥≈~]?[-−+±]?\p{{Sc}}?[-−+±]?\.?(?=\p{{N}}) )?
    {_CORE}
    (?: (?: (?<=\p{{N}})[.,:/٫٬](?=\p{{N}}) | ['’ʼ&@·\-‐‑–−] ) {_CORE} )*
    [%‰°\p{{Sc}}]?
"""
UNIT = regex.compile(
    rf"(?P<word>UNSPACED[\p{{M}}\u200c\u200d]*|{_WORD})|\s+|\X".replace("UNSPACED", _UNSPACED),
    regex.VERBOSE | regex.V1,
)
"""A word, white space or one other character, at any place of a text. A number with its sign, currency, separators and
per cent is one word, and so are words joined by hyphens or apostrophes; each character of a script that is written
without spaces is one.
"""


_COUNTED = regex.compile(
    r"UNSPACED|[\p{L}\p{N}_](?:(?!UNSPACED|(?<=\p{Ll})\p{Lu})[\p{L}\p{N}\p{M}_'’]){0,29}|[\p{S}]".replace(
        "UNSPACED", _UNSPACED
    )
)
_JOINED = regex.compile(r"[\p{L}\p{N}\p{M}'’]++(?:_+[\p{L}\p{N}\p{M}'’]++){3,}_*")
"""Four words or more with nothing but `_` between them; a name_of_three is one word."""


def word_count(text: str) -> int:
    """How much was said, by a measure that nobody slips past by joining words: letters and digits in a row, up to 30 of
    them, to a capital behind a small letter, or to a "_" that joins four words or more; each character of a script that
    is written without spaces; each symbol. Punctuation is free.
    """
    return sum(1 for _ in _counted(text))


def first_words(text: str, most: int) -> str:
    """The text up to the end of that word, all of it where it has no more; `word_count` counts."""
    found = list(islice(_counted(text), most + 1))
    return text if len(found) <= most else text[: found[most].start()].rstrip()


def _counted(text: str) -> Iterator[regex.Match[str]]:
    apart = _JOINED.sub(lambda found: found[0].replace("_", " "), text) if "_" in text else text
    yield from _COUNTED.finditer(apart)


def same_words(one: str, other: str) -> bool:
    """Whether two texts consist of the same words, whatever their case and what stands between them."""
    return _words(one) == _words(other)


def plural(count: int, noun: str) -> str:
    """So many of a noun that takes an s: "1 question", "2,000 questions"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def lowered(text: str) -> str:
    """The text as it goes on a sentence: its first letter small."""
    return text[:1].lower() + text[1:]


def enumerated(words: Sequence[str], last: str = "and") -> str:
    """As a sentence lists them: "a", "a and b", "a, b and c", with another word before the `last`; empty for none."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("’", "'")
    return [found[0] for found in UNIT.finditer(plain) if found["word"] is not None]
