"""Supervised fine-tuning: maximum likelihood on what a player should have said, with TRL's trainer underneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gadfly.models import LocalModel
from gadfly.training._checkpoints import ExactResume
from gadfly.training._session import Trained, Watch, arguments
from gadfly.training._texts import FromTexts, Method, tokens

__all__ = ["Demonstration", "Supervision", "supervise"]


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A raw text and how it should go on. The continuation's own end (a newline, an end-of-text word) belongs to it."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Supervision(FromTexts):
    """How to train. Perez et al. 2022 take one epoch over millions of cases; with a hundred, three are better."""


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
    method = Method("sft", "demonstration", _tokens, partial(_trainer, settings))
    return method.train(base, demonstrations, output, settings, start, spec)


def _tokens(policy: LocalModel, one: Demonstration) -> dict[str, list[int]]:
    prompt, [completion] = tokens(policy, one.prompt, one.completion)
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def _trainer(
    settings: Supervision, policy: LocalModel, rows: Sequence[dict[str, Any]], watch: Watch, steps: int
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
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=policy.tokenizer,
        callbacks=[watch],
    )
