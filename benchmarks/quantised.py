"""Eight-bit weights beside float32, in one run on one machine: what they cost in words and what they save in time.

    OMP_NUM_THREADS=2 python benchmarks/quantised.py [--quick] [--only MODEL]

Quality: mean Kullback-Leibler divergence per token (nats, float32 first), how often the likeliest token is the same,
and the ratio of perplexities, over passages of Natural Questions ($GADFLY_DATA or ../shared/data), half of them as
chats with question and answer; intervals over texts.
Speed, through the engine: decoding is one short prompt sampled so many times at once, in sampled tokens per second;
prefill is so many prompts of 64 tokens at once, one token sampled of each, in prompt tokens per second. Eight bits
run before and after float32, and the slower run counts.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import gzip
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from engine import Fixed, machine  # type: ignore[import-not-found]
from gadfly.models._local import LocalModel
from gadfly.stats import mean

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "quantised.json"
DATA = Path(os.environ.get("GADFLY_DATA", HERE.parent.parent / "shared" / "data"))
LONGEST = 220
MODELS = {"smollm2": ((1, 16, 64, 128), 24, 24), "qwen2.5-coder-1.5b": ((1, 16, 64, 128), 6, 12)}
"""Model: how many rows at once, sampled tokens of each, and texts for quality."""


def texts(local: LocalModel, count: int) -> list[list[int]]:
    """Token ids of every seventh passage, in turn as a chat with its question and answer and as it is."""
    with gzip.open(DATA / "nq-oracle.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines][::7][:count]
    found = []
    for at, row in enumerate(rows):
        if at % 2:
            found.append(local.encode(row["passage"])[:LONGEST])
        else:
            asked = [{"role": "user", "content": f"{row['passage']}\n\nQuestion: {row['question']}?"}]
            answer = local.tokenizer(row["answers"][0], add_special_tokens=False)["input_ids"]
            found.append([*local.encode_chat(asked)[:LONGEST], *answer])
    return found


@torch.inference_mode()
def compared(exact: LocalModel, small: LocalModel, ids: Sequence[int]) -> dict[str, float]:
    """One text: divergence per token, agreement on the likeliest token, loss per token of each model."""
    row = torch.tensor([list(ids)])
    one, other = (m.weights(input_ids=row, use_cache=False).logits[0].log_softmax(-1) for m in (exact, small))
    following = row[0, 1:, None]
    return {
        "kl": float((one.exp() * (one - other)).sum(-1).mean()),
        "same": float((one.argmax(-1) == other.argmax(-1)).float().mean()),
        "worse": float((one[:-1].gather(1, following) - other[:-1].gather(1, following)).mean()),
    }


def quality(exact: LocalModel, small: LocalModel, count: int) -> dict[str, Any]:
    ids = texts(exact, count)
    rows = [compared(exact, small, one) for one in ids]

    def over(key: str) -> list[float]:
        found = mean([row[key] for row in rows])
        return [round(x, 5) for x in (found.point or 0.0, found.low, found.high)]

    return {
        "texts": len(ids),
        "tokens": sum(map(len, ids)),
        "kl_nats_per_token": over("kl"),
        "same_top_token": over("same"),
        "perplexity_ratio": [round(math.exp(x), 4) for x in over("worse")],
    }


def decoding(local: LocalModel, rows: int, tokens: int) -> float:
    """Sampled tokens per second; the end of a reply is ruled out."""
    allowed = torch.ones(int(local.weights.config.vocab_size), dtype=torch.bool)
    allowed[list(local.eos)] = False
    prompt = local.encode("The history of the")
    started = time.perf_counter()
    local.generate([prompt], n=rows, max_tokens=tokens, seed=0, mask=Fixed(allowed))
    return rows * tokens / (time.perf_counter() - started)


def prefill(local: LocalModel, rows: int) -> float:
    """Prompt tokens per second; no two prompts begin alike."""
    length, size = 64, int(local.weights.config.vocab_size)
    prompts = [[(101 * row + 7 * at + 11) % min(size, 30_000) for at in range(length)] for row in range(rows)]
    started = time.perf_counter()
    local.generate(prompts, max_tokens=1, seed=0)
    return rows * length / (time.perf_counter() - started)


def speed(exact: LocalModel, small: LocalModel, rows: Sequence[int], tokens: int) -> list[dict[str, Any]]:
    found = []
    for count in rows:
        steps = tokens * (2 if count == 1 else 1)
        measures: dict[str, Callable[[LocalModel], float]] = {
            "decode": functools.partial(decoding, rows=count, tokens=steps),
            "prefill": functools.partial(prefill, rows=count),
        }
        for what, measure in measures.items():
            before, exactly, after = measure(small), measure(exact), measure(small)
            found.append(
                {
                    "what": what,
                    "rows": count,
                    "float32_tokens_per_second": round(exactly, 1),
                    "int8_tokens_per_second": [round(before, 1), round(after, 1)],
                    "ratio": round(min(before, after) / exactly, 2),
                }
            )
            print(found[-1], flush=True)
    return found


def figures(name: str, quick: bool) -> dict[str, Any]:
    rows, tokens, count = MODELS[name]
    started = time.perf_counter()
    small = LocalModel.load(f"{name}@int8")
    loaded = time.perf_counter() - started
    exact = LocalModel.load(name, dtype="float32")
    for local in (exact, small):
        decoding(local, 2, 2)
    return {
        "model": name,
        "reason": small.reason.partition(";")[0],
        "int8_load_seconds": round(loaded, 1),
        "speed": speed(exact, small, rows[:2] if quick else rows, tokens),
        "quality": quality(exact, small, 4 if quick else count),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows and texts, nothing written")
    parser.add_argument("--only", choices=MODELS, help="one model; the other's figures stay as they are")
    asked = parser.parse_args()
    kept = json.loads(RESULTS.read_text())["models"] if asked.only and RESULTS.exists() else []
    names = [asked.only] if asked.only else list(MODELS)
    models = [one for one in kept if one["model"] not in names]
    for name in names:
        models.append(figures(name, asked.quick))
        print(json.dumps(models[-1], indent=2), flush=True)
        if not asked.quick:
            date = datetime.date.today().isoformat()
            head = {"benchmark": "quantised", "date": date, "machine": machine()}
            RESULTS.write_text(json.dumps(head | {"models": models}, indent=2) + "\n")


if __name__ == "__main__":
    main()
