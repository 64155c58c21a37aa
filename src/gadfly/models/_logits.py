"""The likeliest tokens' logits once more, in float32.

In bfloat16 a logit between 16 and 32 is a multiple of 1/8. A model that is asked for one of two letters then often
gives both the same probability, and a greedy choice between two words falls on the one with the lower number. What the
output layer is given is more exact than what it can say: from it a few logits are computed anew for next to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["OutputLayer"]

LIKELIEST = 32
"""Tokens per row whose logits are computed anew."""
ROWS = 64
"""Rows at a time: their weights are gathered in float32."""


class OutputLayer:
    """The output layer of a causal model, which notes what it is given."""

    def __init__(self, model: Any) -> None:
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._layer = base.get_output_embeddings() if hasattr(base, "get_output_embeddings") else None
        self._given: torch.Tensor | None = None

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Within it, a forward pass of this thread's leaves behind what `exact` needs."""
        self._given = None
        if self._layer is None:
            yield
            return
        ours = threading.get_ident()

        def note(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if threading.get_ident() == ours:
                self._given = inputs[0]

        handle = self._layer.register_forward_pre_hook(note)
        try:
            yield
        finally:
            handle.remove()

    def exact(self, logits_N_V: torch.Tensor) -> torch.Tensor:
        """Logits of the pass before in float32 (N, V), where the likeliest tokens' are more than rounded ones.

        A model that does something to its logits after the output layer keeps those that it gave: only what they could
        be rounded from is taken.
        """
        found = logits_N_V.float()
        weight = getattr(self._layer, "weight", None)
        if self._given is None or weight is None or logits_N_V.dtype == torch.float32:
            return found
        given_N_D = self._given.reshape(-1, self._given.shape[-1])[-len(found) :]
        if not weight.is_floating_point() or weight.shape != (logits_N_V.shape[-1], given_N_D.shape[-1]):
            return found  # packed in some way of its own
        for start in range(0, len(found), ROWS):
            some = slice(start, start + ROWS)
            found[some] = self._anew(logits_N_V[some], given_N_D[some], weight)
        return found

    def _anew(
        self, logits_N_V: torch.Tensor, given_N_D: torch.Tensor, weight_V_D: torch.Tensor
    ) -> torch.Tensor:
        top_N_C, ids_N_C = logits_N_V.topk(min(LIKELIEST, logits_N_V.shape[-1]), -1)
        told_N_C = top_N_C.float()
        anew_N_C = (weight_V_D[ids_N_C].float() @ given_N_D.float()[..., None])[..., 0]
        if (bias := getattr(self._layer, "bias", None)) is not None:
            anew_N_C += bias[ids_N_C].float()
        near = (anew_N_C - told_N_C).abs() <= torch.finfo(logits_N_V.dtype).eps * told_N_C.abs()
        return logits_N_V.float().scatter_(-1, ids_N_C, torch.where(near, anew_N_C, told_N_C))
