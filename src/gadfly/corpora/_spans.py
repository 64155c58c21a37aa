"""Everything that may follow the claim of an answer, byte by byte: titles, and spans of the passages under them.

A reading is where one way of reading the text so far stands; what has been written may be read in several ways, so
a state is a tuple of readings. Every reading can be brought to an end: none is kept that cannot.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gadfly.corpora._quotes import units
from gadfly.corpora._syntax import QUOTE_END, TITLE_END, Form
from gadfly.corpora._types import ELLIPSIS, Passage

__all__ = ["DONE", "Reading", "Spans", "State"]

GAP = ELLIPSIS.encode()


class Reading(NamedTuple):
    """One way to read the text so far. `kind` says which of the numbers mean what; see the functions that make it."""

    kind: int
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0
    f: int = 0


State = tuple[Reading, ...]
DONE, TITLE, START, SPAN, LEFT_OUT, CLOSING = range(6)
"""DONE(quotes so far), before the next `(` or the end · TITLE(quotes, title, byte) · START(quotes, group, from offset,
characters used) · SPAN(quotes, passage, byte, first end, last end, characters used less the character it began
at) · LEFT_OUT(quotes, group, byte, from offset, characters used) · CLOSING(quotes)"""


@dataclass(frozen=True)
class Start:
    """Where a span may begin in a passage: the offset in the document, in the passage, the first place where the
    span may end, the last one, and the byte where it begins. All but `byte` count characters.
    """

    offset: int
    passage: int
    begin: int
    first: int
    last: int
    byte: int


class Text:
    """One passage: its bytes, which byte each character begins at, and where spans may begin and end."""

    def __init__(self, passage: Passage, least_chars: int, spellable: frozenset[str] | None) -> None:
        self.offset = passage.start
        text = passage.text
        self.bytes = text.encode("utf-8", "surrogatepass")
        sizes = [utf8_size(char) for char in text]
        self.byte_at = [0]
        for size in sizes:
            self.byte_at.append(self.byte_at[-1] + size)
        cut = units(text)
        self.end_chars = cut.ends
        self.ends = {self.byte_at[end]: end for end in cut.ends}
        self.barriers = barriers(text, spellable)
        whole = cut.ends[-1] - cut.starts[0] if cut.ends else 0
        least = min(least_chars, whole)
        self.spans: list[tuple[int, int, int]] = []
        for i, start in enumerate(cut.starts):
            enough = bisect_left(cut.words, cut.words[i] + cut.least)
            if enough >= len(cut.words):
                break
            first = bisect_left(cut.ends, max(cut.ends[enough - 1], start + least))
            if first == len(cut.ends):
                break
            barrier = self.barriers[bisect_left(self.barriers, (start, -1)) :][:1]
            last = barrier[0][1] if barrier else cut.ends[-1]
            if cut.ends[first] <= last:
                self.spans.append((start, cut.ends[first], last))


def utf8_size(char: str) -> int:
    """Bytes of a character."""
    code = ord(char)
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


def barriers(text: str, spellable: frozenset[str] | None) -> list[tuple[int, int]]:
    """Places (from, to): a span that begins at or before `from` ends at or before `to`. They are around what cannot be
    written in an answer: its closing marks, half a surrogate pair, characters that no token spells.
    """
    found = [(at, at + len(QUOTE_END) - 1) for at in finds(text, QUOTE_END)]
    odd = [
        c for c in set(text) if 0xD800 <= ord(c) <= 0xDFFF or (spellable is not None and c not in spellable)
    ]
    found += [(at, at) for char in odd for at in finds(text, char)]
    return sorted(found)


def finds(text: str, part: str) -> list[int]:
    """Every place where it occurs."""
    at, found = text.find(part), []
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return found


class Spans:
    """What passages allow after a claim. `begin` is the state before the first `(`."""

    def __init__(
        self, passages: Sequence[Passage], form: Form, spellable: frozenset[str] | None = None
    ) -> None:
        self.form = form
        self.most = form.quote_chars[1]
        self.texts = [Text(p, form.quote_chars[0], spellable) for p in passages]
        self.starts: list[list[Start]] = []
        self.least_from: list[list[int]] = []
        self.by_byte: list[dict[int, list[Start]]] = []
        self.group_of = [-1] * len(passages)
        groups: dict[tuple[str, str], list[int]] = {}
        for i, passage in enumerate(passages):
            groups.setdefault((passage.title, passage.document), []).append(i)
        self.titles: list[bytes] = []
        self.groups_of: list[list[int]] = []
        for (title, _), members in groups.items():
            if can_be_written(title, spellable) and self._add(members):
                self._name(title.encode() + TITLE_END.encode())
        self.begin: State = (Reading(DONE, 0),)

    def _add(self, members: list[int]) -> bool:
        """A group of passages, of one title and document; False if nothing can be quoted from it."""
        starts = []
        for i in members:
            text = self.texts[i]
            for begin, first, last in text.spans:
                if first - begin <= self.most:
                    at = text.byte_at[begin]
                    starts.append(Start(text.offset + begin, i, begin, first, last, at))
        if not starts:
            return False
        starts.sort(key=lambda s: s.offset)
        least, below = [], self.most + 1
        for start in reversed(starts):
            below = min(below, start.first - start.begin)
            least.append(below)
        by_byte: dict[int, list[Start]] = {}
        for start in starts:
            by_byte.setdefault(self.texts[start.passage].bytes[start.byte], []).append(start)
        for i in members:
            self.group_of[i] = len(self.starts)
        self.starts.append(starts)
        self.least_from.append(least[::-1])
        self.by_byte.append(by_byte)
        return True

    def _name(self, ending: bytes) -> None:
        if ending not in self.titles:
            self.titles.append(ending)
            self.groups_of.append([])
        self.groups_of[self.titles.index(ending)].append(len(self.starts) - 1)

    def in_title(self, quotes: int) -> State:
        """Just after a `(`."""
        return tuple(Reading(TITLE, quotes, title, 0) for title in range(len(self.titles)))

    def branches(self, state: State) -> dict[int, dict[Reading, None]]:
        """The readings after each byte that may come next, in a fixed order."""
        found: dict[int, dict[Reading, None]] = {}
        for reading in state:
            for byte, after in self._next(reading):
                found.setdefault(byte, {})[after] = None
        return found

    def advance(self, state: State, text: bytes) -> State:
        """The state after these bytes; empty if they may not come."""
        for byte in text:
            state = tuple(self.branches(state).get(byte, ()))
        return state

    def _next(self, reading: Reading) -> list[tuple[int, Reading]]:
        kind, quotes, b, c, *_ = reading
        if kind == SPAN:
            return self._in_span(reading)
        if kind == START:
            return self._starting(reading)
        if kind == LEFT_OUT:
            if c + 1 == len(GAP):
                return [(GAP[c], Reading(START, quotes, b, reading.d, reading.e))]
            return [(GAP[c], reading._replace(c=c + 1))]
        if kind == CLOSING:
            return [(ord("%"), Reading(DONE, quotes + 1))]
        if kind == DONE:
            return [(ord("("), title) for title in self.in_title(quotes)] if quotes < self.form.quotes else []
        ending = self.titles[b]
        if c + 1 < len(ending):
            return [(ending[c], reading._replace(c=c + 1))]
        return [(ending[c], Reading(START, quotes, group, 0, 0)) for group in self.groups_of[b]]

    def _starting(self, reading: Reading) -> list[tuple[int, Reading]]:
        """The first byte of a span that begins at or after an offset of the document."""
        _, quotes, group, offset, used, *_ = reading
        found = []
        for byte, starts in self.by_byte[group].items():
            for start in starts[bisect_left(starts, offset, key=lambda s: s.offset) :]:
                text = self.texts[start.passage]
                reach = min(start.last, start.begin + self.most - used)
                if start.first <= reach:
                    last = text.end_chars[bisect_right(text.end_chars, reach) - 1]
                    ends = text.byte_at[start.first], text.byte_at[last]
                    base = used - start.begin
                    found.append((byte, Reading(SPAN, quotes, start.passage, start.byte + 1, *ends, base)))
        return found

    def _in_span(self, reading: Reading) -> list[tuple[int, Reading]]:
        """Another byte of the passage, or the end of the span where it has reached one."""
        _, quotes, passage, at, first, last, base = reading
        text = self.texts[passage]
        found = [(text.bytes[at], reading._replace(c=at + 1))] if at < last else []
        if at >= first and at in text.ends:
            found.append((ord("]"), Reading(CLOSING, quotes)))
            end = text.ends[at]
            used, group = base + end + len(ELLIPSIS), self.group_of[passage]
            if self._goes_on(group, text.offset + end, used):
                found.append((GAP[0], Reading(LEFT_OUT, quotes, group, 1, text.offset + end, used)))
        return found

    def _goes_on(self, group: int, offset: int, used: int) -> bool:
        """Whether another span fits after what has been quoted."""
        at = bisect_left(self.starts[group], offset, key=lambda s: s.offset)
        return at < len(self.starts[group]) and used + self.least_from[group][at] <= self.most


def can_be_written(title: str, spellable: frozenset[str] | None) -> bool:
    """Whether a title can stand in an answer."""
    whole = TITLE_END not in title and not any(0xD800 <= ord(char) <= 0xDFFF for char in title)
    return whole and (spellable is None or spellable.issuperset(title))
