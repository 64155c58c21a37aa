"""Requests per second of one client process on one core, against a stub with 50 ms latency in another
process.

`python benchmarks/transport.py [--quick]` prints a table and writes benchmarks/results/transport.json. What
counts are the ratios to the bare client: absolute figures vary from machine to machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
from inspect_ai.model import GenerateConfig, Model, get_model
from openai import AsyncOpenAI

from gadfly.models import System, direct_transport

HERE = Path(__file__).resolve().parent
LATENCY = 0.05
CONCURRENCY = 200
SAMPLING = GenerateConfig(max_tokens=64, temperature=1.0, max_connections=CONCURRENCY)

ROUNDS = 5

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True)
class Speed:
    per_second: float
    cpu_ms: float


async def speed(call: Call, cases: int) -> Speed:
    """Of `cases` calls, at most CONCURRENCY of them at once, after a warm-up that opens the connections."""
    await drive(call, CONCURRENCY)
    began, cpu = time.perf_counter(), time.process_time()
    await drive(call, cases)
    return Speed(cases / (time.perf_counter() - began), (time.process_time() - cpu) / cases * 1000)


async def drive(call: Call, cases: int) -> None:
    waiting = iter(range(cases))

    async def worker() -> None:
        for case in waiting:
            await call(case)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


def question(case: int) -> str:
    return f"Question {case}: what would you do with a free afternoon?"


async def bare_aiohttp(url: str, cases: int) -> Speed:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(case: int) -> object:
            messages = [{"role": "user", "content": question(case)}]
            body = {"model": "m", "max_tokens": 64, "temperature": 1.0, "seed": case, "messages": messages}
            async with session.post(f"{url}/chat/completions", json=body) as response:
                return (await response.json())["choices"][0]["message"]["content"]

        return await speed(call, cases)


async def gadfly_direct(url: str, cases: int) -> Speed:
    system = System(_model(url), sampling=SAMPLING)
    with direct_transport():
        return await speed(lambda case: system.reply([("user", question(case))], seed=case), cases)


async def openai_client(url: str, cases: int) -> Speed:
    async with AsyncOpenAI(api_key="none", base_url=url) as client:

        def call(case: int) -> Awaitable[object]:
            return client.chat.completions.create(
                model="m",
                max_tokens=64,
                temperature=1.0,
                seed=case,
                messages=[{"role": "user", "content": question(case)}],
            )

        return await speed(call, cases)


async def inspect_generate(url: str, cases: int) -> Speed:
    system = System(_model(url), sampling=SAMPLING)
    return await speed(lambda case: system.reply([("user", question(case))], seed=case), cases)


def _model(url: str) -> Model:
    return get_model("openai-api/stub/m", base_url=url, api_key="none", memoize=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases")
    cases = 2_000 if parser.parse_args().quick else 20_000
    os.environ["INSPECT_DISPLAY"] = "none"
    cores = sorted(os.sched_getaffinity(0))
    stub = subprocess.Popen(
        [sys.executable, str(HERE.parent / "tests" / "stub_server.py"), "--latency", str(LATENCY)],
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(stub.pid, cores[1:] or cores)
    os.sched_setaffinity(0, cores[:1])
    try:
        assert stub.stdout is not None
        url = stub.stdout.readline().strip()
        rounds = [
            {
                name: asyncio.run(client(url, int(cases / ROUNDS * share)))
                for name, (client, share) in CLIENTS.items()
            }
            for _ in range(ROUNDS)
        ]
    finally:
        stub.terminate()
    report(rounds, cases)


CLIENTS: dict[str, tuple[Callable[[str, int], Coroutine[object, object, Speed]], float]] = {
    "bare aiohttp": (bare_aiohttp, 1.0),
    "gadfly, direct": (gadfly_direct, 1.0),
    "openai client": (openai_client, 0.2),
    "Inspect Model.generate": (inspect_generate, 0.1),
}
"""Each with the share of the cases it is given: the slow ones need fewer to be known as well."""


def report(rounds: list[dict[str, Speed]], cases: int) -> None:
    rows = {}
    for name in CLIENTS:
        rows[name] = {
            "requests_per_s": round(median(turn[name].per_second for turn in rounds), 1),
            "ratio_to_bare": round(
                median(turn[name].per_second / turn["bare aiohttp"].per_second for turn in rounds), 3
            ),
            "cpu_ms_per_request": round(median(turn[name].cpu_ms for turn in rounds), 3),
        }
        rate, ratio, cpu = rows[name].values()
        print(f"{name:24s} {rate:6.0f} requests/s   {ratio:5.2f} of bare   {cpu:6.3f} ms of processor each")
    results = {
        "cases": cases,
        "concurrency": CONCURRENCY,
        "latency_s": LATENCY,
        "rounds": ROUNDS,
        "clients": rows,
    }
    path = HERE / "results" / "transport.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
