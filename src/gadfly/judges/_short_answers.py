"""Short answers compared: whether a text holds one that is known, whatever its case, accents, articles, punctuation
and separators of thousands.

After SQuAD's evaluation (Rajpurkar et al. 2016), which compares whole answers. Here an answer is looked for as whole
words, so more depends on what a word is. A number is one with its sign and its decimals, and in a script without
spaces each character is. Punctuation inside a word is read both ways, as a break and as nothing: “U.S.A.” is “USA” and
“J.R.R.” is “J. R. R.”.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator, Sequence

import regex

from gadfly.words import UNIT

__all__ = ["holds_answer"]

_ARTICLES = ("a", "an", "the")
_ACCENTED = regex.compile(r"([\p{Latin}\p{Greek}\p{Cyrillic}])\p{M}+")
_MINUS = regex.compile(r"(?<![^\s(])(?<!\p{N}\s)(?:minus\s+|–)(?=\p{Sc}?\.?\p{N})", regex.IGNORECASE)
_THOUSANDS = regex.compile(
    r"(?<![\p{N}.,])\p{N}{1,3}(?:([,٬'’\u00a0\u2009\u202f])\p{N}{3}(?:\1\p{N}{3})*|(?:\.\p{N}{3}){2,})(?!\p{N})"
)
_AFTER_LETTER = regex.compile(r"(?<=\p{L})\.(?=\p{N})")
_SPACED = regex.compile(r"(?<![\p{N}.,])\p{N}{1,3}(?: \p{N}{3})+(?!\p{N})")
_NO_DIGIT = regex.compile(r"\P{N}")
_SIGN = regex.compile(r"[<>≤≥≈~]?([-−+±]?)\p{Sc}?([-−+±]?)(?=\.?\p{N})")
_JOINT = regex.compile(r"[^\p{L}\p{N}\p{M}.,:/٫٬]+")
_SEPARATOR = regex.compile(r"[.,:/٫٬]")
_TWO = regex.compile(r"/|,\p{N}{4}$")


def holds_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether a text holds one of the short answers, as whole words. False without answers and for blank ones."""
    return any(_holds(text, answer) for answer in answers if answer.strip())


def _holds(text: str, answer: str) -> bool:
    for joined in (False, True):
        wanted = _words(answer, joined)
        if not wanted:
            return answer.strip() in text
        needed = [w for n, w in enumerate(wanted) if not _is_article(w, first=n == 0)]
        if not needed:  # “A” of group A: only its capital tells it from an article
            return _follow(wanted, _words(text, joined))
        if _follow([*map(str.casefold, needed)], [*map(str.casefold, _words(text, joined))]):
            return True
    return False


def _is_article(word: str, *, first: bool) -> bool:
    """Whether nothing is lost without this word: the “A” of “vitamin A” is none."""
    return word.casefold() in _ARTICLES and (first or word != "A")


def _follow(wanted: Sequence[str], said: Sequence[str]) -> bool:
    """Whether the words follow one another somewhere, with nothing but articles between them."""
    between = f"(?: (?:{'|'.join(_ARTICLES)}))* "
    return bool(regex.search(f" {between.join(map(regex.escape, wanted))} ", f" {' '.join(said)} "))


@functools.lru_cache(maxsize=1024)
def _words(text: str, joined: bool) -> tuple[str, ...]:
    """The words of a text in their own case; `joined`, without punctuation inside them, else broken at it."""
    plain = _plain(text)
    if joined:
        plain = _SPACED.sub(lambda found: _NO_DIGIT.sub("", found[0]), plain)
        plain = regex.sub(r"(?<=\p{L})\.(?=\p{L})", "", plain)
    found = (one[0] for one in UNIT.finditer(plain) if one["word"] is not None)
    return tuple(part for word in found for part in _parts(word, joined))


def _plain(text: str) -> str:
    """No accents, no invisible characters, no separators of thousands, no point of “c.1886” before a number, one way to
    write a minus.
    """
    text = _THOUSANDS.sub(lambda found: _NO_DIGIT.sub("", found[0]), regex.sub(r"\p{Cf}", "", text))
    text = _ACCENTED.sub(r"\1", unicodedata.normalize("NFKD", text))
    return str(_AFTER_LETTER.sub(". ", _MINUS.sub("-", unicodedata.normalize("NFKC", text))))


def _parts(word: str, joined: bool) -> Iterator[str]:
    """What a word consists of: a number keeps its sign and its decimals, and loses its currency."""
    sign = _SIGN.match(word)
    minus = "-" if sign and {"-", "−"} & set(sign.groups()) else ""
    pieces = [piece for piece in _JOINT.split(word[sign.end() :] if sign else word) if piece]
    for n, piece in enumerate(["".join(pieces)] if joined else pieces):
        marks = _SEPARATOR.findall(piece)
        if len(marks) > 1 or _TWO.search(piece):  # a date, years, a list
            yield from filter(None, _SEPARATOR.split(piece))
            continue
        number = piece.replace(",", ".").replace("٫", ".")
        yield (minus if n == 0 else "") + ("0" if number.startswith(".") else "") + number
