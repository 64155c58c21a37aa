"""Learning from texts, whatever the loss: their tokens, the settings, and the training in its folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gadfly.errors import InputError
from gadfly.models import LocalModel
from gadfly.training._folder import Folder
from gadfly.training._policy import Lora, trainable
from gadfly.training._session import Trained, Watch, described, train

__all__ = ["FromTexts", "Method", "tokens"]


@dataclass(frozen=True)
class FromTexts:
    """How to train on texts, whatever the method; `batch` counts texts, or pairs of them."""

    epochs: int = 3
    batch: int = 8
    learning_rate: float = 5e-4
    save_every: int = 50
    lora: Lora = field(default_factory=Lora)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or self.save_every < 1:
            raise InputError("epochs, batch and save_every are at least 1.")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is above 0; got {self.learning_rate}.")


@dataclass(frozen=True)
class Method:
    """A way to learn from texts: the name it is kept under, what one text is called, its `row` of tokens, the TRL
    trainer on (policy, rows, watch, steps), and what watches it.
    """

    name: str
    unit: str
    row: Callable[[LocalModel, Any], dict[str, Any]]
    trainer: Callable[[LocalModel, list[dict[str, Any]], Watch, int], Any]
    watch: type[Watch] = Watch

    def train(
        self,
        base: LocalModel,
        texts: Sequence[Any],
        output: str | Path,
        settings: FromTexts,
        start: str | Path | None,
        spec: Mapping[str, Any] | None,
    ) -> Trained:
        """The adapter in `output`: as it is where it is done, else trained from where it stopped."""
        if not texts:
            raise InputError(f"There is nothing to train on: no {self.unit} was given.")
        facts = described(self.name, base, settings, start, texts)
        folder = Folder.open(Path(output), facts | dict(spec or {}))
        steps = settings.epochs * math.ceil(len(texts) / settings.batch)
        with folder.lock():
            if folder.done:
                return Trained(folder.path, list(folder.read("curve")))
            policy = trainable(base, settings.lora, start, settings.seed)
            watch = self.watch(folder)
            rows = [self.row(policy, text) for text in texts]
            return train(folder, policy, steps, watch, lambda: self.trainer(policy, rows, watch, steps))


def tokens(policy: LocalModel, prompt: str, *completions: str) -> tuple[list[int], list[list[int]]]:
    """Token ids of the prompt and of each completion, which is read by itself and gets no end-of-text token.

    Where both together are longer than the policy's context, the prompt loses its beginning: as much as the longest
    completion asks for. Raises `InputError` for a completion that leaves no room for a prompt, or has no token.
    """
    read = [list(policy.tokenizer(one, add_special_tokens=False)["input_ids"]) for one in completions]
    if not all(read):
        raise InputError("A text to learn is empty; leave that example out.")
    room = policy.context - max(map(len, read))
    if room < 1:
        raise InputError(
            f"A text to learn has {policy.context - room:,} tokens and {policy.name} holds {policy.context:,}, its "
            "prompt included; shorten it."
        )
    return policy.encode(prompt)[-room:], read
