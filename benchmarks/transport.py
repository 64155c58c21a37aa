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
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from inspect_ai.model import GenerateConfig, Model, get_model
from openai import AsyncOpenAI

from gadfly.models import System, direct_transport

HERE = Path(__file__).resolve().parent
LATENCY = 0.05
CONCURRENCY = 200
SAMPLING = GenerateConfig(max_tokens=64, temperature=1.0, max_connections=CONCURRENCY)

Call = Callable[[int], Awaitable[object]]


async def rate(call: Call, cases: int) -> float:
    """Requests per second of `cases` calls, at most CONCURRENCY of them at once, after a warm-up."""
    await drive(call, min(cases, CONCURRENCY))
    began = time.perf_counter()
    await drive(call, cases)
    return cases / (time.perf_counter() - began)


async def drive(call: Call, cases: int) -> None:
    waiting = iter(range(cases))

    async def worker() -> None:
        for case in waiting:
            await call(case)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


def question(case: int) -> str:
    return f"Question {case}: what would you do with a free afternoon?"


async def bare_aiohttp(url: str, cases: int) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(case: int) -> object:
            messages = [{"role": "user", "content": question(case)}]
            body = {"model": "m", "max_tokens": 64, "temperature": 1.0, "seed": case, "messages": messages}
            async with session.post(f"{url}/chat/completions", json=body) as response:
                return (await response.json())["choices"][0]["message"]["content"]

        return await rate(call, cases)


async def gadfly_direct(url: str, cases: int) -> float:
    system = System(_model(url), sampling=SAMPLING)
    with direct_transport():
        return await rate(lambda case: system.reply([("user", question(case))], seed=case), cases)


async def openai_client(url: str, cases: int) -> float:
    async with AsyncOpenAI(api_key="none", base_url=url) as client:

        def call(case: int) -> Awaitable[object]:
            return client.chat.completions.create(
                model="m",
                max_tokens=64,
                temperature=1.0,
                seed=case,
                messages=[{"role": "user", "content": question(case)}],
            )

        return await rate(call, cases)


async def inspect_generate(url: str, cases: int) -> float:
    system = System(_model(url), sampling=SAMPLING)
    return await rate(lambda case: system.reply([("user", question(case))], seed=case), cases)


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
        rates = {
            "bare aiohttp": asyncio.run(bare_aiohttp(url, cases)),
            "gadfly, direct": asyncio.run(gadfly_direct(url, cases)),
            "openai client": asyncio.run(openai_client(url, cases // 4)),
            "Inspect Model.generate": asyncio.run(inspect_generate(url, cases // 10)),
            "bare aiohttp, again": asyncio.run(bare_aiohttp(url, cases)),
        }
    finally:
        stub.terminate()
    report(rates, cases)


def report(rates: dict[str, float], cases: int) -> None:
    """Ratios are to the mean of the two bare runs, one before and one after the others."""
    bare = (rates["bare aiohttp"] + rates["bare aiohttp, again"]) / 2
    for name, value in rates.items():
        print(f"{name:24s} {value:8.0f} requests/s   {value / bare:5.2f} of bare aiohttp")
    results = {
        "cases": cases,
        "concurrency": CONCURRENCY,
        "latency_s": LATENCY,
        "requests_per_s": {name: round(value, 1) for name, value in rates.items()},
        "ratio_to_bare": {name: round(value / bare, 3) for name, value in rates.items()},
    }
    path = HERE / "results" / "transport.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
