"""Where words begin and end, in any script: what quotes are cut at and short answers are compared by."""

from __future__ import annotations

import regex

__all__ = ["UNIT", "same_words"]

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


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("’", "'")
    return [found[0] for found in UNIT.finditer(plain) if found["word"] is not None]
