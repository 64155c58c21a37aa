"""Texts to features through a frozen pretrained model: one pass, shared by every member of a reward model.

Of a language model the features are the tokens' mean direction in the residual stream after a third and after two
thirds of its layers, side by side. Chosen on 1,500 rated tweets (AUROC of one logistic head) and 500 pairs of
hh-harmless (accuracy, ten folds), with plain means: after layers 10 and 20 of SmolLM2's 30 they reach 0.945 and 0.933,
0.61 and 0.65; after the last layer 0.906 and 0.65, and its last token, which is what a reward model usually reads,
0.894 and 0.61. The layers above are not run unless members adapt them. An embedding model gives its own vector.

Texts are read sorted by length, in batches of fixed rows and one of a few lengths, as `_embedding` does: what a text
gives does not depend on its neighbours. A text longer than the trunk reads keeps its end.

Axes: N texts, D features, B rows of a batch, T tokens, W width of the residual stream.
"""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gadfly.errors import GadflyError, InputError
from gadfly.judges._embedding import MAX_CHARS, Embedder, embedder

__all__ = ["MAX_TOKENS", "LanguageTrunk", "Read", "Stems", "Trunk", "short_of_memory", "trunk"]

Floats = NDArray[np.float32]
Advance = Callable[[int], None]

MAX_TOKENS = 1_024
_LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1_024)
_ROWS = {"cpu": 8}
_ROWS_GPU = 64
_SLICE = 1_024  # texts tokenised at once


@dataclass(frozen=True)
class Stems:
    """What a member that adapts the top layers needs of texts, as the frozen trunk leaves it: for each text the
    residual stream of its last token where the adapted layers begin, (W,), and the keys and values of its tokens in
    each adapted layer, (layers, 2, heads, T, head width). About 768 bytes a token and layer for SmolLM2.
    """

    states: tuple[Any, ...] = ()
    keys_values: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: Sequence[int]) -> Stems:
        return Stems(tuple(self.states[i] for i in rows), tuple(self.keys_values[i] for i in rows))


@dataclass(frozen=True)
class Read:
    """Features of N texts, and their stems where those were asked for."""

    features_N_D: Floats
    stems: Stems = field(default_factory=Stems)


