"""A policy: a local model with a LoRA on its top layers, ready to be trained and to play.

The frozen tensors are those of the model it came from; only the modules around them are copied. So a policy and the
model it plays against, on one base, cost one set of weights and a few megabytes.
"""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gadfly.errors import InputError
from gadfly.models import LocalModel, System
from gadfly.models._local import with_adapter
from gadfly.models._names import local_name

__all__ = ["Lora", "learner_of", "trainable"]


@dataclass(frozen=True, slots=True)
class Lora:
    """Which weights may change (Hu et al. 2021): low-rank updates to every linear layer of the top `share` of layers.

    Lower layers are not back-propagated through: no tensor under them wants a gradient. Perez et al. 2022 freeze
    80 %, hence 0.2. `alpha` scales the update by alpha / rank.
    """

    rank: int = 16
    alpha: int = 32
    share: float = 0.2

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1:
            raise InputError(f"A LoRA's rank and alpha are at least 1; got {self.rank} and {self.alpha}.")
        if not 0 < self.share <= 1:
            raise InputError(f"The share of layers to train lies in (0, 1]; got {self.share}.")


def learner_of(system: System) -> tuple[str, Path | None]:
    """The local model behind a system, by name, and the adapter on it, if any. Raises `InputError` for a model whose
    weights are not here.
    """
    provider, _, rest = system.name.partition("/")
    if provider != "gadfly":
        raise InputError(
            f"{system.name} cannot be trained: only a local model's weights are here, such as gadfly/smollm2."
        )
    parts = local_name(rest)
    return str(replace(parts, adapter=None)), Path(parts.adapter).expanduser() if parts.adapter else None


def trainable(base: LocalModel, lora: Lora, start: str | Path | None = None, seed: int = 0) -> LocalModel:
    """`base` with a trainable adapter in float32: a fresh one, which changes nothing yet, or the one saved in `start`.

    `base` itself stays as it is and can go on playing. Raises `InputError` for an adapter that is not there or was made
    for another base, for a base in eight bits, and where PEFT is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise InputError("Training needs more packages: pip install 'gadfly[training]'.") from error
    if base.is_int8:
        raise InputError(f"{base.name} is in eight bits and cannot be trained; name it without @int8.")
    if hasattr(base.weights, "peft_config"):
        raise InputError(
            f"{base.name} already has an adapter; name the base model and give the adapter as the start."
        )
    shared: dict[int, Any] = {id(t): t for t in (*base.weights.parameters(), *base.weights.buffers())}
    weights = copy.deepcopy(base.weights, shared)
    torch.manual_seed(seed)
    if start is not None:
        tuned = with_adapter(weights, base.name, Path(start), trainable=True)
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                weight.data = weight.data.float()
    else:
        layers, linear = _layers(weights)
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            target_modules=linear,
            layers_to_transform=list(range(layers - max(1, math.ceil(lora.share * layers)), layers)),
            task_type="CAUSAL_LM",
        )
        with warnings.catch_warnings(
            action="ignore", category=FutureWarning
        ):  # PEFT asks transformers in an old way
            tuned = get_peft_model(weights, config, autocast_adapter_dtype=True)
        config.base_model_name_or_path = base.name  # PEFT names a path of this machine, or nothing
    reason = f"{base.reason.partition(';')[0]}; LoRA on {_wanted(tuned):,} of {_all(tuned):,} weights"
    return LocalModel(tuned, base.tokenizer, name=base.name, path=base.path, reason=reason)


def _layers(weights: Any) -> tuple[int, list[str]]:
    """How many decoder layers there are, and the names of the linear modules in one."""
    stack = weights.get_decoder().layers
    names = {
        name.rpartition(".")[2]
        for name, module in stack[-1].named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    return len(stack), sorted(names)


def _wanted(weights: Any) -> int:
    return sum(p.numel() for p in weights.parameters() if p.requires_grad)


def _all(weights: Any) -> int:
    return sum(p.numel() for p in weights.parameters())
