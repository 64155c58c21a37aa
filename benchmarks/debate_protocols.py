"""Does debate help a small judge? Every protocol as it ships, on questions made of Natural Questions.

    python benchmarks/debate_protocols.py [--quick] [--model NAME] [--questions 104] [--only PROTOCOLS] [--folder DIR]

One model invents a wrong answer to each question and SmolLM2 or Qwen ($GADFLY_DATA or ../shared/data has the questions)
argues and judges, each question with its sides exchanged too. Whatever was played is kept in the folder, and the same
command goes on; rows of protocols that it has not come to stay as they were measured on the same questions. Qwen takes
half an hour to an hour of a core for a protocol on a processor that multiplies bfloat16, which --only spreads over
several processes; SmolLM2 about ten minutes. It is therefore no part of `make bench` unless it is named.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from gadfly.debate import DebateLine, debate_table, known_protocols
from gadfly.models._local import choose_dtype
from gadfly.runs import Run, all_runs
from gadfly.stats import Estimate

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "debate_protocols.json"
DATA = Path(os.environ.get("GADFLY_DATA", HERE.parent.parent / "shared" / "data"))
INVENTS = "gadfly/qwen2.5-coder-1.5b"
QUICK = ("naive", "debate")
SPARE = 1.1
"""How many more questions wrong answers are asked for than are played: a few answers are of no use."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="two protocols, two questions, SmolLM2 in every chair"
    )
    parser.add_argument("--model", default="gadfly/smollm2")
    parser.add_argument("--questions", type=int, default=104)
    parser.add_argument("--only", default=",".join(known_protocols()), help="protocols, with commas")
    parser.add_argument("--folder", type=Path, default=HERE.parent / "build" / "debate-protocols")
    given = parser.parse_args()
    if given.quick:
        with tempfile.TemporaryDirectory() as scratch:
            made = set_in(Path(scratch), 4, "gadfly/smollm2")
            print(json.dumps(played(made, "gadfly/smollm2", 2, QUICK), indent=1))
        return
    made = set_in(given.folder, given.questions, INVENTS)
    found = played(made, given.model, given.questions, given.only.split(","))
    keep(given.model, found)
    print(json.dumps(found, indent=1))


def set_in(folder: Path, count: int, invents: str) -> Path:
    """The set in this folder, made where it is not there yet."""
    made, asked = folder / "set.jsonl", folder / "questions.jsonl"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(DATA / "nq-oracle.jsonl.gz", "rt", encoding="utf-8") as lines:
            asked.write_text(
                "".join(line for line, _ in zip(lines, range(round(count * SPARE)), strict=False))
            )
        gadfly(folder, "debate", "make", asked, "--model", invents, "--output", made)
    return made


def gadfly(folder: Path, *arguments: object) -> None:
    """The command, with its runs in this folder."""
    program = Path(sys.executable).parent / "gadfly"
    kept = {**os.environ, "GADFLY_RUNS": str(folder / "runs")}
    subprocess.run([program, *map(str, arguments)], check=True, env=kept)


def played(made: Path, model: str, questions: int, protocols: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """What these protocols come to, and all that were played to their end before."""
    folder = made.parent / model.rpartition("/")[2]
    chairs = ("--debaters", model, "--judge", model, "--limit", questions)
    gadfly(folder, "debate", "eval", made, *chairs, "--protocols", ",".join(protocols))
    runs = {
        run.info["spec"]["protocol"]["name"]: run
        for run in all_runs(folder / "runs")
        if whole(run, questions)
    }
    table = debate_table({name: runs[name] for name in known_protocols() if name in runs})
    return {
        "set_sha256": hashlib.sha256(made.read_bytes()).hexdigest(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "dtype": str(choose_dtype("auto", torch.device("cpu"))[0]),
        "rows": {line.name: row(line, runs[line.name]) for line in table.lines},
    }


def whole(run: Run, questions: int) -> bool:
    """Whether a run has all its cases. Questions come twice, sides exchanged."""
    return run.status == "complete" and int(run.info["cases"]) == 2 * questions


def row(line: DebateLine, run: Run) -> dict[str, Any]:
    """A protocol's figures. `right` is over the cases that were decided, by the judge or because one side broke a rule,
    `heard` over those in which neither did; rates and differences are point, low, high and n.
    """
    told = {
        "questions": line.questions,
        "cases": line.cases,
        "right": figures(line.accuracy),
        "undecided": dict(line.causes),
        "lost_by": dict(line.rules),
        "heard": figures(line.judged),
        "probability": figures(line.confidence),
        "brier": figures(line.calibration.said.brier),
        "tokens": {seat: round(one.point or 0.0) for seat, one in line.effort.tokens.items()},
        "seconds": run.info["wall_s"],
    }
    return told | {f"against_{name}": figures(gain) for name, gain in line.gains.items()}


def figures(found: Estimate) -> list[float | int | None]:
    point = None if found.point is None else round(found.point, 4)
    return [point, round(found.low, 4), round(found.high, 4), found.n]


def keep(model: str, found: dict[str, Any]) -> None:
    """Write it down, beside other models and beside what was measured on the same questions before."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    before = known.get(model, {})
    if before.get("set_sha256") == found["set_sha256"]:
        found = {**found, "rows": before["rows"] | found["rows"]}
    RESULTS.write_text(json.dumps(known | {model: found}, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