class Trunk(Protocol):
    """A frozen model that reads texts. `sha256` is over the files that decide a feature."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def width(self) -> int: ...

    def read(self, texts: Sequence[str], top: int = 0, advance: Advance | None = None) -> Read:
        """Features of each text; with `top`, the stems for that many adapted layers. `advance` is told of texts read.

        Raises `InputError` where `top` layers cannot be adapted, `GadflyError` when memory runs out.
        """
        ...


@dataclass(frozen=True)
class EmbeddingTrunk:
    """A sentence-embedding model."""

    embedder: Embedder

    @property
    def name(self) -> str:
        return self.embedder.name

    @property
    def sha256(self) -> str:
        return self.embedder.sha256

    @property
    def width(self) -> int:
        return self.embedder.width

    def read(self, texts: Sequence[str], top: int = 0, advance: Advance | None = None) -> Read:
        if top:
            raise InputError(
                f"{self.name!r} embeds texts and has no layers to adapt; share the whole trunk, or name a "
                "language model."
            )
        rows: list[Floats] = []
        for start in range(0, len(texts), _SLICE):
            piece = texts[start : start + _SLICE]
            rows.append(self.embedder.embed(piece))
            if advance:
                advance(len(piece))
        return Read(np.vstack(rows) if rows else np.zeros((0, self.width), np.float32))


@dataclass(frozen=True)
class LanguageTrunk:
    """A causal language model, frozen. `model` is shared with whoever else has loaded it and is not altered."""

    model: Any  # gadfly.models.LocalModel
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def name(self) -> str:
        return str(self.model.name)

    @property
    def sha256(self) -> str:
        return str(self.model.weights_sha256)

    @property
    def width(self) -> int:
        return 2 * int(self.config.hidden_size)

    @property
    def config(self) -> Any:
        return self.model.weights.config.get_text_config()

    @property
    def layers(self) -> int:
        return int(self.config.num_hidden_layers)

    def read(self, texts: Sequence[str], top: int = 0, advance: Advance | None = None) -> Read:
        if not 0 <= top < self.layers:
            raise InputError(f"{self.name} has {self.layers} layers, of which {top} cannot be adapted.")
        features_N_D = np.zeros((len(texts), self.width), np.float32)
        stems: list[Any] = [None] * len(texts) if top else []
        try:
            for start in range(0, len(texts), _SLICE):
                for rows, pooled_B_D, tops in self._slice(texts[start : start + _SLICE], top):
                    where = [start + row for row in rows]
                    features_N_D[where] = pooled_B_D
                    for n, stem in zip(where, tops, strict=False):
                        stems[n] = stem
                    if advance:
                        advance(len(rows))
        except (MemoryError, RuntimeError) as error:
            if not short_of_memory(error):
                raise
            raise GadflyError(
                f"Memory ran out while {len(texts):,} texts were read; give fewer, or a smaller trunk with --trunk."
            ) from error
        return Read(features_N_D, Stems(tuple(s for s, _ in stems), tuple(kv for _, kv in stems)))

    def _slice(self, texts: Sequence[str], top: int) -> Iterator[tuple[list[int], Floats, list[Any]]]:
        """(which rows, their features, their stems) a batch at a time, shortest texts first."""
        ids = [self._tokens(text) for text in texts]
        lengths = np.array([next(size for size in _LENGTHS if size >= len(one)) for one in ids])
        rows = _ROWS.get(self.model.device.type, _ROWS_GPU)
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length).tolist()
            for start in range(0, len(same), rows):
                picked = same[start : start + rows]
                yield picked, *self._batch([ids[i] for i in picked], int(length), rows, top)

    def _tokens(self, text: str) -> list[int]:
        """Token ids of the end of a text; an end-of-text token stands for one without a word."""
        readable = text[-MAX_CHARS:].strip().encode(errors="replace").decode()
        with self._lock:
            longest = min(MAX_TOKENS, self.model.context)
            found = self.model.encode(readable)[-longest:] if readable else []
        return found or [min(self.model.eos, default=0)]

    def _batch(
        self, ids: Sequence[Sequence[int]], length: int, rows: int, top: int
    ) -> tuple[Floats, list[Any]]:
        """One pass of exactly (rows, length). Padding is to the right, where causal attention never looks."""
        import torch

        ids_B_T = torch.zeros((rows, length), dtype=torch.long)
        for row, one in enumerate(ids):
            ids_B_T[row, : len(one)] = torch.tensor(one)
        ids_B_T = ids_B_T.to(self.model.device)
        counts = [len(one) for one in ids]
        with self._lock, torch.no_grad():  # adapters are trained on what inference mode would forbid
            taps, cache = self._run(ids_B_T, top)
            pooled_B_D = torch.cat([_means(taps[layer], counts) for layer in self._read_after], 1)
            tops = [_stem(taps[-top - 1], cache, row, n, top) for row, n in enumerate(counts)] if top else []
        return pooled_B_D.cpu().numpy(), tops

    @property
    def _read_after(self) -> tuple[int, int]:
        return max(1, self.layers // 3), max(1, 2 * self.layers // 3)

    def _run(self, ids_B_T: Any, top: int) -> tuple[list[Any], Any]:
        """The residual stream after each layer that was run (place 0: the embedding), and the keys and values."""
        from transformers import DynamicCache

        tapped = self._tapped[1 if top else 0]
        cache = DynamicCache() if top else None
        tapped(input_ids=ids_B_T, past_key_values=cache, use_cache=bool(top))
        taps = [layer.states for layer in tapped.layers]
        first = tapped.layers[0].entered
        for layer in tapped.layers:
            layer.states = layer.entered = None
        return [first, *taps], cache

    @functools.cached_property
    def _tapped(self) -> tuple[Any, Any]:
        """The model up to the last layer that is read, and up to the end, on the very same weights."""
        return tuple(
            _with_taps(self.model.weights.base_model, upto) for upto in (self._read_after[1], self.layers)
        )


def _with_taps(base: Any, upto: int) -> Any:
    """A shallow copy of a decoder that runs its first `upto` layers and keeps what each gives; no final norm."""
    import torch

    class Tap(torch.nn.Module):
        """A layer that remembers what went in and what came out."""

        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer
            self.states: Any = None
            self.entered: Any = None

        def forward(self, states: Any, *rest: Any, **named: Any) -> Any:
            self.entered = states
            self.states = self.layer(states, *rest, **named)
            return self.states

    tapped = copy.copy(base)
    tapped._modules = dict(base._modules)
    tapped.layers = torch.nn.ModuleList([Tap(layer) for layer in base.layers[:upto]])
    tapped.norm = torch.nn.Identity()
    return tapped


def _means(states_B_T_W: Any, counts: Sequence[int]) -> Any:
    """The mean direction of each row's own tokens, the first left out where there are others.

    Attention sinks (the first token, and its like where a text opens with the same token twice) have a hundred times
    the norm of other tokens and would drown them; so each token counts by its direction alone.
    """
    import torch

    own = [states[min(1, n - 1) : n].float() for states, n in zip(states_B_T_W, counts, strict=False)]
    return torch.stack([torch.nn.functional.normalize(states, dim=-1).mean(0) for states in own])


def _stem(states_B_T_W: Any, cache: Any, row: int, count: int, top: int) -> tuple[Any, Any]:
    """One text's `Stems`: cut out of the batch, so that the batch is let go of."""
    import torch

    pairs = [
        torch.stack([layer.keys[row, :, :count], layer.values[row, :, :count]])
        for layer in cache.layers[-top:]
    ]
    return states_B_T_W[row, count - 1].float().clone(), torch.stack(pairs)


def short_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, which torch says in the words of a runtime error."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words


def trunk(name: str, device: str = "auto") -> Trunk:
    """The trunk under a short name, a directory or a hub id; loaded once a process.

    A directory with a `modules.json` (sentence-transformers) and a known embedding model embed; all else is read as a
    language model. Raises what `locate` raises.
    """
    from gadfly.models._local import LocalModel
    from gadfly.models._weights import KNOWN

    kinds = {model.name: model.kind for model in KNOWN}
    if (
        kinds.get(name.lower()) == "embedding"
        or (Path(name).expanduser() / "modules.json").is_file()
        or name.startswith("sentence-transformers/")
    ):
        return EmbeddingTrunk(embedder(name, device))
    return _language(LocalModel.load(name, device=device))


@functools.cache
def _language(model: Any) -> LanguageTrunk:
    """One trunk a model, so that its copies with taps are made once."""
    return LanguageTrunk(model)
