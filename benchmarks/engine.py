"""The engine beside plain `generate`, on SmolLM2, in one run on one machine.

    python benchmarks/engine.py [--quick]

Three comparisons. Two in useful tokens per second (tokens up to a reply's end or its own limit):
mixed: 256 requests of mixed prompt and reply lengths against `generate` on left-padded batches in arrival order,
batches of 16 or 32, whichever is faster on the first 32; shared: 32 samples of one 500-token prompt against
`num_return_sequences=32`. One in seconds: turns: a cell of a scenario, 64 samples of a 1,500-token prompt that go on
for three turns, each with its own replies, all at once against one after another; both through the engine, in rounds,
so that nothing is kept from one turn to the next. Separate ones are measured on a few samples and scaled.

The engine runs before and after the baseline, and its slower run counts: other work on the machine then cannot
flatter it.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM

from gadfly.models._engine import Engine
from gadfly.models._local import LocalModel
from gadfly.models._request import Request, Sample

RESULTS = Path(__file__).parent / "results" / "engine.json"
TOP_P = 0.95
WORDS = re.findall(
    r"\w+", "the of and to in is that for it as was with be by on not he his but at are this have from"
)


def workload(local: LocalModel, count: int) -> list[Request]:
    """Chat prompts of 30 to 430 tokens with replies of up to 16 to 256 tokens, in random order."""
    rng = np.random.default_rng(0)
    requests = []
    for seed in range(count):
        words = int(np.clip(rng.lognormal(4.0, 0.9), 2, 400))
        text = "Write something about this: " + " ".join(rng.choice(WORDS, words))
        prompt = tuple(local.encode_chat([{"role": "user", "content": text}]))
        tokens = int(rng.choice([16, 32, 64, 128, 256], p=[0.2, 0.25, 0.25, 0.2, 0.1]))
        requests.append(Request(prompt, max_tokens=tokens, top_p=TOP_P, seed=seed))
    return requests


def ours(local: LocalModel, requests: list[Request]) -> tuple[float, int]:
    """Seconds and useful tokens of the engine, every request in flight at once."""

    async def everything() -> list[list[Sample]]:
        engine = Engine.of(local)
        return await asyncio.gather(*(engine.generate(request) for request in requests))

    started = time.perf_counter()
    replies = asyncio.run(everything())
    return time.perf_counter() - started, sum(len(s.tokens) for reply in replies for s in reply)


def plain(model: Any, requests: list[Request], batch: int, eos: int) -> tuple[float, int]:
    """Seconds and useful tokens of `generate` on left-padded batches in arrival order."""
    started, useful = time.perf_counter(), 0
    for at in range(0, len(requests), batch):
        part = requests[at : at + batch]
        longest = max(len(r.prompt) for r in part)
        ids = torch.tensor([[eos] * (longest - len(r.prompt)) + list(r.prompt) for r in part])
        seen = torch.tensor([[0] * (longest - len(r.prompt)) + [1] * len(r.prompt) for r in part])
        out = model.generate(
            ids,
            attention_mask=seen,
            max_new_tokens=max(r.max_tokens for r in part),
            do_sample=True,
            top_p=TOP_P,
            top_k=0,
            pad_token_id=eos,
        )
        for request, row in zip(part, out[:, longest:].tolist(), strict=True):
            row = row[: request.max_tokens]
            useful += row.index(eos) if eos in row else len(row)
    return time.perf_counter() - started, useful


def mixed(local: LocalModel, model: Any, count: int) -> dict[str, Any]:
    requests, eos = workload(local, count), int(local.tokenizer.eos_token_id)
    trial = {batch: rate(plain(model, requests[:32], batch, eos)) for batch in (16, 32)}
    batch = max(trial, key=lambda size: trial[size])
    before = rate(ours(local, requests))
    baseline = rate(plain(model, requests, batch, eos))
    runs = [before, rate(ours(local, requests))]
    return {
        "requests": count,
        "generate_batch": batch,
        "generate_tokens_per_second": baseline,
        "engine_tokens_per_second": runs,
        "ratio": round(min(runs) / baseline, 2),
        "target": 1.5,
    }


def shared(local: LocalModel, model: Any, tokens: int) -> dict[str, Any]:
    """Both make exactly `tokens` tokens per sample: the end-of-reply token is ruled out."""
    eos = int(local.tokenizer.eos_token_id)
    prompt = tuple((local.encode(" ".join(WORDS * 40)))[:500])
    assert len(prompt) == 500
    allowed = torch.ones(int(local.weights.config.vocab_size), dtype=torch.bool)
    allowed[list(local.eos)] = False
    request = Request(prompt, n=32, max_tokens=tokens, top_p=TOP_P, seed=0, mask=Fixed(allowed))
    before = rate(ours(local, [request]))
    started = time.perf_counter()
    out = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, 500, dtype=torch.long),
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=True,
        top_p=TOP_P,
        top_k=0,
        num_return_sequences=32,
        pad_token_id=eos,
    )
    baseline = rate((time.perf_counter() - started, out[:, 500:].numel()))
    runs = [before, rate(ours(local, [request]))]
    return {
        "samples": 32,
        "prompt_tokens": 500,
        "reply_tokens": tokens,
        "generate_tokens_per_second": baseline,
        "engine_tokens_per_second": runs,
        "ratio": round(min(runs) / baseline, 2),
        "target": 3.0,
    }


def conversation(local: LocalModel, at: int, turns: int, reply_tokens: int) -> list[Request]:
    """The requests of sample `at`, turn by turn; what was said is taken as given, so that all runs do the same work."""
    tokens = local.encode(" ".join(np.random.default_rng(at).choice(WORDS, 2000)))
    opening = tuple(local.encode(" ".join(WORDS * 100))[:1500])
    assert len(opening) == 1500
    added = reply_tokens + 60
    prompts = [opening + tuple(tokens[: turn * added]) for turn in range(turns)]
    allowed = torch.ones(int(local.weights.config.vocab_size), dtype=torch.bool)
    allowed[list(local.eos)] = False
    return [Request(p, max_tokens=reply_tokens, top_p=TOP_P, seed=at, mask=Fixed(allowed)) for p in prompts]


def in_rounds(local: LocalModel, requests: list[Request]) -> float:
    """Seconds for requests that wait for each other."""

    async def everything() -> None:
        engine = Engine.of(local)
        async with engine.rounds():
            await asyncio.gather(*(engine.generate(request) for request in requests))

    started = time.perf_counter()
    asyncio.run(everything())
    return time.perf_counter() - started


def turns(local: LocalModel, samples: int, separate: int) -> dict[str, Any]:
    """Seconds a turn, together (before and after the others; the slower run counts) and one after another."""
    talks = [conversation(local, at, 3, 48) for at in range(samples)]
    before = [in_rounds(local, [talk[turn] for talk in talks]) for turn in range(3)]
    alone = [sum(in_rounds(local, [talk[turn]]) for talk in talks[:separate]) for turn in range(3)]
    after = [in_rounds(local, [talk[turn] for talk in talks]) for turn in range(3)]
    scaled = [seconds * samples / separate for seconds in alone]
    together = max(sum(before), sum(after))
    return {
        "model": local.name,
        "samples": samples,
        "prompt_tokens": [len(request.prompt) for request in talks[0]],
        "reply_tokens": 48,
        "separate_measured": separate,
        "separate_seconds_scaled": [round(s, 1) for s in scaled],
        "together_seconds": [[round(s, 1) for s in run] for run in (before, after)],
        "ratio": round(together / sum(scaled), 3),
        "target": 0.25,
    }


class Fixed:
    """A mask that is the same at every token."""

    def __init__(self, allowed: torch.Tensor) -> None:
        self.allowed = allowed

    def start(self) -> Any:
        return lambda tokens: self.allowed


def rate(measured: tuple[float, int]) -> float:
    seconds, tokens = measured
    return round(tokens / seconds, 1)


def machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the requests, nothing written")
    quick = parser.parse_args().quick
    local = LocalModel.load("smollm2")
    assert local.path is not None
    model: Any = AutoModelForCausalLM.from_pretrained(local.path, dtype=local.dtype)
    model.eval()
    ours(local, workload(local, 4))
    plain(model, workload(local, 4), 4, int(local.tokenizer.eos_token_id))
    figures = {
        "benchmark": "engine",
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "model": local.name,
        "reason": local.reason,
        "shared": shared(local, model, 32 if quick else 64),
        "mixed": mixed(local, model, 64 if quick else 256),
        "turns": turns(local, 16 if quick else 64, 2 if quick else 6),
    }
    print(json.dumps(figures, indent=2))
    if not quick:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
