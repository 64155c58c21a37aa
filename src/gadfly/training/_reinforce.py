"""Reinforcement: any player, any game, any judge, with TRL's GRPO underneath.

A step plays `batch` cases with the policy as one of the players, in groups that share a prompt, and moves the policy
towards what earned more than its group's mean (Shao et al. 2024, equation 3), held back by `kl` times its divergence
from where it started. What TRL would do twice is done once: the engine prefills a prompt once for its whole group and
samples in full batches, its tokens go straight into the loss, and no gradient enters the frozen layers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from gadfly.errors import InputError
from gadfly.models import LocalModel
from gadfly.stats import distinct, self_bleu
from gadfly.training._checkpoints import ExactResume
from gadfly.training._folder import Folder
from gadfly.training._policy import Lora, trainable
from gadfly.training._rollouts import Match, Rollout, Rollouts
from gadfly.training._session import Trained, Watch, arguments, described, train
from gadfly.words import enumerated

__all__ = ["Reinforcement", "reinforce"]

WINDOW = 128
"""Rollouts, the last so many, over which diversity is measured."""
PATIENCE = 20
"""Steps in a row without anything to learn from after which training ends."""


@dataclass(frozen=True)
class Reinforcement:
    """How to train. `batch` cases a step, in groups of `group` that play the same prompt.

    `kl` weighs the divergence from the start against the reward, per token. Training ends early when, over the last 128
    cases, fewer than `collapse` of the texts are distinct: reward can then rise only by saying the same thing again.
    """

    steps: int = 200
    batch: int = 32
    group: int = 32
    learning_rate: float = 3e-4
    kl: float = 0.4
    collapse: float = 0.1
    save_every: int = 10
    lora: Lora = field(default_factory=Lora)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.save_every < 1:
            raise InputError(f"steps and save_every are at least 1; got {self.steps} and {self.save_every}.")
        if self.group < 2 or self.batch % self.group:
            raise InputError(
                "A group has two cases or more and divides the batch; got a batch of "
                f"{self.batch} in groups of {self.group}."
            )
        if not self.learning_rate > 0 or not self.kl >= 0:
            raise InputError(
                f"learning_rate is above 0 and kl at least 0; got {self.learning_rate} and {self.kl}."
            )


def reinforce(
    base: LocalModel,
    match: Match,
    output: str | Path,
    settings: Reinforcement | None = None,
    *,
    start: str | Path | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Trained:
    """Train an adapter on `base` in `output`; the same call again goes on where it stopped, to the same curve.

    A player that has learned what there is ends early too: once every case of the last 20 steps earned the same as the
    others of its prompt.

    `start` is the adapter to begin from, and then also what `kl` is measured from. `spec` holds, as JSON, what else
    decides the outcome (the game's spec, the judge's name), so that a directory is not continued with another task.
    Ctrl-C ends after the step under way, saved. Raises `InputError` for rewards that are not finite, that nobody can
    tell or that never differed, for an adapter of another base, and when memory runs out; what was trained until the
    last checkpoint is kept.
    """
    settings = settings or Reinforcement()
    folder = Folder.open(Path(output), described("rl", base, settings, start) | dict(spec or {}))
    with folder.lock():
        if folder.done and folder.info["steps"] >= settings.steps:
            return Trained(folder.path, list(folder.read("curve")), folder.info["ended"])
        policy = trainable(base, settings.lora, start, settings.seed)
        watch = Progress(folder, settings.collapse, settings.group)
        with Rollouts(policy, match, settings.seed) as rollouts:
            return train(
                folder, policy, settings.steps, watch, lambda: _trainer(policy, rollouts, settings, watch)
            )


def _trainer(policy: LocalModel, rollouts: Rollouts, settings: Reinforcement, watch: Progress) -> Any:
    """TRL's trainer for this task. Its `rollout_func` is experimental: this is the one place that knows of it."""
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    class Trainer(ExactResume, GRPOTrainer):  # type: ignore[misc]
        pass

    def rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
        played = rollouts.play([int(prompt) for prompt in prompts])
        watch.saw(played, trainer.state.global_step + 1)
        return {
            "prompt_ids": [list(one.prompt) for one in played],
            "completion_ids": [list(one.completion) for one in played],
            "logprobs": None,
            "earned": [one.reward for one in played],
        }

    def reward(earned: list[float | None], **_: Any) -> list[float | None]:
        return earned

    config = GRPOConfig(
        **arguments(watch.folder, policy, settings.steps, settings.save_every),
        per_device_train_batch_size=settings.batch,
        num_generations=settings.group,
        learning_rate=settings.learning_rate,
        beta=settings.kl,
        temperature=rollouts.match.sampling.temperature or 1.0,
        max_completion_length=rollouts.match.sampling.max_tokens or 256,
        loss_type="dapo",
        shuffle_dataset=False,
        seed=settings.seed,
    )
    groups = settings.steps * settings.batch // settings.group
    return Trainer(
        model=policy.weights,
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": [str(number) for number in range(groups)]}),
        processing_class=policy.tokenizer,
        rollout_func=rollout,
        callbacks=[watch],
    )


