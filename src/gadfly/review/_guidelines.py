"""Guidelines: a Markdown file of numbered rules, and which of them matters for the item at hand.

Instructions to raters grow long, so the page cites the one that matters here. The search is BM25
over the rules with the item's words as the query (Robertson & Zaragoza 2009, "The probabilistic relevance
framework", section 3.4): a shared word counts the more, the fewer rules hold it and the more often it is said, and
the strongest of those words are the stated reason.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from markupsafe import Markup, escape

from gadfly.documents import text_in
from gadfly.errors import InputError
from gadfly.pages import visible
from gadfly.words import enumerated

__all__ = ["Guidelines", "Pick", "Rule", "prose", "read_guidelines"]

LONGEST = 200_000
"""Characters a guidelines file may have: more is not read by anyone, and every search reads all of it."""

READ = 20_000
"""Characters of an item that the search reads."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One numbered rule. `text` is Markdown without the title; `line` counts from 1."""

    number: int
    title: str
    text: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Pick:
    """The rule chosen for an item and why, in words. `by` is "search" or a model's name."""

    rule: Rule
    why: str
    by: str = "search"


@dataclass(frozen=True)
class Guidelines:
    """Numbered rules in order; `intro` is what stands before the first. Falsy without rules."""

    rules: tuple[Rule, ...] = ()
    intro: str = ""
    _terms: dict[int, Counter[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._terms.update((r.number, Counter(_stems(f"{r.title} {r.text}"))) for r in self.rules)

    def __bool__(self) -> bool:
        return bool(self.rules)

    @classmethod
    def parse(cls, text: str, name: str = "the guidelines") -> Guidelines:
        """The rules of a Markdown text. An empty text has none; one with words but no numbered rule is refused.

        A rule begins at the left margin with its number and goes on until the next; headings between rules
        belong to none. Raises `InputError`, which names the line.
        """
        if len(text) > LONGEST:
            raise InputError(f"{name} has {len(text):,} characters; keep guidelines under {LONGEST:,}.")
        intro, blocks = _blocks(text)
        if not blocks and text.strip():
            raise InputError(
                f"{name} holds no numbered rule: begin each on a line of its own, as in `1. **Title.** What it says.`"
            )
        rules = tuple(_rule(lines, start, name) for start, lines in blocks)
        for expected, rule in enumerate(rules, 1):
            if rule.number != expected:
                raise InputError(
                    f"{name}, line {rule.line}: rule {rule.number} stands where rule {expected} is expected; "
                    "number the rules 1, 2, 3 and so on."
                )
        return cls(rules, intro)

    def rule(self, number: int | None) -> Rule | None:
        """The rule of that number, or None."""
        return self.rules[number - 1] if number is not None and 0 < number <= len(self.rules) else None

    def pick(self, words: str) -> Pick | None:
        """The rule that shares most with the words of an item, or None where none shares anything.

        Only the first `READ` characters count. The earlier rule wins a tie.
        """
        said = _words(words[:READ])
        asked = {_stem(word): word for word in said}
        times = Counter(_stem(word) for word in said)
        scored = [(self._shared(rule, times), rule) for rule in self.rules]
        shares = [(sum(shared.values()), -rule.number, shared, rule) for shared, rule in scored if shared]
        if not shares:
            return None
        _, _, shared, rule = max(shares, key=lambda entry: entry[:2])
        strongest = sorted(shared, key=lambda stem: (-shared[stem], stem))[:3]
        return Pick(rule, _why([asked[stem] for stem in strongest]))

    def _shared(self, rule: Rule, asked: Counter[str]) -> dict[str, float]:
        """BM25's summand for each stem the rule shares with the item (k1 = 1.2, b = 0.75, k3 = 2).

        Stems that more than half of the rules hold say nothing about one of them and are left out.
        """
        terms = self._terms[rule.number]
        length = terms.total() / self._mean
        common = max(1, len(self.rules) // 2)
        return {
            stem: self._rarity[stem]
            * (times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length)))
            * (asked[stem] * 3 / (asked[stem] + 2))
            for stem, times in terms.items()
            if stem in asked and self._held[stem] <= common
        }

    @cached_property
    def _held(self) -> Counter[str]:
        """In how many rules each stem occurs."""
        return Counter(stem for terms in self._terms.values() for stem in terms)

    @cached_property
    def _rarity(self) -> dict[str, float]:
        total = len(self.rules)
        return {stem: math.log1p((total - n + 0.5) / (n + 0.5)) for stem, n in self._held.items()}

    @cached_property
    def _mean(self) -> float:
        return sum(terms.total() for terms in self._terms.values()) / len(self._terms) or 1.0


def read_guidelines(path: str | os.PathLike[str]) -> Guidelines:
    """The rules in a file. Raises `InputError` when it is missing, no text, or holds no rules."""
    place = Path(path)
    text = text_in(place)
    if not text.strip():
        raise InputError(
            f"The guidelines {place} are empty: write rules, as in `1. **Title.** What it says.`"
        )
    return Guidelines.parse(text, str(place))


# --- parsing ----------------------------------------------------------------------------------------------

_NUMBERED = re.compile(r"([0-9]{1,4})[.)][ \t]+(?=\S)|([0-9]{1,4})[.)][ \t]*$")
_HEADING = re.compile(r"#{1,6}([ \t]|$)")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_TITLE = re.compile(r"\*\*(?P<title>(?:(?!\*\*).)+)\*\*[ \t]*(?P<rest>.*)", re.DOTALL)


def _blocks(text: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """What stands before the first rule, and each rule's first line number with its lines."""
    intro: list[str] = []
    blocks: list[tuple[int, list[str]]] = []
    into, fenced = intro, False
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and _NUMBERED.match(line):
            into = []
            blocks.append((number, into))
        elif not fenced and blocks and _HEADING.match(line):
            into = []
        into.append(line)
    return "\n".join(intro).strip(), blocks


def _rule(lines: list[str], start: int, name: str) -> Rule:
    found = _NUMBERED.match(lines[0])
    assert found is not None
    number, first = int(found[1] or found[2]), lines[0][found.end() :]
    text = "\n".join([first, *(_unindented(line) for line in lines[1:])]).strip()
    if not text:
        raise InputError(f"{name}, line {start}: rule {number} is empty; write what it says, or take it out.")
    titled = _TITLE.fullmatch(text)
    if titled is None or not titled["title"].strip():
        return Rule(number, "", text, start)
    return Rule(number, " ".join(titled["title"].split()), titled["rest"].strip(), start)


def _unindented(line: str) -> str:
    """Without the up to four columns that set a rule's later lines under its first."""
    return line[min(4, len(line) - len(line.lstrip(" "))) :]


# --- showing ----------------------------------------------------------------------------------------------

_INLINE = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*|`([^`]+)`|(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])")


def prose(markdown: str) -> Markup:
    """Paragraphs, bold, italics and code of a rule as HTML; anything else stays as it was typed."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n[ \t]*\n", markdown) if part.strip()]
    return Markup("").join(Markup("<p>{}</p>").format(_inline(part)) for part in paragraphs)


def _inline(text: str) -> Markup:
    return Markup("").join(_pieces(visible(text)))


def _pieces(text: str) -> Iterator[Markup]:
    end = 0
    for found in _INLINE.finditer(text):
        yield escape(text[end : found.start()])
        tag = {1: "strong", 2: "code", 3: "em"}[found.lastindex or 1]
        yield Markup(f"<{tag}>{{}}</{tag}>").format(found[found.lastindex or 1])  # noqa: S704 - one of three
        end = found.end()
    yield escape(text[end:])


# --- words ------------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W\d_]{3,}")
_ENDING = re.compile(r"(?:ing|edly|ed|es|s|ly|'s)$")


_OF_RULES = frozenset(
    "say said ask answer reply repli question questioner rule item fail model tell".split()  # noqa: SIM905
)
"""Stems that guidelines use to speak about items: sharing one says nothing."""


def _words(text: str) -> list[str]:
    words = (word for word in _WORD.findall(text.casefold()) if word not in _stop_words())
    return [word for word in words if _stem(word) not in _OF_RULES]


@cache
def _stop_words() -> frozenset[str]:
    # Imported late: scikit-learn takes a second, and most verbs read no guidelines.
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def _stem(word: str) -> str:
    """A word without its commonest English endings, so that "claims" meets "claimed"."""
    short = _ENDING.sub("", word)
    return short.removesuffix("e") if len(short) >= 3 else word


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in _words(text)]


def _why(words: list[str]) -> str:
    shared = enumerated([f"“{word}”" for word in words])
    return f"This item and the rule share {shared}."
