"""Preference: a player learns which of two continuations is better, with TRL's DPO trainer underneath.

Direct preference optimisation (Rafailov et al. 2023) with two additions from self-play debate (Arnesen et al. 2024):
a label is a probability, so that a judge who is unsure pulls less and a tie holds both in place; and a share of the
loss may be the likelihood of the better text, for without it both can become unlikely while their difference grows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import logsigmoid

from gadfly.errors import InputError
from gadfly.models import LocalModel
from gadfly.training._checkpoints import ExactResume
from gadfly.training._session import Trained, Watch, arguments
from gadfly.training._texts import FromTexts, Method, tokens

__all__ = ["Preference", "Preferring", "confidence", "prefer"]


@dataclass(frozen=True, slots=True)
class Preference:
    """A raw text and two ways to go on; each one's own end (a newline, an end-of-text word) belongs to it.

    `p` in [0, 1] is the probability that `first` is better: 0.5 is a tie, 0 says that `second` is.
    """

    prompt: str
    first: str
    second: str
    p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise InputError(
                f"The probability that the first of two texts is better lies in [0, 1]; got {self.p}."
            )
        if not self.prompt or not self.first or not self.second:
            raise InputError(
                "A preference has a prompt and two texts that go on with it; one of them is empty."
            )


@dataclass(frozen=True)
class Preferring(FromTexts):
    """How to train. `batch` counts pairs.

    `beta` is how dear a step away from the start is: a pair is content when the log-ratio of its texts has grown by
    log(p / (1 − p)) / beta nats. `alpha` in [0, 1] is the share of the better text's likelihood in the loss, in nats a
    text, not a token, so that a little is enough; 0 is plain DPO with soft labels.
    """

    learning_rate: float = 3e-4
    beta: float = 0.1
    alpha: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta > 0:
            raise InputError(f"beta is above 0; got {self.beta}.")
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha lies in [0, 1]; got {self.alpha}.")


def confidence(score_a: float, score_b: float, gamma: float = 7.0) -> float:
    """The probability that a judge who gave these scores prefers the first: exp γa / (exp γa + exp γb).

    Arnesen et al. 2024 take γ = 7, so that scores in [0, 1] reach from 0.001 to 0.999; equal scores are a tie.
    """
    return (1 + math.tanh(gamma * (score_a - score_b) / 2)) / 2  # the same, without overflow


def prefer(
    base: LocalModel,
    pairs: Sequence[Preference],
    output: str | Path,
    settings: Preferring | None = None,
    *,
    start: str | Path | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Trained:
    """Train an adapter on `base` in `output`; the same call again goes on where it stopped, to the same curve.

    `start` is the adapter to begin from, and then also what log-ratios are taken to. A row of the curve holds, over the
    step's pairs, the `loss`; over those that are no ties the `accuracy`, the share whose better text has the larger
    log-ratio, and the `margin`, beta times the mean difference; and `better`, the better texts' mean log-ratio in
    nats: below 0 they too became less likely. `spec` is kept with the training. Raises `InputError` for no pair, for a
    text longer than the model holds, and as `reinforce` does.
    """
    settings = settings or Preferring()
    method = Method("dpo", "pair", _row, partial(_trainer, settings), Comparing)
    return method.train(base, pairs, output, settings, start, spec)


def losses(
    better_B: torch.Tensor, worse_B: torch.Tensor, start_B: torch.Tensor, p_B: torch.Tensor, how: Preferring
) -> torch.Tensor:
    """The loss of each of B pairs: −α log π(y_w) − (1 − α) [p log σ(βΔ) + (1 − p) log σ(−βΔ)] (Arnesen et al. 2024).

    `better_B` and `worse_B` are the policy's log-probabilities of the two texts, summed over tokens; `start_B` is the
    start's of the better less its of the worse, so that Δ = better − worse − start; p ≥ 0.5.
    """
    margin_B = how.beta * (better_B - worse_B - start_B)
    soft_B = p_B * logsigmoid(margin_B) + (1 - p_B) * logsigmoid(-margin_B)
    return -how.alpha * better_B - (1 - how.alpha) * soft_B


class Comparing(Watch):
    """Keeps what a step's pairs say of the implicit reward."""

    def row(self, step: int, logs: Mapping[str, Any]) -> dict[str, Any]:
        compared = {name: logs.get(name) for name in ("accuracy", "margin", "better")}
        return {**super().row(step, logs), **compared}


def _row(policy: LocalModel, pair: Preference) -> dict[str, Any]:
    """The pair as TRL names it, the better text first."""
    better, worse, p = pair.first, pair.second, pair.p
    if p < 0.5:
        better, worse, p = worse, better, 1 - p
    prompt, (chosen, rejected) = tokens(policy, pair.prompt, better, worse)
    return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected, "p": p}


def _trainer(
    settings: Preferring, policy: LocalModel, rows: Sequence[dict[str, Any]], watch: Watch, steps: int
) -> Any:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    padded = DataCollatorForPreference(pad_token_id=0)  # any token will do: nobody attends to it

    class Trainer(ExactResume, DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset  # TRL's would read the texts anew and put an end-of-text token after each

        def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
            policy_2B, entropy = _log_probs(model, inputs)
            better_B, worse_B = policy_2B.chunk(2)
            start_B = inputs["ref_chosen_logps"] - inputs["ref_rejected_logps"]
            facts = {"entropy": entropy, "better": (better_B - inputs["ref_chosen_logps"]).mean()}
            margin_B = settings.beta * (better_B - worse_B - start_B)[inputs["p"] > 0.5]
            if len(margin_B):
                facts |= {"margin": margin_B.mean(), "accuracy": (margin_B > 0).float().mean()}
            for name, value in facts.items():
                self._metrics["train"][name].append(value.item())
            return losses(better_B, worse_B, start_B, inputs["p"], settings).mean()

    config = DPOConfig(
        **arguments(watch.folder, policy, steps, settings.save_every),
        per_device_train_batch_size=settings.batch,
        learning_rate=settings.learning_rate,
        remove_unused_columns=False,
        max_length=None,
        seed=settings.seed,
    )
    trainer = Trainer(
        model=policy.weights,
        args=config,
        data_collator=lambda some: padded(some) | {"p": torch.tensor([row["p"] for row in some])},
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=policy.tokenizer,
        callbacks=[watch],
    )
    trainer.train_dataset = Dataset.from_list(list(_compared(trainer, padded, rows)))
    return trainer


def _compared(trainer: Any, padded: Any, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows with the start's log-probabilities of their texts: once, for it stays as it is in every epoch."""
    size = trainer.args.per_device_train_batch_size
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        inputs = trainer._prepare_inputs(padded(some))
        chosen_B, rejected_B = trainer.compute_ref_log_probs(trainer.model, inputs)
        for row, chosen, rejected in zip(some, chosen_B.tolist(), rejected_B.tolist(), strict=True):
            yield row | {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}


def _log_probs(model: Any, inputs: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each text its log-probability, summed over its tokens, and over all of them the mean entropy of a token."""
    labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
    given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "labels": labels}
    out = model(**given, use_cache=False, fused_lm_head=True)
    return out.log_probs.sum(1), out.entropy.detach().sum() / (labels != -100).sum()
