"""Answers whose title and quotes are verbatim by construction: a mask over the model's next token.

The claim is free text; what follows it is written byte by byte along the passages (`_spans`), whatever the
tokenizer: a token is allowed if and only if its bytes begin something that can be brought to a right end. So any
tokenisation of any span is allowed, and nothing else.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch

from gadfly.corpora._spans import DONE, Spans, State
from gadfly.corpora._syntax import Form
from gadfly.corpora._tokens import CLAIM_START, Tokens
from gadfly.corpora._types import Passage
from gadfly.errors import InputError
from gadfly.models._request import Allowed

if TYPE_CHECKING:
    from gadfly.models._local import LocalModel

__all__ = ["Verbatim", "verbatim"]

KEPT_PLACES = 4096
"""Places after the claim whose allowed tokens are kept, as ids: hundreds, where a mask has the vocabulary's size."""
KEPT_CLAIMS = 64
"""Places in the claim whose masks are kept: most claims see three of them, long ones some near their end."""
KEPT_SETS = 256
"""Sets of passages, over all models, whose masks are kept."""


class InClaim(NamedTuple):
    """Where an answer stands in its claim: the state of reading it, and its characters so far."""

    state: int
    chars: int


Place = InClaim | State
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Verbatim:
    """A mask (`models.Request.mask`) for answers in one form from some passages. Get it from `verbatim`."""

    def __init__(self, tokens: Tokens, eos: frozenset[int], passages: Sequence[Passage], form: Form) -> None:
        self.tokens, self.form = tokens, form
        self.eos = sorted(eos)
        self.size = max([len(tokens.words) - 1, *eos]) + 1
        self.spans = Spans(passages, form, tokens.spellable("".join(p.title + p.text for p in passages)))
        if not self.spans.titles:
            raise InputError(
                "There is nothing to quote: no passage has words enough under a title that can be written."
            )
        self.begin: Place = InClaim(CLAIM_START, 0) if form.claim is None else self.spans.in_title(0)
        self._claims: OrderedDict[InClaim, torch.Tensor] = OrderedDict()
        self._places: OrderedDict[State, torch.Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def start(self) -> Allowed:
        """The state of one sample."""
        place, read = self.begin, 0

        def allowed(sampled: Sequence[int]) -> torch.Tensor:
            nonlocal place, read
            for token in sampled[read:]:
                place = self.after(place, token)
            read = len(sampled)
            return self.allowed(place)

        return allowed

    def after(self, place: Place, token: int) -> Place:
        """Where the answer stands after one more token; raises `InputError` for one that was not allowed."""
        word = self.tokens.words[token] if token < len(self.tokens.words) else b""
        there: Place = ()
        if word and isinstance(place, InClaim):
            table = self.tokens.claim(place.state)
            there = InClaim(int(table.after_V[token]), place.chars + int(table.chars_V[token]))
            if there.state < 0:
                exits = [(at, chars) for i, at, chars in table.exits if i == token]
                there = self.spans.advance(self.spans.begin, word[exits[0][0] :]) if exits else ()
        elif word and not isinstance(place, InClaim):
            there = self.spans.advance(place, word)
        if not there:
            raise InputError(f"Token {token} ({word!r}) is not allowed there.")
        return there

    def allowed(self, place: Place) -> torch.Tensor:
        """Which tokens may come next, as `models.Request.mask` tells it: in the claim a bool tensor (V), after it the
        ids. Not to be written to."""
        with self._lock:
            if isinstance(place, InClaim):
                return kept(self._claims, self._like(place), self._in_claim, KEPT_CLAIMS)
            return kept(self._places, place, self._after_claim, KEPT_PLACES)

    def _like(self, place: InClaim) -> InClaim:
        """A place of a claim that allows the same, one for all that are far from its shortest and longest."""
        least, most = self.form.claim_chars
        far = least < place.chars < most - self.tokens.longest
        return place._replace(chars=least + 1) if far else place

    def _in_claim(self, place: InClaim) -> torch.Tensor:
        state, chars = place
        least, most = self.form.claim_chars
        table, reading = self.tokens.claim(state), self.tokens.reading
        after = torch.from_numpy(table.after_V)
        bound = torch.tensor([most + is_open for is_open in reading.open])
        mask = torch.zeros(self.size, dtype=torch.bool)
        fits = torch.from_numpy(table.chars_V) + chars <= bound[after.long().clamp(min=0)]
        mask[: len(after)] = (after >= 0) & fits
        for token, at, added in table.exits:
            if least <= chars + added <= most:
                rest = self.tokens.words[token][at:]
                mask[token] = bool(self.spans.advance(self.spans.begin, rest))
        return mask

    def _after_claim(self, state: State) -> torch.Tensor:
        ids = self.spans.tokens(self.tokens.root, state)
        if any(reading.kind == DONE and reading.a > 0 for reading in state):
            ids.extend(self.eos)
        return torch.from_numpy(np.unique(np.array(ids, np.int32)))


def kept(memory: OrderedDict[K, V], key: K, make: Callable[[K], V], most: int) -> V:
    """What is remembered under the key, made where it is not; the `most` used last are remembered."""
    value = memory.pop(key) if key in memory else make(key)
    memory[key] = value
    if len(memory) > most:
        memory.popitem(last=False)
    return value


def verbatim(local: LocalModel, passages: Sequence[Passage], form: Form = Form()) -> Verbatim:  # noqa: B008
    """The mask for answers from these passages, after a prompt that ends with `form.opening`.

    The title is that of a passage, a quote consists of spans of passages under it, of one document and in its order.
    Made once for the same model, passages and form. Raises `InputError` where nothing can be quoted (no passage with
    words enough, or none short enough for `form.quote_chars`), and for a model whose tokenizer does not tell its
    tokens' text or that has no token to end with.
    """
    key = (tuple(passages), form)
    with _lock:
        memory = _kept.setdefault(local, OrderedDict())
        return kept(memory, key, lambda _: Verbatim(tokens_of(local), local.eos, passages, form), KEPT_SETS)


def tokens_of(local: LocalModel) -> Tokens:
    """The vocabulary of a model, read once."""
    if local not in _vocabularies:
        words = local.vocabulary.spoken
        if words is None:
            raise InputError(
                f"{local.name}'s tokenizer does not tell what each token says, so its quotes cannot be made verbatim; "
                "use a model with a byte-level or sentencepiece tokenizer."
            )
        if not local.eos:
            raise InputError(f"{local.name} has no token that ends a reply, so an answer of it cannot end.")
        _vocabularies[local] = Tokens([b"" if i in local.eos else word for i, word in enumerate(words)])
    return _vocabularies[local]


_lock = threading.RLock()
_vocabularies: weakref.WeakKeyDictionary[LocalModel, Tokens] = weakref.WeakKeyDictionary()
_kept: weakref.WeakKeyDictionary[LocalModel, OrderedDict[tuple[tuple[Passage, ...], Form], Verbatim]] = (
    weakref.WeakKeyDictionary()
)
