"""A step of reinforcement against TRL's GRPO at its defaults, on the same work: 16 completions of 32 tokens, SmolLM2.

    python benchmarks/reinforce.py [--quick]

Both train a LoRA and are given the same prompt and reward. TRL's trainer is left as it comes (its own generation, its
data type, LoRA as PEFT makes it by default, no divergence from the start); ours samples with the engine, trains the
top fifth of layers and also works out the divergence. TRL is also given the same LoRA and bfloat16. A step is timed
from reward to reward, the first one left out; they take turns, and the figure is the ratio of medians.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from inspect_ai.model import GenerateConfig

from gadfly.models import LocalModel, System
from gadfly.training import Lora, Match, Reinforcement, reinforce, trainable
from gadfly.transcripts import Case, Judgement, Transcript, Turn

RESULTS = Path(__file__).parent / "results" / "reinforce.json"
PROMPT = "List of questions to ask someone:\n1."
COMPLETIONS, TOKENS = 16, 32


class Continue:
    """The player continues the prompt."""

    name = "continue"

    def __init__(self, player: System) -> None:
        self.player = player

    @property
    def players(self) -> Mapping[str, System]:
        return {"player": self.player}

    def spec(self) -> dict[str, Any]:
        return {"game": self.name}

    async def play(self, case: Case) -> Transcript:
        reply = await self.player.complete(PROMPT, seed=case.seed)
        return Transcript(case, (Turn("player", reply.text),))


class Vowels:
    """The share of vowels, and the time at which it was asked."""

    name, threshold = "vowels", 0.5

    def __init__(self) -> None:
        self.times: list[float] = []

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        self.times.append(time.monotonic())
        return [Judgement(t.case.id, self.name, vowels(t.turns[0].text)) for t in transcripts]


def vowels(text: str) -> float:
    return sum(letter in "aeiou" for letter in text) / max(1, len(text))


def ours(steps: int, scratch: Path) -> list[float]:
    """Seconds from reward to reward."""
    judge = Vowels()
    match = Match(
        Continue,
        judge,
        reward=lambda transcript, judgement: judgement.score,
        sampling=GenerateConfig(temperature=1.0, max_tokens=TOKENS),
    )
    settings = Reinforcement(steps=steps, batch=COMPLETIONS, group=COMPLETIONS, save_every=1000)
    reinforce(LocalModel.load("smollm2"), match, scratch / f"ours-{time.monotonic()}", settings)
    return gaps(judge.times)


def trl(steps: int, scratch: Path, model: Any, adapter: Any) -> list[float]:
    """The same of TRL's trainer as it comes."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    times: list[float] = []

    def reward(completions: list[str], **_: Any) -> list[float]:
        times.append(time.monotonic())
        return [vowels(text) for text in completions]

    config = GRPOConfig(
        output_dir=str(scratch / "trl"),
        max_steps=steps,
        per_device_train_batch_size=COMPLETIONS,
        num_generations=COMPLETIONS,
        max_completion_length=TOKENS,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": [PROMPT] * steps}),
        processing_class=LocalModel.load("smollm2").tokenizer,
        peft_config=adapter,
    )
    trainer.train()
    return gaps(times)


def trl_default(steps: int, scratch: Path) -> list[float]:
    from peft import LoraConfig

    return trl(steps, scratch, str(LocalModel.load("smollm2").path), LoraConfig(task_type="CAUSAL_LM"))


def trl_alike(steps: int, scratch: Path) -> list[float]:
    return trl(steps, scratch, trainable(LocalModel.load("smollm2"), Lora()).weights, None)


def gaps(times: Sequence[float]) -> list[float]:
    """Without the first, in which things warm up."""
    return [b - a for a, b in itertools.pairwise(times[1:])]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    steps, rounds = (4, 1) if parser.parse_args().quick else (6, 3)
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    warnings.filterwarnings("ignore")
    kinds: dict[str, Callable[[int, Path], list[float]]] = {
        "gadfly": ours,
        "trl_default": trl_default,
        "trl_alike": trl_alike,
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(rounds):
            for kind, timed in kinds.items():
                seconds[kind] += timed(steps, Path(scratch))
                print(
                    f"{kind:12} {statistics.median(seconds[kind]):.2f} s a step of {COMPLETIONS}", flush=True
                )
    middle = {kind: statistics.median(values) for kind, values in seconds.items()}
    found = {
        "seconds_a_step": middle,
        "samples_per_second": {kind: COMPLETIONS / value for kind, value in middle.items()},
        "ratio_to_trl_default": middle["trl_default"] / middle["gadfly"],
        "ratio_to_trl_alike": middle["trl_alike"] / middle["gadfly"],
        "all": seconds,
    }
    print(
        f"{found['ratio_to_trl_default']:.2f} times as fast as TRL's defaults, "
        f"{found['ratio_to_trl_alike']:.2f} times as fast with the same LoRA and data type"
    )
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
