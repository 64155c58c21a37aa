"""K sets of low-rank adapters on the top layers of one frozen trunk, run as one batch.

A reward model reads a text at its last token, so only that token's way through the adapted layers differs between
members. What it attends to (the keys and values of all tokens before it) and all layers below are the frozen trunk's:
computed once, whatever K is. Adapted are the projections the last token itself passes: query, output and the
feed-forward ones. With one adapted layer this *is* ordinary LoRA (Hu et al. 2021, arXiv 2106.09685) on those
projections of the top layer, read at the last token, as tests/judges/test_reward_tops.py checks against PEFT; with
more, the keys and values of earlier tokens stay unadapted.

Axes: K members, B texts of a batch, T tokens, W width, R rank.
"""

from __future__ import annotations

import copy
import functools
import inspect
import threading
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import pad

from gadfly.errors import InputError
from gadfly.judges._trunk import LanguageTrunk, Stems

__all__ = ["SCALE", "Adapters", "Tops", "fresh", "member", "tops"]

SCALE = 2.0
"""What the low-rank product is multiplied by (PEFT's lora_alpha / r)."""

Adapters = Mapping[str, torch.Tensor]
"""`PATH.a` (K, R, in) and `PATH.b` (K, out, R) for each adapted projection; PATH is `LAYER.self_attn.q_proj`, counted
from the lowest adapted layer.
"""

_FROZEN = ("k_proj", "v_proj")


class Stacked(torch.nn.Module):
    """A linear layer whose input holds K members' rows one after the other, each with its own low-rank change."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self.change: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, states_KB_1_D: torch.Tensor) -> torch.Tensor:
        out = self.linear(states_KB_1_D)
        if self.change is None:
            return out  # type: ignore[no-any-return]
        a_K_R_D, b_K_D_R = self.change
        rows_K_B_D = states_KB_1_D.view(len(a_K_R_D), -1, states_KB_1_D.shape[-1])
        added_K_B_D = rows_K_B_D @ a_K_R_D.mT @ b_K_D_R.mT
        return out + SCALE * added_K_B_D.reshape(out.shape)  # type: ignore[no-any-return]


class _Told:
    """Stands for a cache: what earlier tokens left, K times over, then what this one adds."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        self.kept = (keys, values)

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.cat([self.kept[0], keys], 2), torch.cat([self.kept[1], values], 2)


class Tops(torch.nn.Module):
    """The top layers of a language model, copied in float32 and frozen."""

    def __init__(self, trunk: LanguageTrunk, top: int) -> None:
        super().__init__()
        base = trunk.model.weights.base_model
        self.layers = torch.nn.ModuleList(copy.deepcopy(layer).float() for layer in base.layers[-top:])
        self.norm = copy.deepcopy(base.norm).float()
        self.rotary = copy.deepcopy(base.rotary_emb)
        self.kinds = list(getattr(trunk.config, "layer_types", None) or [""] * trunk.layers)[-top:]
        self.per_kind = "layer_type" in inspect.signature(self.rotary.forward).parameters
        self.window = int(getattr(trunk.config, "sliding_window", None) or 1 << 30)
        self.adapted = self._stack()
        self.lock = threading.Lock()  # the adapters in use are kept in the layers
        self.requires_grad_(False).eval()

    def _stack(self) -> dict[str, Stacked]:
        found: dict[str, Stacked] = {}
        for number, layer in enumerate(self.layers):
            for path, linear in list(layer.named_modules()):
                parent, _, name = path.rpartition(".")
                if isinstance(linear, torch.nn.Linear) and name not in _FROZEN:
                    found[f"{number}.{path}"] = Stacked(linear)
                    setattr(layer.get_submodule(parent), name, found[f"{number}.{path}"])
        if not found:
            raise InputError(
                "This trunk's layers hold no linear projections to adapt; share the whole trunk."
            )
        return found

    def forward(self, stems: Stems, adapters: Adapters | None = None) -> torch.Tensor:
        """The last token's state after all layers and the final norm, (K, B, W); K = 1 without adapters."""
        with self.lock:
            return self._forward(stems, adapters)

    def _forward(self, stems: Stems, adapters: Adapters | None) -> torch.Tensor:
        for path, place in self.adapted.items():
            place.change = (adapters[f"{path}.a"], adapters[f"{path}.b"]) if adapters else None
        members = len(next(iter(adapters.values()))) if adapters else 1
        states_B_W = torch.stack(stems.states)
        places_B = torch.tensor([kv.shape[3] - 1 for kv in stems.keys_values], device=states_B_W.device)
        longest = int(places_B.max())
        states = states_B_W.repeat(members, 1)[:, None]  # (KB, 1, W)
        for number, (layer, kind) in enumerate(zip(self.layers, self.kinds, strict=True)):
            keys, values = _padded(stems, number, longest, members)
            states = layer(
                states,
                position_embeddings=self._rotated(states, places_B.repeat(members)[:, None], kind),
                attention_mask=self._mask(places_B, longest, kind).repeat(members, 1)[:, None, None],
                past_key_values=_Told(keys, values),
            )
        final: torch.Tensor = self.norm(states)
        return final[:, 0].view(members, len(stems), -1)

    def _rotated(self, states: torch.Tensor, places: torch.Tensor, kind: str) -> Any:
        return self.rotary(states, places, kind) if self.per_kind else self.rotary(states, places)

    def _mask(self, places_B: torch.Tensor, longest: int, kind: str) -> torch.Tensor:
        """(B, longest + 1): the tokens before the last, as far as the layer looks back, and the last itself."""
        at = torch.arange(longest, device=places_B.device)
        seen = at < places_B[:, None]
        if kind == "sliding_attention":
            seen &= at > places_B[:, None] - self.window
        return pad(seen, (0, 1), value=True)


def _padded(stems: Stems, layer: int, longest: int, members: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of the tokens before the last in one layer, (KB, heads, longest, head width) each."""
    rows = [kv[layer, :, :, :-1].float() for kv in stems.keys_values]
    both = torch.stack([pad(row, (0, 0, 0, longest - row.shape[2])) for row in rows])
    both = both.repeat(members, 1, 1, 1, 1)
    return both[:, 0], both[:, 1]


@functools.cache
def tops(trunk: LanguageTrunk, top: int) -> Tops:
    """The top layers of a trunk, copied once a process."""
    return Tops(trunk, top)


def fresh(above: Tops, members: int, rank: int, seed: int) -> dict[str, torch.Tensor]:
    """Adapters that change nothing yet: `a` at random (Kaiming), each member its own, and `b` zero."""
    made: dict[str, torch.Tensor] = {}
    for path, place in above.adapted.items():
        out, into = place.linear.weight.shape
        a_K_R_D = torch.empty(members, rank, into)
        for one in range(members):
            drawn = torch.Generator().manual_seed(seed * 1_000 + one)
            a_K_R_D[one].uniform_(-1, 1, generator=drawn).mul_((3 / into) ** 0.5)
        made[f"{path}.a"] = a_K_R_D
        made[f"{path}.b"] = torch.zeros(members, out, rank)
    return made


def member(adapters: Adapters, one: int) -> dict[str, torch.Tensor]:
    """One member's adapters, as a set of one."""
    return {name: tensor[one : one + 1] for name, tensor in adapters.items()}
