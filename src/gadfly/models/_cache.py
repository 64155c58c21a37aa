"""Keys and values of everything in flight, and attention over them.

One forward pass takes a *packed* row of tokens: the next piece of some prompts, and one token of every
sequence being sampled, with no padding anywhere. transformers supports that for models that dispatch attention
through its attention interface; the function registered here sees the whole row and attends piece by piece:

- a **Prefix** holds one prompt's keys and values. It is computed once however many samples want it. What several
  prompts have in common is a Prefix too: the head they stand on, and that a head may stand on in turn.
- a **Block** holds a few sequences of similar capacity, each in its slot, filled from 0. The sequences of a
  block may share a Prefix, which is then read once per layer for all of them instead of once for each.

Axes: T packed tokens, N live sequences of a block, H query heads, K key/value heads, G = H / K, D head width,
P prefix length, L longest own length in the block, V vocabulary.

On the CPU keys and values are kept in float32 and attended with plain matrix products: 1.2 to 2.4 times faster
than torch's bfloat16 scaled-dot-product kernel for one query token (docs/log.md), and more exact.
"""

from __future__ import annotations

import copy
import math
import mmap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from gadfly.models._logits import OutputLayer

__all__ = ["Backend", "Block", "PackedBackend", "PlainBackend", "Prefix", "Sequenced", "backend_for"]

ATTENTION = "gadfly"
BLOCK_ROWS = 32


class Sequenced(Protocol):
    """A sequence being sampled: at least one token is out, the last of which has not been through the model.

    `base`: how much of its prompt it reads from a Prefix (the prompt's, one of its heads, or None); the rest is
    copied to its slot.
    """

    prefix: Prefix
    base: Prefix | None
    tokens: list[int]

    @property
    def max_tokens(self) -> int: ...


@dataclass(eq=False)
class Prefix:
    """One prompt's keys and values after those of its `head`, per layer (K, P, D), and the logits (V) at its end.

    `tokens` are the head's and its own, of which the first `filled` are in once the head is; a head that was split
    off has no `logits`. `users` counts the samples that need it. `state` is the plain backend's own cache.
    """

    tokens: tuple[int, ...]
    head: Prefix | None = None
    filled: int = 0
    users: int = 0
    keys: dict[int, torch.Tensor] = field(default_factory=dict)
    values: dict[int, torch.Tensor] = field(default_factory=dict)
    logits: torch.Tensor | None = None
    state: Any = None

    def __post_init__(self) -> None:
        self.filled = max(self.filled, self.offset)

    @property
    def offset(self) -> int:
        """How many of its tokens are its head's."""
        return len(self.head.tokens) if self.head else 0

    @property
    def size(self) -> int:
        """How many tokens are its own."""
        return len(self.tokens) - self.offset

    @property
    def full(self) -> bool:
        return self.filled == len(self.tokens)

    @property
    def chain(self) -> list[Prefix]:
        """Its heads, outermost first, and itself: side by side they hold all of its tokens."""
        return [*(self.head.chain if self.head else []), self]

    def put(self, layer: int, start: int, key_K_T_D: torch.Tensor, value_K_T_D: torch.Tensor) -> None:
        """Write keys and values of the tokens from `start` on."""
        for store, new in ((self.keys, key_K_T_D), (self.values, value_K_T_D)):
            heads, count, width = new.shape
            if layer not in store:
                store[layer] = new.new_empty((heads, self.size, width), dtype=stored(new))
            store[layer][:, start - self.offset : start - self.offset + count] = new

    def split(self, length: int) -> Prefix:
        """Make the first `length` tokens a head to stand on, for others too. Both get copies, so that dropping one
        frees its memory.
        """
        head = Prefix(self.tokens[:length], self.head, min(self.filled, length), self.users)
        cut = length - self.offset
        for mine, its in ((self.keys, head.keys), (self.values, head.values)):
            for layer, whole in mine.items():
                its[layer], mine[layer] = whole[:, :cut].clone(), whole[:, cut:].clone()
        self.head, self.filled = head, max(self.filled, length)
        return head


