"""From tokens to text, one token at a time.

Byte-level and byte-fallback vocabularies are turned into a table of bytes once; decoding is then a lookup and
UTF-8, incomplete characters held back. Any other tokenizer is asked to decode twice per token.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Protocol

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

__all__ = ["Detokenizer", "Vocabulary"]


class Detokenizer(Protocol):
    """Text of one sequence as it grows; special tokens have none."""

    def push(self, token: int) -> str:
        """The text that is certain now that `token` is known."""
        ...

    def flush(self) -> str:
        """What was held back; an incomplete character becomes U+FFFD."""
        ...


class Vocabulary:
    """What each token of a tokenizer says."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder.items()
        self._special = frozenset(tokenizer.all_special_ids) | {i for i, text in added if text.special}
        self._table = byte_table(tokenizer)

    @property
    def spoken(self) -> list[bytes] | None:
        """What every token adds to a text, by its id; special tokens add nothing. None for a tokenizer whose pieces
        do not say; the first piece of a text may lose a leading space.
        """
        table = self._table or byte_table(self._tokenizer, anywhere=True)
        return table and [b"" if i in self._special else said for i, said in enumerate(table)]

    def detokenizer(self) -> Detokenizer:
        if self._table is None:
            return _Asking(self._tokenizer)
        return _Table(self._table, self._special)

    def decode(self, tokens: list[int]) -> str:
        """The text of a whole sequence, special tokens left out."""
        stream = self.detokenizer()
        return "".join([stream.push(token) for token in tokens]) + stream.flush()

    def text(self, token: int) -> str:
        """One token on its own; a special token is written out, an incomplete character becomes U+FFFD."""
        if self._table is not None:
            return said(self._table, token).decode("utf-8", "replace")
        return str(self._tokenizer.decode([token]))

    def bytes(self, token: int) -> bytes | None:
        """The token's bytes, None where the tokenizer does not tell."""
        return None if self._table is None else said(self._table, token)


def byte_table(tokenizer: PreTrainedTokenizerBase, anywhere: bool = False) -> list[bytes] | None:
    """The bytes of every token, or None for a tokenizer whose decoding depends on a token's neighbours.

    `anywhere`: also where only the first piece of a text is decoded otherwise, by losing its leading space.
    """
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    decoder = json.loads(backend.to_str()).get("decoder") or {}
    steps = [step["type"] for step in decoder.get("decoders", [decoder]) if "type" in step]
    added = {i: str(t).encode() for i, t in tokenizer.added_tokens_decoder.items()}
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    if steps == ["ByteLevel"]:
        back = {char: byte for byte, char in bytes_to_unicode().items()}  # type: ignore[no-untyped-call]
        return [added.get(i) or level_bytes(str(piece or ""), back) for i, piece in enumerate(pieces)]
    fallback = ["Replace", "ByteFallback", "Fuse"]
    if steps == fallback or (anywhere and steps in ([*fallback, "Strip"], ["Metaspace"])):
        return [added.get(i) or fallback_bytes(str(piece or "")) for i, piece in enumerate(pieces)]
    return None


def said(table: list[bytes], token: int) -> bytes:
    """A token's bytes; none for the ids beyond the vocabulary that some models are padded with."""
    return table[token] if token < len(table) else b""


def level_bytes(piece: str, back: dict[str, int]) -> bytes:
    """A byte-level piece, each of whose characters stands for one byte."""
    return bytes(back[c] for c in piece) if all(c in back for c in piece) else piece.encode()


def fallback_bytes(piece: str) -> bytes:
    """A sentencepiece piece: `<0x0A>` is a byte, `▁` a space."""
    byte = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace("▁", " ").encode()


class _Table:
    def __init__(self, table: list[bytes], special: frozenset[int]) -> None:
        self._table, self._special = table, special
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return "" if token in self._special else self._utf8.decode(said(self._table, token))

    def flush(self) -> str:
        return self._utf8.decode(b"", True)


class _Asking:
    """Decodes a short window with and without the newest tokens; what they add is the new text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._start = self._read = 0

    def push(self, token: int) -> str:
        self._tokens.append(token)
        new = self._new()
        if not new or new.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._start, self._read = self._read, len(self._tokens)
        return new

    def flush(self) -> str:
        new = self._new()
        self._start, self._read = self._read, len(self._tokens)
        return new

    def _new(self) -> str:
        old = self._decode(self._tokens[self._start : self._read])
        return self._decode(self._tokens[self._start :])[len(old) :]

    def _decode(self, tokens: list[int]) -> str:
        return str(
            self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )
