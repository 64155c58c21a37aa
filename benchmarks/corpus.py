"""Building and searching a corpus: gadfly's (tantivy) against bm25s, each in a process of its own.

`python benchmarks/corpus.py [--quick]`: 100,000 passages for both, then 1,000,000 for gadfly's; `--quick` 10,000 for
both. A passage is 40 to 160 words drawn from a Zipf-Mandelbrot vocabulary of 400,000 (exponent 1.07, offset 2.7, seed
0) whose first ranks are the words of the Natural Questions passages by frequency, where ../shared/data has them; those
passages are in the corpus too, and their questions are what is asked: real lengths, real shares of common words.
Without them a question is nine words drawn alike. Times are wall-clock with the reading of the JSONL file; CPU seconds
stand beside them: on a machine that others use, they are what can be compared. Memory is the most the process ever
held; a query is one call for four passages, after 20 that do not count. `found` is the share of questions whose own
passage is among the four. Writes benchmarks/results/corpus.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
QUESTIONS = HERE.parents[1] / "shared" / "data" / "nq-oracle.jsonl.gz"
VOCABULARY = 400_000
ENGINES = ("gadfly", "bm25s")
Search = Callable[[str], list[str]]


def real() -> list[dict[str, Any]]:
    """The questions with their passages; none where they are not here."""
    if not QUESTIONS.exists():
        return []
    with gzip.open(QUESTIONS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def vocabulary(rows: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Words by rank, and the cumulated probability of each."""
    seen = Counter(word for row in rows for word in re.findall(r"\w+", row["passage"].lower()))
    words = [word for word, _ in seen.most_common()]
    words += [f"w{rank:x}" for rank in range(len(words), VOCABULARY)]
    shares = 1 / (np.arange(1, VOCABULARY + 1) + 2.7) ** 1.07
    return np.array(words, dtype=object), np.cumsum(shares / shares.sum())


def write(path: Path, count: int) -> list[tuple[str, str]]:
    """So many passages as JSONL; the questions, each with the id of its passage ("" for a drawn one)."""
    rows, rng = real()[:count], np.random.default_rng(0)
    words, shares = vocabulary(rows)

    def drawn(length: int) -> str:
        return " ".join(words[np.minimum(np.searchsorted(shares, rng.random(length)), VOCABULARY - 1)])

    with path.open("w", encoding="utf-8") as file:
        for n, row in enumerate(rows):
            told = {"id": f"nq{n}", "title": row["title"], "text": row["passage"][:1_000]}
            file.write(json.dumps(told) + "\n")
        for n in range(count - len(rows)):
            text = drawn(int(rng.integers(40, 160)))
            file.write(json.dumps({"id": f"z{n}", "title": drawn(2), "text": text}) + "\n")
    asked = [(row["question"], f"nq{n}") for n, row in enumerate(rows)]
    return asked or [(drawn(9), "") for _ in range(1_000)]


def gadfly(path: Path, folder: Path) -> Search:
    """Build and open."""
    from gadfly.corpora import build, corpus

    build("bench", [path], folder=folder, progress=False)
    opened = corpus(folder / "bench")
    return lambda query: [found.passage.document for found in opened.search(query, 4)]


def bm25s(path: Path, folder: Path) -> Search:
    """Its own tokenizer and numba backend, English stop words left out as it does by default, no stemmer."""
    import bm25s as library  # -P: beside this file lies a coverage.py, which is not the one numba looks for

    ids, texts = [], []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            ids.append(row["id"])
            texts.append(f"{row['title']}\n{row['text']}")
    index = library.BM25(k1=1.2, b=0.75, backend="numba")
    index.index(library.tokenize(texts, show_progress=False), show_progress=False)
    index.save(str(folder))

    def search(query: str) -> list[str]:
        tokens = library.tokenize([query], show_progress=False)
        numbers = index.retrieve(tokens, k=4, show_progress=False, return_as="documents")
        return [ids[int(n)] for n in numbers[0]]

    return search


def child(engine: str, path: Path, asked: Path) -> None:
    """One engine in this process; prints what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        begun, cpu = time.perf_counter(), time.process_time()
        search = {"gadfly": gadfly, "bm25s": bm25s}[engine](path, Path(folder))
        built = {"build_s": time.perf_counter() - begun, "build_cpu_s": time.process_time() - cpu}
        built["build_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        built["disk_mb"] = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 1e6
        searched = searching(search, json.loads(asked.read_text()))
    built["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rounded = {name: round(value, 1) for name, value in built.items()}
    print(json.dumps({**rounded, **searched, "load": round(os.getloadavg()[0], 2)}))


def searching(search: Search, questions: list[tuple[str, str]]) -> dict[str, float]:
    """Milliseconds a query, on the clock and of CPU, and how often the right passage was among the four."""
    for query, _ in questions[:20]:
        search(query)
    wall, cpu, hits = [], [], 0
    for query, wanted in questions:
        clock, used = time.perf_counter(), time.process_time()
        found = search(query)
        cpu.append(1_000 * (time.process_time() - used))
        wall.append(1_000 * (time.perf_counter() - clock))
        hits += wanted in found
    told = {"found": round(hits / len(questions), 4)}
    for name, taken in (("ms", wall), ("cpu_ms", cpu)):
        told |= {f"p{p}_{name}": round(float(np.percentile(taken, p)), 2) for p in (50, 95, 99)}
    return told


def measure(count: int, engines: tuple[str, ...]) -> dict[str, Any]:
    """The engines on the same passages."""
    with tempfile.TemporaryDirectory() as folder:
        path, asked = Path(folder) / "passages.jsonl", Path(folder) / "asked.json"
        asked.write_text(json.dumps(write(path, count)))
        told = {}
        for engine in engines:
            command = [sys.executable, "-P", __file__, "--child", engine, str(path), str(asked)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            told[engine] = json.loads(done.stdout.splitlines()[-1])
            print(f"{count:>9,} {engine:7} {told[engine]}", flush=True)
    return told


def main() -> None:
    """Both small, the chosen one large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 passages, both engines")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        engine, path, asked = options.child
        child(engine, Path(path), Path(asked))
        return
    sizes = ((10_000, ENGINES),) if options.quick else ((100_000, ENGINES), (1_000_000, ("gadfly",)))
    results = {str(count): measure(count, engines) for count, engines in sizes}
    path = HERE / "results" / "corpus.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