def stored(tensor: torch.Tensor) -> torch.dtype:
    """The dtype keys and values are kept in."""
    return torch.float32 if tensor.device.type == "cpu" else tensor.dtype


def joined(parts_K_P_D: list[torch.Tensor], length: int) -> torch.Tensor:
    """The first `length` tokens' keys or values, which end in the last part: (K, T, D)."""
    *before, last = parts_K_P_D
    last = last[:, : length - sum(part.shape[1] for part in before)]
    return torch.cat([*before, last], 1) if before else last


def zeros(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Zeros to keep keys or values in: what was never written is attended with weight 0 and must be finite.

    On the CPU they are mapped: pages take no memory until they are written, and go back to the system when the tensor
    does. `torch.zeros` touches them all, and so does `calloc` where it gives out again what was freed.
    """
    if like.device.type == "cpu":
        count = math.prod(shape)
        pages = mmap.mmap(-1, max(1, count) * np.dtype(np.float32).itemsize)
        return torch.from_numpy(np.frombuffer(pages, np.float32, count).reshape(shape))
    return like.new_zeros(shape)


def own(row: Sequenced, base: Prefix | None) -> int:
    """How many tokens of its own a sequence may come to have that reads `base` in another place."""
    return row.max_tokens + len(row.prefix.tokens) - (len(base.tokens) if base else 0)


def slot_size(tokens: int) -> int:
    """The capacity of a slot for so many tokens: up to an eighth more (or fifteen), so that sequences of about one
    length go into one block.
    """
    step = max(16, 1 << max(0, (tokens - 1).bit_length() - 4))
    return -(-tokens // step) * step


@dataclass(eq=False)
class Block:
    """Up to `rows` sequences with room for `capacity` own tokens each; live ones fill the first slots.

    `used` is how many slots were ever written to: they take up memory until the block goes. `lengths` counts own
    tokens in the cache: the prompt's too, less those that `prefix` holds for all.
    """

    rows: int
    capacity: int
    prefix: Prefix | None = None
    used: int = 0
    live: list[Sequenced] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    keys: dict[int, torch.Tensor] = field(default_factory=dict)
    values: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def offset(self) -> int:
        """Where own token 0 stands in the whole sequence."""
        return len(self.prefix.tokens) if self.prefix else 0

    def add(self, row: Sequenced) -> None:
        """Take a sequence into the next free slot, with a copy of what of its prompt the block does not share."""
        slot = len(self.live)
        self.live.append(row)
        self.used = max(self.used, len(self.live))
        self.lengths.append(len(row.prefix.tokens) - self.offset)
        for part in [part for part in row.prefix.chain if part.offset >= self.offset]:
            here = slice(part.offset - self.offset, len(part.tokens) - self.offset)
            for layer, key in part.keys.items():
                self._make(layer, key, part.values[layer])
                self.keys[layer][slot, :, here] = key
                self.values[layer][slot, :, here] = part.values[layer]

    def remove(self, row: Sequenced) -> None:
        """Free a slot; the last live sequence moves into it."""
        slot, last = self.live.index(row), len(self.live) - 1
        if slot != last:
            count = self.lengths[last]
            for layer in self.keys:
                self.keys[layer][slot, :, :count] = self.keys[layer][last, :, :count]
                self.values[layer][slot, :, :count] = self.values[layer][last, :, :count]
            self.live[slot], self.lengths[slot] = self.live[last], self.lengths[last]
        self.live.pop()
        self.lengths.pop()

    def put(
        self, layer: int, lengths_N: torch.Tensor, key_K_N_D: torch.Tensor, value_K_N_D: torch.Tensor
    ) -> None:
        """Write the newest token of every live sequence at its own length."""
        self._make(layer, key_K_N_D, value_K_N_D)
        slots_N = torch.arange(len(self.live), device=key_K_N_D.device)
        dtype = self.keys[layer].dtype
        self.keys[layer][slots_N, :, lengths_N] = key_K_N_D.transpose(0, 1).to(dtype)
        self.values[layer][slots_N, :, lengths_N] = value_K_N_D.transpose(0, 1).to(dtype)

    def _make(self, layer: int, key_K_T_D: torch.Tensor, value_K_T_D: torch.Tensor) -> None:
        if layer not in self.keys:
            for store, like in ((self.keys, key_K_T_D), (self.values, value_K_T_D)):
                shape = (self.rows, like.shape[0], self.capacity, like.shape[-1])
                store[layer] = zeros(shape, like)


@dataclass(eq=False)
class Piece:
    """The next tokens of one prompt, at `at` in the packed row."""

    prefix: Prefix
    at: int
    start: int
    count: int


@dataclass(eq=False)
class Stretch:
    """One block's sequences, one token each, at `at` in the packed row."""

    block: Block
    at: int
    lengths_N: torch.Tensor
    longest: int

    @property
    def count(self) -> int:
        return len(self.block.live)


class Packed:
    """What stands where in one packed row, and attention over it. Lives for one forward pass."""

    def __init__(self, prefills: Sequence[tuple[Prefix, int]], blocks: Sequence[Block], device: torch.device):
        self.pieces: list[Piece] = []
        self.stretches: list[Stretch] = []
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.device = device
        self._masks: dict[Any, torch.Tensor | None] = {}
        for prefix, count in prefills:
            self.pieces.append(Piece(prefix, len(self.ids), prefix.filled, count))
            self.ids += prefix.tokens[prefix.filled : prefix.filled + count]
            self.positions += range(prefix.filled, prefix.filled + count)
        for block in blocks:
            lengths_N = torch.tensor(block.lengths, device=device)
            self.stretches.append(Stretch(block, len(self.ids), lengths_N, max(block.lengths) + 1))
            self.ids += [row.tokens[-1] for row in block.live]
            self.positions += [block.offset + length for length in block.lengths]

    def attend(
        self,
        layer: int,
        qkv: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        scale: float,
        window: int | None,
    ) -> torch.Tensor:
        """Attention for one layer over the packed row: (1, H, T, D) queries to (1, T, H, D) outputs."""
        query, key, value = qkv
        out_T_H_D = query.new_empty(query.shape[2], query.shape[1], value.shape[3])
        for piece in self.pieces:
            here = slice(piece.at, piece.at + piece.count)
            piece.prefix.put(layer, piece.start, key[0, :, here], value[0, :, here])
            out_T_H_D[here] = self._piece(piece, layer, query[0, :, here], scale, window).transpose(0, 1)
        for stretch in self.stretches:
            here = slice(stretch.at, stretch.at + stretch.count)
            stretch.block.put(layer, stretch.lengths_N, key[0, :, here], value[0, :, here])
            out_T_H_D[here] = self._stretch(stretch, layer, query[0, :, here], scale, window)
        return out_T_H_D[None]

    def _piece(
        self, piece: Piece, layer: int, query_H_T_D: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """Causal attention of a prompt's piece over all that is before it, in its heads too: (H, T, D)."""
        heads, count, _ = query_H_T_D.shape
        chain, length = piece.prefix.chain, piece.start + count
        key_K_T_D = joined([part.keys[layer] for part in chain], length).to(query_H_T_D.dtype)
        value_K_T_D = joined([part.values[layer] for part in chain], length).to(query_H_T_D.dtype)
        kv_heads = key_K_T_D.shape[0]
        grouped = query_H_T_D.reshape(kv_heads, heads // kv_heads, count, -1)
        key_K_G_T_D = key_K_T_D[:, None].expand(-1, heads // kv_heads, -1, -1)
        value_K_G_T_D = value_K_T_D[:, None].expand(-1, heads // kv_heads, -1, -1)
        mask = self._causal(piece.start, count, window)
        out = scaled_dot_product_attention(
            grouped,
            key_K_G_T_D,
            value_K_G_T_D,
            attn_mask=mask,
            is_causal=mask is None and count > 1,
            scale=scale,
        )
        return out.reshape(heads, count, -1)

    def _causal(self, start: int, count: int, window: int | None) -> torch.Tensor | None:
        """Which of the first start + count positions the last `count` may see; None: plainly causal."""
        total = start + count
        if start == 0 and (window is None or total <= window):
            return None
        mark = (start, count, window)
        if mark not in self._masks:
            at_T = torch.arange(start, total, device=self.device)[:, None]
            to_S = torch.arange(total, device=self.device)[None]
            allowed = to_S <= at_T
            self._masks[mark] = allowed if window is None else allowed & (to_S > at_T - window)
        return self._masks[mark]

    def _stretch(
        self, stretch: Stretch, layer: int, query_H_N_D: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """Attention of one token of each sequence over its prefix and its own tokens: (N, H, D)."""
        block, count, longest = stretch.block, stretch.count, stretch.longest
        key_N_K_L_D = block.keys[layer][:count, :, :longest]
        value_N_K_L_D = block.values[layer][:count, :, :longest]
        kv_heads, heads = key_N_K_L_D.shape[1], query_H_N_D.shape[0]
        query = query_H_N_D.to(key_N_K_L_D.dtype) * scale
        query_K_N_G_D = query.reshape(kv_heads, heads // kv_heads, count, -1).transpose(1, 2)
        query_K_NG_D = query_K_N_G_D.reshape(kv_heads, -1, query.shape[-1])

        def by_row(x_K_NG_S: torch.Tensor) -> torch.Tensor:
            return x_K_NG_S.view(kv_heads, count, heads // kv_heads, -1).transpose(0, 1)

        parts = block.prefix.chain if block.prefix else []
        scores = [by_row(query_K_NG_D @ part.keys[layer].transpose(-1, -2)).float() for part in parts]
        scores.append((query_K_N_G_D.transpose(0, 1) @ key_N_K_L_D.transpose(-1, -2)).float())
        mask = self._seen(stretch, window)
        if mask is not None:
            scores[-1] += mask[:, None, None, block.offset :]
        if mask is not None and window is not None:
            for part, before in zip(parts, scores, strict=False):
                before += mask[:, None, None, part.offset : len(part.tokens)]
        weights = (torch.cat(scores, -1) if parts else scores[0]).softmax(-1).to(value_N_K_L_D.dtype)
        out_N_K_G_D = weights[..., block.offset :] @ value_N_K_L_D
        for part in parts:
            weights_K_N_G_P = weights[..., part.offset : len(part.tokens)].transpose(0, 1)
            out_N_K_G_D += by_row(weights_K_N_G_P.reshape(kv_heads, -1, part.size) @ part.values[layer])
        return out_N_K_G_D.reshape(count, heads, -1).to(query_H_N_D.dtype)

    def _seen(self, stretch: Stretch, window: int | None) -> torch.Tensor | None:
        """0 or -inf for each position (prefix, then own) of each sequence; None: all are seen."""
        offset, total = stretch.block.offset, stretch.block.offset + stretch.longest
        if window is not None and total <= window:
            window = None
        if window is None and min(stretch.block.lengths) + 1 == stretch.longest:
            return None
        mark = (id(stretch), window)
        if mark not in self._masks:
            at_N = (stretch.lengths_N + offset)[:, None]
            to_S = torch.arange(total, device=self.device)[None]
            allowed = to_S <= at_N
            if window is not None:
                allowed = allowed & (to_S > at_N - window)
            zero = torch.zeros(allowed.shape, device=self.device)
            self._masks[mark] = zero.masked_fill_(~allowed, float("-inf"))
        return self._masks[mark]


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    gadfly_packed: Packed | None = None,
    **settings: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """transformers' attention interface: ours inside the engine, its own `sdpa` for anyone else's forward pass."""
    if gadfly_packed is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    scale = settings.get("scaling") or query.shape[-1] ** -0.5
    window = settings.get("sliding_window")
    return gadfly_packed.attend(int(module.layer_idx), (query, key, value), float(scale), window), None  # type: ignore[arg-type]


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


class Backend(Protocol):
    """Runs prompts and sequences through the model; the engine decides which and when.

    `splits`: whether a prompt may stand on the head of another.
    """

    reason: str
    splits: bool

    def step(self, prefills: Sequence[tuple[Prefix, int]]) -> tuple[list[Sequenced], torch.Tensor | None]:
        """Advance prompts by some tokens each, and every placed sequence by one.

        Returns the sequences and their logits (N, V) in the same order; None when there are no sequences.
        """
        ...

    def place(self, row: Sequenced) -> None:
        """Take in a sequence whose prefix is complete and whose first token is known."""
        ...

    def remove(self, row: Sequenced) -> None:
        """Let a placed sequence go."""
        ...

    def held(self, coming: Iterable[tuple[Sequenced, Prefix | None]]) -> int:
        """Tokens of context for which memory is taken up by the sequences here, and will be by those that are coming,
        each with what it will read in another place.
        """
        ...

    def clear(self) -> None:
        """Forget every sequence."""
        ...


class PackedBackend:
    """Packed forward passes, for models that dispatch attention through transformers' interface."""

    reason = "packed attention, prompts shared"
    splits = True

    def __init__(self, model: Any) -> None:
        self.model = model
        self.output = OutputLayer(model)
        self.device = torch.device(model.device)
        self.blocks: list[Block] = []
        self._home: dict[int, Block] = {}
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        base.set_attn_implementation(ATTENTION)

    def step(self, prefills: Sequence[tuple[Prefix, int]]) -> tuple[list[Sequenced], torch.Tensor | None]:
        self.blocks = [block for block in self.blocks if block.live]
        packed = Packed(prefills, self.blocks, self.device)
        if not packed.ids:
            return [], None
        ends = [p.at + p.count - 1 for p in packed.pieces if p.start + p.count == len(p.prefix.tokens)]
        keep = ends + [s.at + i for s in packed.stretches for i in range(s.count)]
        with self.output.noting():
            logits = self.output.exact(self._forward(packed, keep or [0]))
        self._advance(packed, logits)
        rows = [row for stretch in packed.stretches for row in stretch.block.live]
        return rows, logits[len(ends) :] if rows else None

    def _forward(self, packed: Packed, keep: list[int]) -> torch.Tensor:
        def row(values: list[int]) -> torch.Tensor:
            return torch.tensor(values, device=self.device)[None]

        # A mask with four axes is passed on as it is by every model; ours is never looked at.
        out = self.model(
            input_ids=row(packed.ids),
            position_ids=row(packed.positions),
            attention_mask=torch.zeros(1, 1, 1, 1, device=self.device),
            use_cache=False,
            logits_to_keep=torch.tensor(keep, device=self.device),
            gadfly_packed=packed,
        )
        return out.logits[0]  # type: ignore[no-any-return]

    def _advance(self, packed: Packed, logits: torch.Tensor) -> None:
        done = 0
        for piece in packed.pieces:
            piece.prefix.filled += piece.count
            if piece.prefix.full:
                piece.prefix.logits = logits[done].clone()
                done += 1
        for stretch in packed.stretches:
            stretch.block.lengths = [length + 1 for length in stretch.block.lengths]

    def place(self, row: Sequenced) -> None:
        prefix, capacity = row.base, slot_size(own(row, row.base))
        for block in self.blocks:
            if block.prefix is prefix and block.capacity == capacity and len(block.live) < block.rows:
                break
        else:
            rows = BLOCK_ROWS if self.device.type == "cpu" else 8
            block = Block(max(4, min(rows, (1 << 16) // capacity)), capacity, prefix)
            self.blocks.append(block)
        block.add(row)
        self._home[id(row)] = block

    def remove(self, row: Sequenced) -> None:
        self._home.pop(id(row)).remove(row)

    def held(self, coming: Iterable[tuple[Sequenced, Prefix | None]]) -> int:
        taken, free = 0, Counter[tuple[int, int]]()
        for block in self.blocks:
            if block.live:
                taken += block.used * block.capacity
                free[id(block.prefix), block.capacity] += block.used - len(block.live)
        for row, base in coming:
            kind = id(base), slot_size(own(row, base))
            taken += 0 if free[kind] > 0 else kind[1]
            free[kind] -= 1
        return taken

    def clear(self) -> None:
        self.blocks.clear()
        self._home.clear()


class PlainBackend:
    """One sequence at a time through the model's own cache: slow, right for any architecture."""

    splits = False

    def __init__(self, model: Any, why: str) -> None:
        self.model = model
        self.output = OutputLayer(model)
        self.reason = f"one sequence at a time, because {why}"
        self.device = torch.device(model.device)
        self._states: dict[int, tuple[Sequenced, Any]] = {}

    def step(self, prefills: Sequence[tuple[Prefix, int]]) -> tuple[list[Sequenced], torch.Tensor | None]:
        for prefix, _ in prefills:
            logits, prefix.state = self._forward(list(prefix.tokens), None)
            prefix.filled, prefix.logits = len(prefix.tokens), logits
        rows, found = [], []
        for row, state in list(self._states.values()):
            logits, state = self._forward([row.tokens[-1]], state)
            self._states[id(row)] = (row, state)
            rows.append(row)
            found.append(logits)
        return rows, torch.stack(found) if found else None

    def _forward(self, tokens: list[int], state: Any) -> tuple[torch.Tensor, Any]:
        ids = torch.tensor([tokens], device=self.device)
        with self.output.noting():
            out = self.model(input_ids=ids, past_key_values=state, use_cache=True)
        return self.output.exact(out.logits[0, -1:])[0], out.past_key_values

    def place(self, row: Sequenced) -> None:
        self._states[id(row)] = (row, copy.deepcopy(row.prefix.state))

    def remove(self, row: Sequenced) -> None:
        del self._states[id(row)]

    def held(self, coming: Iterable[tuple[Sequenced, Prefix | None]]) -> int:
        here = [(row, None) for row, _ in self._states.values()]
        return sum(own(row, base) for row, base in [*here, *coming])

    def clear(self) -> None:
        self._states.clear()


@torch.inference_mode()
def backend_for(model: Any) -> Backend:
    """Packed where the model allows it and a small trial agrees with its own forward pass; else plain."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = base.config.get_text_config()
    if not getattr(base, "_supports_attention_backend", False) or not getattr(base, "_supports_sdpa", False):
        return PlainBackend(model, "its attention cannot be replaced")
    if getattr(config, "attn_logit_softcapping", None):
        return PlainBackend(model, "it caps attention scores")
    before = base.config._attn_implementation
    try:
        trouble = _trial(PackedBackend(model), int(config.vocab_size))
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        trouble = f"a packed trial failed ({type(error).__name__})"
    if trouble is None:
        return PackedBackend(model)
    base.set_attn_implementation(before)
    return PlainBackend(model, trouble)


def _trial(backend: PackedBackend, vocab: int) -> str | None:
    """Two short prompts in one packed row against the model's own forward pass; None if they agree."""
    prompts = [tuple((7 * i * i + 11) % vocab for i in range(1, n)) for n in (6, 9)]
    prefixes = [Prefix(p) for p in prompts]
    backend.step([(p, len(p.tokens)) for p in prefixes])
    for prefix in prefixes:
        ids = torch.tensor([prefix.tokens], device=backend.device)
        own = backend.model(input_ids=ids, use_cache=False).logits[0, -1].float()
        assert prefix.logits is not None
        gap = float((own.softmax(-1) - prefix.logits.float().softmax(-1)).abs().sum()) / 2
        if not gap < 0.1:  # total variation; rounding in bfloat16 gives a tenth of that
            return f"a packed trial gave other probabilities (by {gap:.2g})"
    return None
