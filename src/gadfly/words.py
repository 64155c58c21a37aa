"""Where words begin and end, in any script: what quotes are cut at and short answers compared by; and lists of them."""

from __future__ import annotations

from collections.abc import Sequence

import regex

__all__ = ["UNIT", "enumerated", "same_words"]

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


def same_words(one: str, other: str) -> bool:
    """Whether two texts consist of the same words, whatever their case and what stands between them."""
    return _words(one) == _words(other)


def enumerated(words: Sequence[str]) -> str:
    """As a sentence lists them: "a", "a and b", "a, b and c"; empty for none."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("’", "'")
    return [found[0] for found in UNIT.finditer(plain) if found["word"] is not None]
