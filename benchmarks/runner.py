"""The wide runner against `inspect eval` and against a bare HTTP client, on the same cases in one run.

`python benchmarks/runner.py [--quick] [--full]` asks a stub service with 50 ms latency, one request a case at
concurrency 200, from a client process pinned to one core (the stub has the others). Each client is measured
twice, in a process of its own, and the faster time counts; ratios are what matters. `inspect eval` is given
2,000 cases and its rate taken unless `--full`: it holds them all in memory. Then: the most memory the runner
held at 20,000 and at 100,000 cases. Writes benchmarks/results/runner.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LATENCY = 0.05
CONCURRENCY = 200
CLIENTS = ("bare aiohttp", "gadfly run", "inspect eval")


def question(index: int) -> str:
    return f"Question {index}: what would you do if nobody were watching?"


class Clock:
    """Wall-clock and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"s": time.perf_counter() - self._wall, "cpu_s": time.process_time() - self._cpu}


def bare(url: str, cases: int, directory: Path) -> dict[str, float]:
    """Post the bodies, read the replies, keep nothing."""
    import aiohttp

    async def drive() -> None:
        feed = iter(range(cases))
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def worker() -> None:
                for index in feed:
                    messages = [{"role": "user", "content": question(index)}]
                    body = {"model": "stub-small", "max_tokens": 64, "seed": index, "messages": messages}
                    async with session.post(f"{url}/chat/completions", json=body) as response:
                        await response.json()

            await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))

    clock = Clock()
    asyncio.run(drive())
    return clock.read()


def wide(url: str, cases: int, directory: Path) -> dict[str, float]:
    """`run`, rows on disk included."""
    from gadfly.runs import Settings, run

    settings = Settings(directory, concurrency=CONCURRENCY, progress=False)
    clock = Clock()
    finished = asyncio.run(run(_game(url), cases, settings=settings))
    took = clock.read()
    kept = [
        row
        for table in finished.transcript_table.batches(["outcome"])
        for row in table["outcome"].to_pylist()
    ]
    if kept.count("completed") != cases:
        raise SystemExit(f"{kept.count('completed')} of {cases} cases were completed")
    return took


def deep(url: str, cases: int, directory: Path) -> dict[str, float]:
    """`inspect eval` of the plainest task: one sample a case, one `generate`, no scorer, no realtime log."""
    import inspect_ai
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.solver import generate

    task = inspect_ai.Task(MemoryDataset([Sample(input=question(i)) for i in range(cases)]), generate())
    clock = Clock()
    [log] = inspect_ai.eval(
        task,
        model=_model(url),
        log_dir=str(directory),
        display="none",
        log_realtime=False,
        max_samples=CONCURRENCY,
        max_tokens=64,
    )
    if log.status != "success":
        raise SystemExit(f"inspect eval ended with {log.status}")
    return clock.read()


RUNNERS: dict[str, Callable[[str, int, Path], dict[str, float]]] = dict(
    zip(CLIENTS, (bare, wide, deep), strict=True)
)


def _model(url: str) -> Any:
    from inspect_ai.model import GenerateConfig, get_model

    config = GenerateConfig(max_connections=CONCURRENCY, max_tokens=64)
    return get_model("openai-api/stub/stub-small", base_url=url, api_key="none", config=config)


def _game(url: str) -> Any:
    from gadfly.models import System
    from gadfly.transcripts import Case, Transcript, Turn

    @dataclass(frozen=True)
    class Asking:
        target: System
        name: str = "bench"

        @property
        def players(self) -> dict[str, System]:
            return {"target": self.target}

        def spec(self) -> dict[str, Any]:
            return {"game": "bench", "target": self.target.fingerprint()}

        async def play(self, case: Case) -> Transcript:
            asked = question(case.index)
            reply = await self.target.reply([("user", asked)], seed=case.seed)
            turns = (Turn("attacker", asked), Turn("target", reply.text, reply.stop))
            return Transcript(case, turns, usage={"target": reply.usage})

    return Asking(System(_model(url)))


def child(client: str, url: str, cases: int) -> None:
    """Measure one client in this process; print its times and the most memory it held."""
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as directory:
        took = RUNNERS[client](url, cases, Path(directory))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**took, "peak_mb": peak_mb}))


def measure(client: str, url: str, cases: int) -> dict[str, float]:
    """One client in a process of its own."""
    command = [sys.executable, __file__, "--child", client, url, str(cases)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    result["per_s"] = cases / result["s"]
    result["cpu_ms"] = 1_000 * result["cpu_s"] / cases
    rates = f"{result['per_s']:>8,.0f}/s {result['cpu_ms']:>7.3f} ms of CPU each"
    print(f"{client:14} {cases:>8,} cases {rates} {result['peak_mb']:>6,.0f} MB", flush=True)
    return result


def speed(url: str, cases: int, inspect_cases: int) -> dict[str, Any]:
    """Requests per second of each client, the better of two, interleaved."""
    counts = {client: inspect_cases if client == "inspect eval" else cases for client in CLIENTS}
    tries = [{client: measure(client, url, counts[client]) for client in CLIENTS} for _ in range(2)]
    best = {client: max(result[client]["per_s"] for result in tries) for client in CLIENTS}
    cpu_ms = {client: min(result[client]["cpu_ms"] for result in tries) for client in CLIENTS}
    return {
        "cases": counts,
        "cases_per_s": {client: round(rate, 1) for client, rate in best.items()},
        "all_cases_per_s": {client: [round(r[client]["per_s"], 1) for r in tries] for client in CLIENTS},
        "cpu_ms_per_case": {client: round(used, 3) for client, used in cpu_ms.items()},
        "times_inspect_eval": round(best["gadfly run"] / best["inspect eval"], 2),
        "times_bare_aiohttp": round(best["gadfly run"] / best["bare aiohttp"], 3),
    }


def memory(url: str, sizes: Sequence[int]) -> dict[str, Any]:
    """The most memory the runner's process held."""
    peaks = {size: measure("gadfly run", url, size)["peak_mb"] for size in sizes}
    first, last = peaks[sizes[0]], peaks[sizes[-1]]
    return {
        "peak_mb": {str(size): round(peak, 1) for size, peak in peaks.items()},
        "growth": round(last / first - 1, 3),
    }


def main() -> None:
    """Speed, then memory, then the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases")
    parser.add_argument("--full", action="store_true", help="inspect eval gets every case too")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        client, url, cases = options.child
        child(client, url, int(cases))
        return
    scale = 10 if options.quick else 1
    cases = 20_000 // scale
    stub = [sys.executable, str(HERE.parent / "tests" / "stub_server.py"), "--latency", str(LATENCY)]
    server = subprocess.Popen(stub, stdout=subprocess.PIPE, text=True)
    try:
        others = set(os.sched_getaffinity(0)) - {0}
        os.sched_setaffinity(server.pid, others or {0})
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        results = {
            "concurrency": CONCURRENCY,
            "latency_s": LATENCY,
            **speed(url, cases, cases if options.full else 2_000 if scale == 1 else 500),
            "memory": memory(url, (cases, 5 * cases)),
        }
    finally:
        server.terminate()
        server.wait()
    path = HERE / "results" / "runner.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
