"""Small vocabularies and a way to walk through what a mask allows."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from gadfly.corpora import Form, Passage
from gadfly.corpora._tokens import Tokens
from gadfly.corpora._verbatim import Verbatim

EOS = 0
BYTES = [bytes([byte]) for byte in range(256)]
PIECES = [
    b"the",
    b" the",
    b" a",
    b"]%",
    b"]%(",
    b".]%",
    b")%[",
    b" [...] ",
    b" [...]",
    b" [",
    b"[...",
    b">%(",
    b">%",
    b"%(",
    b"%[",
    b")%[the",
    b"a]%",
    b" [...] a",
    b"  ",
    b" \n",
    "中国".encode(),
    "中".encode()[:2],
    b"\xb8\xad",
    "é".encode(),
    "e\u0301".encode(),
    b"1.5",
    b".5",
    b"(A)%[",
    b"b c",
    b" b c d]%",
    b"]]",
    b"] ",
    b" ]",
    "👩".encode(),
    b"%%",
    b"<%",
    b"%<",
    b" x>%(",
    b"\xed\xa0",
]


def passage(text: str, title: str = "T", document: str = "d", start: int = 0) -> Passage:
    return Passage(document, title, text, start, start + len(text))


def vocabulary(extra: Sequence[bytes] = PIECES) -> Tokens:
    """Token 0 says nothing and ends an answer; then every byte; then longer pieces, of which some say the same."""
    return Tokens([b"", *BYTES, *extra])


def mask_of(tokens: Tokens, passages: Sequence[Passage], form: Form | None = None) -> Verbatim:
    return Verbatim(tokens, frozenset([EOS]), passages, form or Form())


def ids_of(allowed: torch.Tensor | None) -> list[int]:
    """The tokens that a mask's answer allows, in whichever of the two ways it tells them."""
    assert allowed is not None
    return (allowed.nonzero()[:, 0] if allowed.dtype == torch.bool else allowed).tolist()


def walk(mask: Verbatim, rng: random.Random, most: int = 3000) -> str:
    """A text of allowed tokens, longer ones preferred, up to its end."""
    allowed, sampled = mask.start(), list[int]()
    while True:
        ids = ids_of(allowed(sampled))
        assert ids, b"".join(mask.tokens.words[t] for t in sampled)
        long = [i for i in ids if len(mask.tokens.words[i]) > 1]
        token = rng.choice(long if long and rng.random() < 0.5 else ids)
        if token == EOS:
            return b"".join(mask.tokens.words[t] for t in sampled).decode()
        sampled.append(token)
        assert len(sampled) < most


def tokenised(words: dict[bytes, list[int]], text: bytes, rng: random.Random) -> list[int]:
    """Some way to write `text` in tokens, any of all there are equally likely at each step."""
    ids, at, longest = [], 0, max(map(len, words))
    while at < len(text):
        sizes = [n for n in range(1, longest + 1) if text[at : at + n] in words and at + n <= len(text)]
        size = rng.choice(sizes)
        ids.append(rng.choice(words[text[at : at + size]]))
        at += size
    return ids


def refused(mask: Verbatim, text: str, rng: random.Random) -> str | None:
    """The first token refused of a random way to write `text`, with what came before it; None if none is."""
    words: dict[bytes, list[int]] = {}
    for i, word in enumerate(mask.tokens.words):
        if word:
            words.setdefault(word, []).append(i)
    ids, allowed = tokenised(words, text.encode(), rng), mask.start()
    for at, token in enumerate([*ids, EOS]):
        if token not in ids_of(allowed(ids[:at])):
            before = b"".join(mask.tokens.words[t] for t in ids[:at])
            return f"{mask.tokens.words[token]!r} after {before!r}"
    return None
