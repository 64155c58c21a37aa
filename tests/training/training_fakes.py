"""What tests of training share: log-probabilities worked out the long way, and a death at a chosen moment."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers.models.llama import LlamaConfig, LlamaForCausalLM

from forked import Forked
from gadfly.models import LocalModel
from gadfly.training import Lora, trainable
from tiny_models import SHAPE, tiny_tokenizer

WHOLE = Lora(rank=4, alpha=8, share=1.0)


def foreign_adapter(output: Path) -> Path:
    """An untrained adapter for a model of another width."""
    weights = LlamaForCausalLM(LlamaConfig(**SHAPE | {"hidden_size": 16}))
    policy = trainable(LocalModel(weights, tiny_tokenizer(), name="narrow"), WHOLE)
    policy.weights.save_pretrained(output, save_embedding_layers=False)
    return output


def log_prob(weights: Any, model: LocalModel, prompt: str, completion: str) -> float:
    """log π(completion | prompt) in nats, one token after the other."""
    head = model.encode(prompt)
    tail = list(model.tokenizer(completion, add_special_tokens=False)["input_ids"])
    with torch.no_grad():
        logits_T_V = weights(torch.tensor([head + tail])).logits[0].double()
    return sum(float(logits_T_V[len(head) + i - 1].log_softmax(-1)[token]) for i, token in enumerate(tail))


def killed(task: Callable[[Path], object], output: Path, file: str, times: int) -> int:
    """Run `task(output)` in a process of its own, killed when it opens a file of that name for the nth time to write.

    `task` is a function of a test module. Returns how the process ended: −9 when it was killed.
    """
    code = (
        f"from training_fakes import die_at; die_at({file!r}, {times}); from pathlib import Path; "
        f"from {task.__module__} import {task.__name__}; {task.__name__}(Path({str(output)!r}))"
    )
    return Forked(code).ended()[0]


def die_at(file: str, times: int) -> None:
    """Kill this process, as `kill -9` does, when it opens that file for the nth time to write."""
    left = [times]

    def watch(event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and Path(str(given[0])).name == file and str(given[1])[0] in "aw":
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
