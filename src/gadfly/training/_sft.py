"""Supervised fine-tuning: maximum likelihood on what a player should have said, with TRL's trainer underneath."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gadfly.errors import InputError
from gadfly.models import LocalModel
from gadfly.training._checkpoints import ExactResume
from gadfly.training._folder import Folder
from gadfly.training._policy import Lora, trainable
from gadfly.training._session import Trained, Watch, arguments, described, train
from gadfly.training._texts import tokens

__all__ = ["Demonstration", "Supervision", "supervise"]


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A raw text and how it should go on. The continuation's own end (a newline, an end-of-text word) belongs to it."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Supervision:
    """How to train. Perez et al. 2022 take one epoch over millions of cases; with a hundred, three are better."""

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


def supervise(
    base: LocalModel,
    demonstrations: Sequence[Demonstration],
    output: str | Path,
    settings: Supervision | None = None,
    *,
    start: str | Path | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Trained:
    """Train an adapter on `base` in `output`; the same call again goes on where it stopped, to the same curve.

    The loss is the mean negative log-likelihood, in nats, of the continuations' tokens. `spec` is kept with it.
    Raises `InputError` for no demonstration, for one that is empty or longer than the model holds, and as `reinforce`
    does.
    """
    settings = settings or Supervision()
    if not demonstrations:
        raise InputError("There is nothing to train on: no demonstration was given.")
    facts = described("sft", base, settings, start, demonstrations)
    folder = Folder.open(Path(output), facts | dict(spec or {}))
    steps = settings.epochs * math.ceil(len(demonstrations) / settings.batch)
    with folder.lock():
        if folder.done:
            return Trained(folder.path, list(folder.read("curve")))
        policy = trainable(base, settings.lora, start, settings.seed)
        watch = Watch(folder)
        rows = [_tokens(policy, one) for one in demonstrations]
        return train(folder, policy, steps, watch, lambda: _trainer(policy, rows, settings, watch, steps))


def _tokens(policy: LocalModel, one: Demonstration) -> dict[str, list[int]]:
    prompt, [completion] = tokens(policy, one.prompt, one.completion)
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def _trainer(
    policy: LocalModel, rows: Sequence[Mapping[str, Any]], settings: Supervision, watch: Watch, steps: int
) -> Any:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    class Trainer(ExactResume, SFTTrainer):  # type: ignore[misc]
        pass

    config = SFTConfig(
        **arguments(watch.folder, policy, steps, settings.save_every),
        per_device_train_batch_size=settings.batch,
        learning_rate=settings.learning_rate,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        seed=settings.seed,
    )
    return Trainer(
        model=policy.weights,
        args=config,
        train_dataset=Dataset.from_list([dict(row) for row in rows]),
        processing_class=policy.tokenizer,
        callbacks=[watch],
    )
