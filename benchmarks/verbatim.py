"""What it costs to let a model say nothing but verbatim quotes: masked decoding beside plain decoding, SmolLM2.

    python benchmarks/verbatim.py [--quick]

16 samples of one prompt at once, 5 documents of 2,000 tokens (random words with the frequencies of English) to quote
from, the same number of tokens for every sample: nothing ends one here. Masked samples go on from quote to quote.
Rounds alternate, every masked round with documents of its own, so that making the mask is counted too. Two ratios of
the time per token: by the clock, the median over pairs of rounds, which other work on the machine disturbs; and by the
engine's own CPU time. `mask_share_of_rest` is what the mask alone takes, measured inside, beside all other work of its
thread; applying it to the logits is in the ratios only. Target: at most 1.05.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gadfly.corpora import Form, Passage, parse_answer, quoted
from gadfly.corpora._verbatim import Verbatim, tokens_of
from gadfly.models._engine import Engine
from gadfly.models._local import LocalModel
from gadfly.models._request import Allowed, Request, Sample

RESULTS = Path(__file__).parent / "results" / "verbatim.json"
SAMPLES, DOCUMENTS, DOCUMENT_TOKENS = 16, 5, 2000
FORM = Form(quotes=50, claim_chars=(1, 60), quote_chars=(10, 300))
CLAIM = "The answer stands in the documents"


def documents(local: LocalModel, seed: int) -> list[Passage]:
    """Texts of about so many tokens, of words drawn by Zipf's law from 3,000 that the tokenizer knows."""
    rng = np.random.default_rng(seed)
    known = [local.vocabulary.text(token) for token in range(300, 20_000)]
    words = [word[1:] for word in known if word[:1] == " " and word[1:].isalpha()][:3000]
    weights = 1 / np.arange(1, len(words) + 1)
    passages = []
    for number in range(DOCUMENTS):
        drawn = rng.choice(words, DOCUMENT_TOKENS, p=weights / weights.sum())
        text = " ".join(word + "." * (i % 17 == 16) for i, word in enumerate(drawn))
        text = local.vocabulary.decode(local.encode(text)[:DOCUMENT_TOKENS])
        passages.append(Passage(f"d{number}", f"Document {number}", text, 0, len(text)))
    return passages


class Timed:
    """A mask that counts the seconds that it takes of its thread."""

    def __init__(self, mask: Verbatim) -> None:
        self.mask, self.seconds = mask, 0.0

    def start(self) -> Allowed:
        inner = self.mask.start()

        def allowed(tokens: Sequence[int]) -> torch.Tensor | None:
            began = time.thread_time()
            now = inner(tokens)
            self.seconds += time.thread_time() - began
            return now

        return allowed


async def sampled(local: LocalModel, request: Request) -> tuple[list[Sample], float, float]:
    """The samples of a request, the seconds by the clock and those of the engine's thread, none ended by a token."""
    engine = Engine.of(local)
    engine.scheduler.eos = frozenset()
    spent = asyncio.get_running_loop().run_in_executor
    before, began = await spent(engine._thread, time.thread_time), time.perf_counter()
    samples = await engine.generate(request)
    seconds = time.perf_counter() - began
    return samples, seconds, await spent(engine._thread, time.thread_time) - before


async def rounds(local: LocalModel, count: int, tokens: int) -> list[dict[str, float]]:
    """Pairs of a plain and a masked round, the order changing; milliseconds per token."""
    prompt = tuple(local.encode(f"Documents and a question about them. %<{CLAIM}" * 20))[:400]
    found = []
    for number in range(count + 1):
        row: dict[str, float] = {}
        for kind in ("plain", "masked") if number % 2 else ("masked", "plain"):
            passages, began = documents(local, number), time.thread_time()
            made = Verbatim(tokens_of(local), frozenset(), passages, FORM)  # no token ends a sample
            making = time.thread_time() - began
            mask = Timed(made) if kind == "masked" else None
            request = Request(prompt, n=SAMPLES, max_tokens=tokens, seed=number, mask=mask)
            samples, clock, cpu = await sampled(local, request)
            said = sum(len(sample.tokens) for sample in samples)
            if mask is not None:
                clock, cpu = clock + making, cpu + making
                row |= {"mask": 1000 * (mask.seconds + making) / said, "making": 1000 * making}
                check(samples, passages)
            row |= {f"{kind}_clock": 1000 * clock / said, f"{kind}_cpu": 1000 * cpu / said}
        found.append(row)
    return found[1:]


def check(samples: list[Sample], passages: list[Passage]) -> None:
    """Every whole quote stands in its document."""
    answers = [answer for sample in samples if (answer := parse_answer(sample.text))]
    quotes = [pair for answer in answers for pair in answer.quotes]
    assert quotes
    for title, words in quotes:
        assert quoted(words, [p for p in passages if p.title == title]) is not None, (title, words)


def figures(rows: list[dict[str, float]]) -> dict[str, Any]:
    ratios = {
        kind: [round(row[f"masked_{kind}"] / row[f"plain_{kind}"], 3) for row in rows]
        for kind in ("clock", "cpu")
    }
    shares = [row["mask"] / (row["masked_cpu"] - row["mask"]) for row in rows]
    return {
        "plain_ms_per_token": round(statistics.median(row["plain_clock"] for row in rows), 3),
        "plain_cpu_ms_per_token": round(statistics.median(row["plain_cpu"] for row in rows), 3),
        "mask_ms_per_token": round(statistics.median(row["mask"] for row in rows), 3),
        "making_ms": round(statistics.median(row["making"] for row in rows), 1),
        "ratio_clock": {"median": statistics.median(ratios["clock"]), "rounds": ratios["clock"]},
        "ratio_cpu": {"median": statistics.median(ratios["cpu"]), "rounds": ratios["cpu"]},
        "mask_share_of_rest": round(statistics.median(shares), 4),
        "target": 1.05,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing written")
    parser.add_argument("--threads", type=int, default=1, help="torch threads; CPU time means most with one")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    local = LocalModel.load("smollm2")
    count, tokens = (2, 48) if arguments.quick else (6, 96)
    rows = asyncio.run(rounds(local, count, tokens))
    result = {
        "benchmark": "verbatim",
        "date": datetime.date.today().isoformat(),
        "machine": {
            "cpus": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "load_average": round(os.getloadavg()[0], 1),
        },
        "model": local.name,
        "samples": SAMPLES,
        "documents": DOCUMENTS,
        "document_tokens": DOCUMENT_TOKENS,
        "reply_tokens": tokens,
        **figures(rows),
    }
    print(json.dumps(result, indent=2))
    if not arguments.quick:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
