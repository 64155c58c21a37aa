"""`kill -9` at random moments: a run resumed after each must end with the rows of a run left alone.

`python benchmarks/kill.py [--quick]` kills two runs, one against a scripted model that takes its time and one
against weights in this process (random ones: what they say does not matter, that it is the same does), and
writes benchmarks/results/kill.json. Rows are compared whole: transcripts and judgements, every column.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.model import GenerateConfig

from gadfly.judges import contact_details, refusal
from gadfly.models import System, model, scripted
from gadfly.runs import Run, Settings, open_run, run
from gadfly.transcripts import Case, Transcript, Turn

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Asking:
    """One to three questions, as the seed has it, each answered after up to `pause` seconds."""

    target: System
    pause: float = 0.0
    name: str = "kill"

    @property
    def players(self) -> dict[str, System]:
        return {"target": self.target}

    def spec(self) -> dict[str, Any]:
        return {"game": "kill", "target": self.target.fingerprint()}

    async def play(self, case: Case) -> Transcript:
        turns: tuple[Turn, ...] = ()
        for number in range(1 + case.seed % 3):
            await asyncio.sleep(random.uniform(0, self.pause))
            question = f"Question {case.index}.{number}?"
            reply = await self.target.reply([("user", question)], seed=case.seed + number)
            turns += (Turn("attacker", question), Turn("target", reply.text, reply.stop))
        return Transcript(case, turns, metadata={"questions": len(turns) // 2})


def game(weights: str) -> Asking:
    """Against the weights in this directory, or scripted when there is none."""
    if weights:
        return Asking(System(model(f"gadfly/{weights}"), sampling=GenerateConfig(max_tokens=32)))
    return Asking(System(scripted(_answer)), pause=0.5)


def _answer(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
    return (
        f"I cannot help, but write to {seed}@mail.example.org or call +44 20 7946 {(seed or 0) % 10_000:04}."
    )


async def play(directory: Path, weights: str, cases: int) -> Run:
    """The run that is killed and the one that is not."""
    settings = Settings(directory, progress=False)
    return await run(game(weights), cases, [refusal(), contact_details()], settings=settings)


def killed(directory: Path, weights: str, cases: int, kills: int) -> tuple[Run, list[int]]:
    """The run begun again and again, killed `kills` times and then left alone; cases on disk at each kill.

    A process lives until a random share of what is left is on disk, and up to half a second more.
    """
    command = [sys.executable, __file__, "--child", str(directory), weights, str(cases)]
    found: list[int] = []
    for kill in range(kills):
        before = found[-1] if found else 0
        goal = before + random.random() * 1.5 * (cases - before) / (kills - kill + 1)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None and _count(directory) <= goal:
            time.sleep(0.02)
        time.sleep(random.uniform(0, 0.5))
        if process.poll() is not None:
            break  # it came to its end: nothing left to kill
        process.kill()
        process.wait()
        found.append(_count(directory))
        print(f"  kill {kill + 1}: {found[-1]} of {cases} cases on disk", flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return _only(directory), found


def _count(directory: Path) -> int:
    return sum(table.num_rows for table in _batches(directory))


def _batches(directory: Path) -> list[Any]:
    found = list(directory.glob("*/run.json"))
    return list(Run(found[0].parent, {}).transcript_table.batches(["index"])) if found else []


def _only(directory: Path) -> Run:
    [path] = directory.iterdir()
    return open_run(path)


def rows(run: Run) -> list[list[dict[str, Any]]]:
    """Every row of both tables, sorted."""
    tables = (run.transcript_table, run.judgement_table)
    found = [[row for batch in table.batches() for row in batch.to_pylist()] for table in tables]
    return [sorted(rows, key=lambda row: (row["index"], row.get("judge", ""))) for rows in found]


def measure(weights: str, cases: int, kills: int) -> dict[str, Any]:
    """Kill, resume, compare."""
    print("weights in this process" if weights else "scripted", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        whole = rows(asyncio.run(play(Path(directory, "whole"), weights, cases)))
        run, found = killed(Path(directory, "killed"), weights, cases, kills)
        again = rows(run)
    same = again == whole
    verdict = "the same rows" if same else "DIFFERENT ROWS"
    print(f"  {verdict}: {len(again[0])} cases, {len(again[1])} judgements")
    return {
        "cases": cases,
        "kills": len(found),
        "cases_on_disk_at_each_kill": found,
        "transcripts": len(again[0]),
        "judgements": len(again[1]),
        "same_rows": same,
    }


def main() -> None:
    """Both variants; exits with 1 when any row differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three kills each")
    parser.add_argument("--only", choices=("scripted", "local"), help="one of the two, nothing written")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        directory, weights, cases = options.child
        print("begun", flush=True)
        asyncio.run(play(Path(directory), weights, int(cases)))
        return
    kills = 3 if options.quick else 20
    with tempfile.TemporaryDirectory() as directory:
        results = {}
        if options.only != "local":
            results["scripted"] = measure("", 300 * kills, kills)
        if options.only != "scripted":
            results["local"] = measure(tiny_weights(Path(directory, "tiny")), 150 * kills, kills)
    if not options.only:
        path = HERE / "results" / "kill.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(0 if all(result["same_rows"] for result in results.values()) else 1)


def tiny_weights(directory: Path) -> str:
    """A chat model of random weights over bytes, the one the tests use."""
    subprocess.run([sys.executable, HERE.parent / "tests" / "tiny_models.py", directory], check=True)
    return str(directory)


if __name__ == "__main__":
    main()
