"""Texts to vectors, with any sentence-transformers model and nothing but transformers.

What the directory says is done: `modules.json` names the steps (a transformer, pooling, perhaps a normalisation),
`1_Pooling/config.json` how tokens become one vector. A step this file does not know is refused, since vectors made
otherwise would look right and mean something else.

A text longer than the model reads is cut into windows whose vectors are averaged by their tokens, so the end of a
long reply counts. Every batch has a fixed number of rows and one of a few lengths: the floating-point sums of a text
then do not depend on what else is in its batch, and the same text gets the same bits in every run.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gadfly.errors import InputError

__all__ = ["EMBEDDING", "Embedder", "embedder"]

Floats = NDArray[np.float32]

EMBEDDING = "all-minilm-l6-v2"
MAX_CHARS = 20_000
"""What is read of one text, as by the pattern judges."""
_LENGTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_ROWS = {"cpu": 8}
_ROWS_GPU = 64
_SLICE = 1_024  # texts tokenised and held at once
_REMEMBERED = 20_000  # vectors a call keeps for texts that come again


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a sentence-transformers directory says of itself. `prompt` goes in front of every text."""

    pooling: str = "mean"
    normalise: bool = True
    max_tokens: int = 512
    prompt: str = ""


@dataclass(frozen=True)
class Embedder:
    """A model that embeds; `embed` may be called from any thread. `sha256` is over its files that decide a vector."""

    name: str
    path: Path
    sha256: str
    recipe: Recipe
    width: int
    device: Any
    weights: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def embed(self, texts: Sequence[str], known: dict[bytes, Floats] | None = None) -> Floats:
        """One vector a text, (N, width). A text without a word is the zero vector, which no model gives.

        The same text is embedded once; `known` carries vectors from one call to the next, up to 20,000.
        """
        known = {} if known is None else known
        out_N_D = np.zeros((len(texts), self.width), np.float32)
        for start in range(0, len(texts), _SLICE):
            piece = [_readable(text) for text in texts[start : start + _SLICE]]
            keys = [hashlib.sha256(text.encode()).digest() for text in piece]
            fresh = {k: t for k, t in zip(keys, piece, strict=True) if t and k not in known}
            vectors = dict(zip(fresh, self._vectors(list(fresh.values())), strict=True))
            for row, (key, text) in enumerate(zip(keys, piece, strict=True), start):
                if text:
                    out_N_D[row] = vectors[key] if key in vectors else known[key]
            if len(known) + len(vectors) <= _REMEMBERED:
                known.update(vectors)
        return out_N_D

    def _vectors(self, texts: Sequence[str]) -> Floats:
        """Vectors of distinct texts, none of them empty: windows embedded by length, then joined."""
        if not texts:
            return np.zeros((0, self.width), np.float32)
        windows, owner = self._windows(texts)
        sums_N_D = np.zeros((len(texts), self.width), np.float32)
        tokens_N = np.zeros((len(texts), 1), np.float32)
        lengths = np.array([_padded(len(window)) for window in windows], dtype=int)
        rows = _ROWS.get(self.device.type, _ROWS_GPU)
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            for start in range(0, len(same), rows):
                picked = same[start : start + rows]
                vectors = self._batch([windows[i] for i in picked], int(length), rows)
                counts = np.array([len(windows[i]) for i in picked], np.float32)[:, None]
                owners = np.array([owner[i] for i in picked])
                np.add.at(sums_N_D, owners, vectors * counts)
                np.add.at(tokens_N, owners, counts)
        means_N_D = sums_N_D / np.maximum(tokens_N, 1)
        if self.recipe.normalise:
            means_N_D /= np.maximum(np.linalg.norm(means_N_D, axis=1, keepdims=True), 1e-12)
        return means_N_D.astype(np.float32, copy=False)

    def _windows(self, texts: Sequence[str]) -> tuple[list[list[int]], list[int]]:
        """Token ids of every window, and which text each belongs to."""
        with self._lock:  # a fast tokenizer keeps its truncation settings in itself
            encoded = self.tokenizer(
                [self.recipe.prompt + text for text in texts],
                truncation=True,
                max_length=self.recipe.max_tokens,
                return_overflowing_tokens=True,
                return_attention_mask=False,
            )
        return encoded["input_ids"], list(encoded["overflow_to_sample_mapping"])

    def _batch(self, windows: Sequence[Sequence[int]], length: int, rows: int) -> Floats:
        """Pooled vectors of up to `rows` windows in one pass of exactly (rows, length)."""
        import torch

        ids_B_T = torch.full((rows, length), self.tokenizer.pad_token_id or 0, dtype=torch.long)
        mask_B_T = torch.zeros((rows, length), dtype=torch.long)
        mask_B_T[:, 0] = 1  # a row of padding alone would attend to nothing
        for row, window in enumerate(windows):
            ids_B_T[row, : len(window)] = torch.tensor(window)
            mask_B_T[row, : len(window)] = 1
        ids_B_T, mask_B_T = ids_B_T.to(self.device), mask_B_T.to(self.device)
        with torch.inference_mode():
            states_B_T_D = self.weights(input_ids=ids_B_T, attention_mask=mask_B_T).last_hidden_state
        pooled_B_D = pool(states_B_T_D, mask_B_T, self.recipe.pooling)
        return pooled_B_D[: len(windows)].float().cpu().numpy()  # type: ignore[no-any-return]