class Progress(Watch):
    """What a step's rollouts amount to, and whether there is any point in another step."""

    def __init__(self, folder: Folder, collapse: float, group: int) -> None:
        super().__init__(folder)
        self.least, self.group = collapse * WINDOW, group
        self._steps: list[list[float | None]] | None = None
        self._texts: list[str] | None = None
        self._played: list[Rollout] = []

    def saw(self, played: list[Rollout], step: int) -> None:
        """Note a step's rollouts. Raises `InputError` when there is nothing to learn from them and never was, and when
        the judge could tell nothing for `PATIENCE` steps; a service may be down for one.
        """
        rewards = [one.reward for one in played if one.reward is not None]
        self._steps = [*self._before(), [one.reward for one in played]]
        if not any(one is not None for step in self._steps[-PATIENCE:] for one in step):
            outcomes = ", ".join(sorted({one.outcome for one in played}))
            steps = f" of each of the last {PATIENCE} steps" * (len(self._steps) > PATIENCE)
            raise InputError(
                f"The judge could tell nothing about any of {len(played)} cases{steps} ({outcomes}), so there is "
                "nothing to learn from; play some cases of this game without training first and read them."
            )
        if self._flat() >= PATIENCE:
            earned = enumerated([f"{reward:.3g}" for reward in sorted(set(rewards))[:3]])
            same = (
                f"of the last {PATIENCE} steps earned the same reward as the others of its prompt ({earned})"
            )
            if not self._rose():
                raise InputError(
                    f"Every case {same}, so there is nothing to learn from; begin with an adapter that "
                    "sometimes succeeds, or take a judge with finer scores."
                )
            self.ended = f"ended at step {step}: every case {same}, so there is nothing more to learn"
        self._played = played

    def row(self, step: int, logs: Mapping[str, Any]) -> dict[str, Any]:
        """The step's row of the curve; the rollouts themselves go into their own table."""
        played = self._played
        recent = self._recent([one.text for one in played])
        unlike = distinct(recent)
        scores = [one.score for one in played if one.score is not None]
        if len(recent) == WINDOW and unlike < self.least:
            self.ended = _collapsed(step, recent, unlike)
        return {
            "reward": logs["reward"],
            "score": float(np.mean(scores)) if scores else None,
            "invalid": sum(one.outcome == "invalid" for one in played),
            "kl": logs.get("kl"),
            "entropy": logs["entropy"],
            "grad_norm": logs.get("grad_norm"),
            "self_bleu": self_bleu(recent, references=WINDOW),
            "distinct": unlike,
            "texts": len(recent),
        }

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        if not logs or "reward" not in logs:
            return
        super().on_log(args, state, control, logs)
        step = state.global_step
        facts = ("text", "score", "reward", "outcome")
        rows = [{"step": step, **{fact: getattr(one, fact) for fact in facts}} for one in self._played]
        self.folder.append("rollouts", rows)
        if self.ended:  # kept before the step's checkpoint is: one that goes on from there has ended too
            self.folder.note(ended=self.ended, ended_at=step)
            control.should_save = control.should_training_stop = True

    def _before(self) -> list[list[float | None]]:
        """What each step's cases earned, those from before a training went on included."""
        if self._steps is None:
            rows = groupby(self.folder.read("rollouts"), key=lambda row: row["step"])
            self._steps = [[row["reward"] for row in played] for _, played in rows]
        return self._steps

    def _flat(self) -> int:
        """The last steps in a row that taught nothing, not counting those in which too few rewards are known."""
        told = (
            taught for rewards in reversed(self._before()) if (taught := self._taught(rewards)) is not None
        )
        return sum(1 for _ in takewhile(lambda taught: not taught, told))

    def _taught(self, rewards: Sequence[float | None]) -> bool | None:
        """Whether cases that are compared with each other earned differently; None where none can be compared."""
        groups = (rewards[at : at + self.group] for at in range(0, len(rewards), self.group))
        known = [[one for one in group if one is not None] for group in groups]
        compared = [set(group) for group in known if len(group) > 1]
        return any(len(earned) > 1 for earned in compared) if compared else None

    def _rose(self) -> bool:
        """Whether the steps that taught nothing came after some that did, and earn more than the first one."""
        steps = self._before()
        first, last = (
            [one for row in part for one in row if one is not None] for part in (steps[:1], steps[-PATIENCE:])
        )
        return any(map(self._taught, steps)) and bool(np.mean(last) > np.mean(first))

    def _recent(self, texts: Sequence[str]) -> list[str]:
        """The last texts with these, read from disk the first time: a training that goes on has earlier ones."""
        if self._texts is None:
            self._texts = [row["text"] for row in self.folder.read("rollouts")]
        self._texts = [*self._texts, *texts][-WINDOW:]
        return self._texts


def _collapsed(step: int, texts: Sequence[str], left: int) -> str:
    """Why training ends there, naming the words it fell on."""
    commonest = max(texts, key=texts.count)
    return (
        f"collapsed at step {step}: of the last {WINDOW} texts only {left} are distinct, "
        f"and {texts.count(commonest)} say “{commonest.strip()[:60]}”"
    )
