"""Everything that may follow the claim of an answer, byte by byte: titles, and spans of the passages under them.

A reading is where one way of reading the text so far stands; what has been written may be read in several ways, so
a state is a tuple of readings. Every reading can be brought to an end: none is kept that cannot. Axes: S starts of a
group, E entries of its table of tokens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gadfly.corpora._quotes import units
from gadfly.corpora._syntax import QUOTE_END, TITLE_END, Form
from gadfly.corpora._tokens import Node
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


class Start(NamedTuple):
    """Where a span may begin in a passage: the offset in the document, the passage, the characters it begins at, may
    first end at and may last end at, and the bytes of the first two.
    """

    offset: int
    passage: int
    begin: int
    first: int
    last: int
    byte: int
    first_byte: int


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


class Group:
    """The passages of one title and document, in which a quote begins and goes on. `starts` are in the document's
    order; `least_from[i]` is the fewest characters of a span that begins at start i or later.
    """

    def __init__(self, starts: list[Start], texts: Sequence[Text]) -> None:
        self.starts = sorted(starts)
        self.offsets = [start.offset for start in self.starts]
        self.least_S = np.array([start.first - start.begin for start in self.starts])
        self.least_from = np.minimum.accumulate(self.least_S[::-1])[::-1].tolist()
        self._texts = texts
        self._by_byte: dict[int, list[int]] = {}
        for i, start in enumerate(self.starts):
            self._by_byte.setdefault(texts[start.passage].bytes[start.byte], []).append(i)
        self._entries: dict[Node, Entries] = {}

    def beginning(self, text: bytes, offset: int, room: int) -> list[Start]:
        """The starts from an offset on whose first bytes these are, as far as no span ends, and that have room."""
        found = []
        for i in self._by_byte.get(text[0], ()):
            start = self.starts[i]
            if start.offset >= offset and start.first - start.begin <= room:
                known = text[: start.first_byte - start.byte]
                if self._texts[start.passage].bytes.startswith(known, start.byte):
                    found.append(start)
        return found

    def entries(self, node: Node) -> Entries:
        """What may be said below `node` at the beginning of a span, over all starts; made once."""
        if node not in self._entries:
            at, ids, through = [], [], []
            for i, start in enumerate(self.starts):
                text, byte, here = self._texts[start.passage].bytes, start.byte, node
                while byte < start.first_byte and (below := here.children.get(text[byte])) is not None:
                    here, byte = below, byte + 1
                    ids.extend(here.ids)
                    at.extend([i] * len(here.ids))
                if byte == start.first_byte and here.children:
                    through.append((i, here))
            self._entries[node] = Entries(np.array(at, dtype=int), np.array(ids, dtype=int), through)
        return self._entries[node]


class Entries(NamedTuple):
    """Tokens (E) by the start they follow, ascending, and the starts whose first end a token may reach beyond, each
    with the place in the tree of tokens that is reached there.
    """

    start_E: npt.NDArray[np.int_]
    token_E: npt.NDArray[np.int_]
    through: list[tuple[int, Node]]


class Spans:
    """What passages allow after a claim. `begin` is the state before the first `(`."""

    begin: State = (Reading(0, 0),)

    def __init__(
        self, passages: Sequence[Passage], form: Form, spellable: frozenset[str] | None = None
    ) -> None:
        self.form = form
        self.most = form.quote_chars[1]
        self.texts = [Text(p, form.quote_chars[0], spellable) for p in passages]
        self.groups: list[Group] = []
        self.group_of = [-1] * len(passages)
        self.groups_of: dict[bytes, list[int]] = {}
        members: dict[tuple[str, str], list[int]] = {}
        for i, passage in enumerate(passages):
            members.setdefault((passage.title, passage.document), []).append(i)
        for (title, _), of in members.items():
            starts = [start for i in of for start in self._starts(i)]
            if starts and can_be_written(title, spellable):
                for i in of:
                    self.group_of[i] = len(self.groups)
                self.groups_of.setdefault((title + TITLE_END).encode(), []).append(len(self.groups))
                self.groups.append(Group(starts, self.texts))
        self.titles = list(self.groups_of)

    def _starts(self, passage: int) -> Iterator[Start]:
        text = self.texts[passage]
        for begin, first, last in text.spans:
            if first - begin <= self.most:
                places = text.byte_at[begin], text.byte_at[first]
                yield Start(text.offset + begin, passage, begin, first, last, *places)

    def in_title(self, quotes: int) -> State:
        """Just after a `(`."""
        return tuple(Reading(TITLE, quotes, title, 0) for title in range(len(self.titles)))

    def advance(self, state: State, text: bytes) -> State:
        """The state after these bytes; empty if they may not come."""
        found: dict[Reading, None] = {}
        for reading in state:
            found.update(dict.fromkeys(self._after(reading, text)))
        return tuple(found)

    def _after(self, reading: Reading, text: bytes) -> Iterable[Reading]:
        """What becomes of one reading; inside a span all at once where the bytes cannot end it."""
        if not text:
            return (reading,)
        if reading.kind == START:
            return self._after_start(reading, text)
        if reading.kind == SPAN and b"]" not in text and b" [" not in text and text[-1:] != b" ":
            after = reading.c + len(text)
            fits = after <= reading.e and self.texts[reading.b].bytes.startswith(text, reading.c)
            return (reading._replace(c=after),) if fits else ()
        return self.advance(tuple(to for byte, to in self._next(reading) if byte == text[0]), text[1:])

    def _after_start(self, reading: Reading, text: bytes) -> Iterator[Reading]:
        _, _, group, offset, used, *_ = reading
        for start in self.groups[group].beginning(text, offset, self.most - used):
            known = min(len(text), start.first_byte - start.byte)
            yield from self._after(self._begun(reading, start, start.byte + known), text[known:])

    def _begun(self, reading: Reading, start: Start, byte: int) -> Reading:
        """A span that began at `start` and has come to a byte."""
        text = self.texts[start.passage]
        reach = min(start.last, start.begin + self.most - reading.d)
        last = text.byte_at[text.end_chars[bisect_right(text.end_chars, reach) - 1]]
        base = reading.d - start.begin
        return Reading(SPAN, reading.a, start.passage, byte, start.first_byte, last, base)

    def _next(self, reading: Reading) -> list[tuple[int, Reading]]:
        """Every byte that may come next, with what becomes of the reading; for all but START."""
        kind, quotes, b, c, *_ = reading
        if kind == SPAN:
            text = self.texts[b]
            onward = [(text.bytes[c], reading._replace(c=c + 1))] if c < reading.e else []
            return [*onward, *self._ending(reading, c)]
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
        return [(ending[c], Reading(START, quotes, group, 0, 0)) for group in self.groups_of[ending]]

    def _ending(self, reading: Reading, at: int) -> list[tuple[int, Reading]]:
        """How a span ends that has come to a byte, if it may end there."""
        _, quotes, passage, _, first, _, base = reading
        text = self.texts[passage]
        if at < first or at not in text.ends:
            return []
        end, group = text.ends[at], self.group_of[passage]
        offset, used = text.offset + end, base + end + len(ELLIPSIS)
        closing = (ord("]"), Reading(CLOSING, quotes))
        if self._goes_on(self.groups[group], offset, used):
            return [closing, (GAP[0], Reading(LEFT_OUT, quotes, group, 1, offset, used))]
        return [closing]

    def _goes_on(self, group: Group, offset: int, used: int) -> bool:
        """Whether another span fits after what has been quoted."""
        at = bisect_left(group.offsets, offset)
        return at < len(group.offsets) and used + group.least_from[at] <= self.most

    def tokens(self, node: Node, state: State) -> list[int]:
        """The tokens below `node` whose further bytes may come; some more than once."""
        ids: list[int] = []
        for reading in state:
            if reading.kind == START:
                self._starting(node, reading, ids)
            elif reading.kind == SPAN:
                self._in_span(node, reading, ids)
            else:
                self._below(node, self._next(reading), ids)
        return ids

    def _below(self, node: Node, ways: Iterable[tuple[int, Reading]], ids: list[int]) -> None:
        for byte, reading in ways:
            below = node.children.get(byte)
            if below is not None:
                ids.extend(below.ids)
                if below.children:
                    ids.extend(self.tokens(below, (reading,)))

    def _starting(self, node: Node, reading: Reading, ids: list[int]) -> None:
        _, _, index, offset, used, *_ = reading
        group = self.groups[index]
        entries = group.entries(node)
        fits_S = group.least_S <= self.most - used
        fits_S[: bisect_left(group.offsets, offset)] = False
        ids.extend(entries.token_E[fits_S[entries.start_E]].tolist())
        for i, here in entries.through:
            if fits_S[i]:
                start = group.starts[i]
                self._in_span(here, self._begun(reading, start, start.first_byte), ids)

    def _in_span(self, node: Node, reading: Reading, ids: list[int]) -> None:
        _, _, passage, at, first, last, _ = reading
        text = self.texts[passage]
        while True:
            if at >= first and at in text.ends and (93 in node.children or 32 in node.children):
                self._below(node, self._ending(reading, at), ids)
            if at == last:
                return
            below = node.children.get(text.bytes[at])
            if below is None:
                return
            node, at = below, at + 1
            ids.extend(node.ids)


def can_be_written(title: str, spellable: frozenset[str] | None) -> bool:
    """Whether a title can stand in an answer."""
    whole = TITLE_END not in title and not any(0xD800 <= ord(char) <= 0xDFFF for char in title)
    return whole and (spellable is None or spellable.issuperset(title))
