"""Exact resume for TRL's trainers, without pickle.

The trainer saves its optimiser, scheduler and random numbers with `torch.save`; here the same goes into safetensors and
JSON, together with the adapter, in a directory that gets its name only when it is whole.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gadfly.training._folder import Folder

__all__ = ["ExactResume"]


class ExactResume:
    """Mixed into a TRL trainer in front of its class. `folder` is set before `train` is called."""

    folder: Folder
    model: Any
    optimizer: Any
    lr_scheduler: Any
    state: Any

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with self.folder.writing():
            self._save_whole()

    def _save_whole(self) -> None:
        target = self.folder.checkpoints / f"checkpoint-{self.state.global_step}"
        draft = target.with_suffix(".part")
        draft.mkdir(parents=True, exist_ok=True)
        tensors, plain = _flat(self.optimizer.state_dict())
        tensors["rng.torch"] = torch.random.get_rng_state()
        plain |= {"scheduler": _plain(self.lr_scheduler.state_dict()), "rng": _random_state()}
        save_file(adapter_tensors(self.model), draft / "adapter.safetensors")
        save_file(tensors, draft / "optimizer.safetensors")
        (draft / "rest.json").write_text(json.dumps(plain), "utf-8")
        self.state.log_history = []
        self.state.save_to_json(str(draft / "trainer_state.json"))
        draft.rename(target)
        self.folder.forget_old_checkpoints()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_adapter(self.model, Path(resume_from_checkpoint) / "adapter.safetensors")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        plain = json.loads((Path(checkpoint) / "rest.json").read_text("utf-8"))
        tensors = load_file(Path(checkpoint) / "optimizer.safetensors")
        self.optimizer.load_state_dict(_nested(tensors, plain))
        self.lr_scheduler.load_state_dict(plain["scheduler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        plain = json.loads((Path(checkpoint) / "rest.json").read_text("utf-8"))["rng"]
        with safe_open(Path(checkpoint) / "optimizer.safetensors", "pt") as file:
            torch.random.set_rng_state(file.get_tensor("rng.torch"))
        version, words, gauss = plain["python"]
        random.setstate((version, tuple(words), gauss))
        name, keys, *rest = plain["numpy"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))


def adapter_tensors(model: Any, name: str = "default") -> dict[str, torch.Tensor]:
    """The trained tensors of one adapter, on the CPU, by parameter name."""
    marker = f".{name}."
    return {
        key: value.detach().cpu().contiguous() for key, value in model.named_parameters() if marker in key
    }


def load_adapter(model: Any, file: Path, name: str = "default") -> None:
    """Put what `adapter_tensors` gave back into place."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for key, value in load_file(file).items():
            own[key].copy_(value)


def _flat(state: dict[str, Any]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """An optimiser's state as named tensors and the JSON beside them."""
    tensors = {
        f"{index}.{key}": value.detach().cpu().contiguous()
        for index, slot in state["state"].items()
        for key, value in slot.items()
    }
    return tensors, {"param_groups": [_plain(group) for group in state["param_groups"]]}


def _nested(tensors: dict[str, torch.Tensor], plain: dict[str, Any]) -> dict[str, Any]:
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        if index != "rng":
            slots.setdefault(int(index), {})[key] = value
    return {"state": slots, "param_groups": plain["param_groups"]}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """What of a state dict JSON can hold; the rest (a learning rate's lambda) is made anew."""
    held = (bool, int, float, str, list, tuple, type(None))
    return {key: value for key, value in values.items() if isinstance(value, held)}


def _random_state() -> dict[str, Any]:
    state: Any = np.random.get_state()
    name, keys, *rest = state
    return {"python": random.getstate(), "numpy": [name, keys.tolist(), *rest]}
