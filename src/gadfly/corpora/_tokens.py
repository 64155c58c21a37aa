"""A tokenizer's vocabulary seen as byte strings: which tokens continue a text, and which may stand in a claim.

Axes: V tokens of the vocabulary, S states of reading a claim.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CLAIM_START", "ClaimTable", "Node", "Tokens"]

GREATER, LESS, PERCENT = b"<>%"[1], b"<>%"[0], b"<>%"[2]
CLAIM_START = 0
EXIT = 10_000


class Node:
    """A place in the tree of all tokens: those among `words[low:high]`, sorted, that begin alike for `depth` bytes.

    Only the branches that are asked for are ever made.
    """

    __slots__ = ("_children", "_depth", "_high", "_low", "_words", "ids")

    def __init__(self, words: Sequence[tuple[bytes, int]], low: int, high: int, depth: int) -> None:
        ids = []
        while low < high and len(words[low][0]) == depth:
            ids.append(words[low][1])
            low += 1
        self.ids = ids
        self._words, self._low, self._high, self._depth = words, low, high, depth
        self._children: dict[int, Node] | None = None

    @property
    def children(self) -> dict[int, Node]:
        """By next byte."""
        if self._children is None:
            self._children, low = {}, self._low
            while low < self._high:
                byte, high = self._words[low][0][self._depth], low + 1
                while high < self._high and self._words[high][0][self._depth] == byte:
                    high += 1
                self._children[byte] = Node(self._words, low, high, self._depth + 1)
                low = high
        return self._children


@dataclass(frozen=True)
class ClaimTable:
    """What each token does in one state of a claim: the state after it (-1: impossible) and how many characters
    it adds. `exits` are tokens that end the claim: (id, offset after the closing marks, characters added to the
    claim, -1 where its last one turned out to be the first of the marks).
    """

    after_V: npt.NDArray[np.int16]
    chars_V: npt.NDArray[np.int32]
    exits: tuple[tuple[int, int, int], ...]


class Tokens:
    """The vocabulary of one tokenizer. `words[i]` are the bytes of token i; empty for those that say nothing."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self.words = list(words)
        self._known = frozenset(self.words)
        ordered = sorted((word, i) for i, word in enumerate(self.words) if word)
        self.root = Node(ordered, 0, len(ordered), 0)
        self.longest = max(map(len, self.words), default=0)
        self.reading = reading()

    def spellable(self, text: str) -> frozenset[str]:
        """The characters of `text` that some token says, or one token for each byte."""
        known = self._known
        chars = {char: char.encode("utf-8", "surrogatepass") for char in set(text)}
        return frozenset(
            char
            for char, said in chars.items()
            if said in known or all(said[i : i + 1] in known for i in range(len(said)))
        )

    @functools.cached_property
    def _padded(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Lengths of all words, their bytes end to end, and where each begins."""
        lengths_V = np.array([len(word) for word in self.words], dtype=np.int32)
        starts_V = np.concatenate([[0], np.cumsum(lengths_V)[:-1]]).astype(np.int64)
        return lengths_V, np.frombuffer(b"".join(self.words), dtype=np.uint8), starts_V

    @functools.lru_cache(maxsize=64)  # noqa: B019  as many as there are states; the tokenizer outlives them
    def claim(self, state: int) -> ClaimTable:
        """All tokens read from one state of a claim."""
        lengths_V, text, starts_V = self._padded
        state_V = np.full(len(self.words), state, dtype=np.int16)
        state_V[lengths_V == 0] = -1
        chars_V = np.zeros(len(self.words), dtype=np.int32)
        exits: list[tuple[int, int, int]] = []
        alive = np.flatnonzero(lengths_V > 0)
        for at in range(self.longest):
            alive = alive[(lengths_V[alive] > at) & (state_V[alive] >= 0)]
            if not len(alive):
                break
            byte = text[starts_V[alive] + at]
            chars_V[alive] += (byte & 0xC0) != 0x80
            after = self.reading.next[state_V[alive], byte]
            left = alive[after == EXIT]
            exits.extend((int(i), at + 1, int(chars_V[i]) - 2) for i in left)
            state_V[alive] = np.where(after == EXIT, -1, after)
        return ClaimTable(state_V, chars_V, tuple(exits))


@dataclass(frozen=True)
class Reading:
    """A byte-level automaton of claims: `next[state, byte]` is the state after it, -1 impossible, `EXIT` after `>%`.

    `open[state]` is True where the last character was `>`, which may be the first of the closing marks.
    """

    next: npt.NDArray[np.int16]
    open: tuple[bool, ...]


def forbidden(first: bool) -> frozenset[str]:
    """Characters a claim cannot contain: controls and line breaks; at its beginning no white space either."""
    chars = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
    return frozenset(chars | ({chr(c) for c in range(0x3100) if chr(c).isspace()} if first else set()))


@functools.cache
def reading() -> Reading:
    """The automaton; a state is what has been read of the current character, and what matters of the last one."""
    special = {c.encode()[:n] for c in forbidden(True) if ord(c) > 127 for n in range(1, 4)}
    states: dict[tuple[str, bytes | int], int] = {("first", b""): CLAIM_START}
    rows: list[list[int]] = []
    opens: list[bool] = []
    queue = list(states)
    for name, prefix in queue:
        row = []
        for byte in range(256):
            after = follow(name, prefix, byte, special)
            if after is None or isinstance(after, str):
                row.append(-1 if after is None else EXIT)
                continue
            if after not in states:
                states[after] = len(states)
                queue.append(after)
            row.append(states[after])
        rows.append(row)
        opens.append(name == "greater")
    return Reading(np.array(rows, dtype=np.int16), tuple(opens))


def follow(
    name: str, prefix: bytes | int, byte: int, special: set[bytes]
) -> tuple[str, bytes | int] | str | None:
    """One byte on. `prefix` holds the bytes of an unfinished character while they matter, else how many are due."""
    if prefix == b"":
        if byte < 0x80:
            if chr(byte) in forbidden(name == "first") or (name == "percent" and byte == LESS):
                return None
            if name == "greater" and byte == PERCENT:
                return "exit"
            return {GREATER: "greater", PERCENT: "percent"}.get(byte, "body"), b""
        due = 1 if 0xC2 <= byte <= 0xDF else 2 if 0xE0 <= byte <= 0xEF else 3 if 0xF0 <= byte <= 0xF4 else 0
        if not due:
            return None
        lead, where = bytes([byte]), "first" if name == "first" else "body"
        return where, lead if lead in special or byte in (0xE0, 0xED, 0xF0, 0xF4) else due
    if not 0x80 <= byte <= 0xBF:
        return None
    if isinstance(prefix, int):
        return ("body", b"") if prefix == 1 else (name, prefix - 1)
    char = prefix + bytes([byte])
    due = (2 if prefix[0] < 0xE0 else 3 if prefix[0] < 0xF0 else 4) - len(char)
    if len(char) == 2 and not 0x80 <= byte <= 0xBF:
        return None
    low, high = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}.get(
        prefix[0] if len(prefix) == 1 else 0, (0x80, 0xBF)
    )
    if not low <= byte <= high:
        return None
    if due == 0:
        return None if char.decode() in forbidden(name == "first") else ("body", b"")
    return name, char if char in special else due