def embedder(name: str = EMBEDDING, device: str = "auto") -> Embedder:
    """The embedding model under a short name, a sentence-transformers directory or a hub id; loaded once a process.

    Raises what `locate` raises (absent and offline included), and `InputError` for a directory whose steps are
    not those of a plain sentence-transformers model.
    """
    from gadfly.models._weights import locate

    with _loading:
        return _loaded(name, locate(name, "embedding"), device)


_loading = threading.RLock()


@functools.cache
def _loaded(name: str, path: Path, device: str) -> Embedder:
    import torch
    from transformers import AutoModel, AutoTokenizer

    from gadfly.models._local import choose_device, first_line, without_bars

    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    try:
        with without_bars():
            weights: Any = AutoModel.from_pretrained(path, dtype=torch.float32, use_safetensors=True, **local)
        tokenizer = AutoTokenizer.from_pretrained(path, **local)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The embedding model in {str(path)!r} could not be loaded: {first_line(error)}."
        ) from error
    if getattr(weights.config, "is_encoder_decoder", False) or not tokenizer.is_fast:
        raise InputError(
            f"{str(path)!r} is no encoder with a fast tokenizer; name a sentence-transformers model."
        )
    where, _ = choose_device(device)
    longest = int(getattr(weights.config, "max_position_embeddings", 512))
    recipe = read_recipe(path, longest)
    return Embedder(
        name,
        path,
        digest(path),
        recipe,
        int(weights.config.hidden_size),
        where,
        weights.eval().to(where),
        tokenizer,
    )


def digest(path: Path) -> str:
    """A hash over the files that decide a vector: weights, configurations and tokenizer."""
    whole = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.suffix in (".safetensors", ".txt") or file.name in _DECIDING:
            with file.open("rb") as stream:
                whole.update(file.relative_to(path).as_posix().encode())
                whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


_DECIDING = frozenset(
    ("config.json", "modules.json", "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json")
)


def read_recipe(path: Path, longest: int) -> Recipe:
    """How the directory wants tokens made into one vector; without `modules.json`, the mean, normalised."""
    modules = _json(path / "modules.json") or []
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    unknown = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
    if unknown:
        raise InputError(
            f"{str(path)!r} has a step {unknown[0]!r} that gadfly does not know; name another model."
        )
    pooling = next((m for m, kind in zip(modules, kinds, strict=True) if kind == "Pooling"), None)
    read = _json(path / "sentence_bert_config.json") or {}
    named = _json(path / "config_sentence_transformers.json") or {}
    prompt = (named.get("prompts") or {}).get(named.get("default_prompt_name") or "", "")
    return Recipe(
        _pooling(path, _json(path / str(pooling.get("path", "")) / "config.json") or {})
        if pooling
        else "mean",
        "Normalize" in kinds or not modules,
        min(int(read.get("max_seq_length") or longest), longest, _LENGTHS[-1]),
        prompt,
    )


def _pooling(path: Path, config: dict[str, Any]) -> str:
    on = [
        key.removeprefix("pooling_mode_") for key, value in config.items() if value is True and "mode_" in key
    ]
    said = {"mean_tokens": "mean", "cls_token": "cls"}.get(on[0], on[0]) if len(on) == 1 else "+".join(on)
    said = str(config.get("pooling_mode") or said)
    if said not in ("mean", "cls") or config.get("include_prompt") is False:
        raise InputError(f"{str(path)!r} pools by {said!r}; gadfly knows mean and cls over the whole text.")
    return said


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise InputError(f"{str(file)!r} is not JSON ({error}); fetch the model again.") from error


def pool(states_B_T_D: Any, mask_B_T: Any, how: str) -> Any:
    """One vector a row: the first token's, or the mean over the tokens that are no padding."""
    if how == "cls":
        return states_B_T_D[:, 0]
    weights_B_T_1 = mask_B_T[..., None].to(states_B_T_D.dtype)
    return (states_B_T_D * weights_B_T_1).sum(1) / weights_B_T_1.sum(1)


def _readable(text: str) -> str:
    """What is read of a text; a lone surrogate, which no tokenizer takes, becomes a question mark."""
    return text[:MAX_CHARS].strip().encode(errors="replace").decode()


def _padded(length: int) -> int:
    return next(size for size in _LENGTHS if size >= length)
