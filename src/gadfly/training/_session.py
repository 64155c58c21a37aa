"""One training under way, whatever the method: its folder, its live line, Ctrl-C, exact resume, errors in sentences."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from gadfly.errors import GadflyError, InputError
from gadfly.models import LocalModel
from gadfly.training._checkpoints import load_adapter
from gadfly.training._folder import Folder
from gadfly.training._live import Live

__all__ = ["Trained", "Watch", "adapter_digest", "arguments", "described", "train"]


@dataclass(frozen=True)
class Trained:
    """A finished training. `path` loads as the adapter, `curve` has a row per step; `ended` says why it stopped early,
    empty where it did not.
    """

    path: Path
    curve: list[dict[str, Any]]
    ended: str = ""


class Watch(TrainerCallback):
    """Keeps the line of each step, shows it, and ends the training when told to."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.live: Live | None = None
        self.ended = ""
        self.interrupted = False

    def row(self, step: int, logs: Mapping[str, Any]) -> dict[str, Any]:
        """What of a step's logs is kept, as JSON."""
        return {"loss": logs["loss"], "entropy": logs.get("entropy"), "grad_norm": logs.get("grad_norm")}

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        if logs and "loss" in logs:
            row = {"step": state.global_step, **self.row(state.global_step, logs)}
            self.folder.append("curve", [row])
            if self.live:
                self.live.step(row)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.interrupted:
            control.should_save = control.should_training_stop = True

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it, Ctrl-C asks for an end after the step under way; a second one ends at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(*_: object) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def described(
    method: str, base: LocalModel, settings: Any, start: str | Path | None, data: Sequence[Any] = ()
) -> dict[str, Any]:
    """What decides the outcome of a training, as JSON: `settings` without what only says how far and how safely, and
    `data` (dataclasses) by its hash.
    """
    known = {key: value for key, value in asdict(settings).items() if key not in ("steps", "save_every")}
    facts = {"method": method, "base": base.name, "start": adapter_digest(start), **known}
    if data:
        facts["data"] = hashlib.sha256(json.dumps([asdict(one) for one in data]).encode()).hexdigest()
    return facts


def adapter_digest(adapter: str | Path | None) -> str:
    """What an adapter is, wherever it lies: a hash of its weights; empty for none."""
    if adapter is None:
        return ""
    digest = hashlib.sha256()
    for file in sorted(Path(adapter).glob("*.safetensors")):
        digest.update(file.read_bytes())
    return f"sha256 {digest.hexdigest()}"


def arguments(folder: Folder, policy: LocalModel, steps: int, save_every: int) -> dict[str, Any]:
    """What every TRL trainer is told alike."""
    return {
        "output_dir": str(folder.path),
        "max_steps": steps,
        "gradient_accumulation_steps": 1,
        "lr_scheduler_type": "constant",
        "gradient_checkpointing": False,
        "bf16": False,
        "save_strategy": "steps",
        "save_steps": save_every,
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": policy.device.type == "cpu",
    }


def train(
    folder: Folder, policy: LocalModel, steps: int, watch: Watch, trainer: Callable[[], Any]
) -> Trained:
    """Train from the last checkpoint, or from the start, to `steps`, and save the adapter.

    One that had ended early by its last checkpoint stays as it was there, unless more steps are asked for than then.
    Raises `KeyboardInterrupt` after Ctrl-C, when the step under way is saved, and `InputError` when memory runs out or
    several GPUs are seen.
    """
    one_gpu(policy.device.type)
    last, before = folder.last_checkpoint, folder.info
    step = int(last.name.rpartition("-")[2]) if last else 0
    if before.get("ended_at", step + 1) <= step and steps <= before["steps"]:
        watch.ended = before["ended"]
    folder.rewind(step)
    folder.note(status="running", steps=steps, ended=watch.ended)
    if watch.ended and last:
        load_adapter(policy.weights, last / "adapter.safetensors")
    else:
        with _sentences(folder.path), Live(folder.path.name, steps) as live, watch.interruptible():
            made = trainer()
            made.remove_callback(PrinterCallback)
            made.folder, watch.live = folder, live
            made.train(resume_from_checkpoint=str(last) if last else None)
    if watch.interrupted and not watch.ended:
        folder.note(status="interrupted")
        raise KeyboardInterrupt
    with folder.writing():
        policy.weights.save_pretrained(
            folder.path, selected_adapters=["default"], save_embedding_layers=False
        )
    folder.note(status="ended" if watch.ended else "complete", ended=watch.ended)
    return Trained(folder.path, list(folder.read("curve")), watch.ended)


def one_gpu(device: str, count: Callable[[], int] = torch.cuda.device_count) -> None:
    """Raises `InputError` where the trainer would spread a policy over several GPUs, which TRL refuses to do."""
    if device == "cuda" and (seen := count()) > 1:
        raise InputError(
            f"Training takes one GPU and sees {seen}; choose one: set CUDA_VISIBLE_DEVICES=0 before the command."
        )


@contextmanager
def _sentences(output: Path) -> Iterator[None]:
    """Running out of memory, in a sentence; and without the trainers' warnings about themselves."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="trl|peft|transformers|torch|accelerate")
            yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _no_memory(output) from error
    except RuntimeError as error:
        if isinstance(error, GadflyError) or "memory" not in str(error).lower():
            raise
        raise _no_memory(output) from error


def _no_memory(output: Path) -> InputError:
    return InputError(
        "Training ran out of memory; take a smaller batch or shorter texts. What was trained until the last checkpoint "
        f"is kept in {output}, and the same command goes on from there."
    )
