"""Does debate help a small judge? Every protocol as it ships, on questions made of Natural Questions.

    python benchmarks/debate_protocols.py [--quick] [--model NAME] [--judge NAME] [--questions 104] [--only PROTOCOLS]
                                          [--folder DIR]

One model sits in every chair and judges, unless another judge is named, who then hears the same debates wherever the
judge does not speak; each question is played with its sides exchanged too. The wrong answers are
those that Qwen invented once and that stand in the results, so that every row, whenever it was measured, is of the same
questions ($GADFLY_DATA or ../shared/data has them). What was played is kept in the folder, and the same command goes
on; rows that it does not come to stay. Qwen takes half an hour to two hours of a core for a protocol on a
processor that multiplies bfloat16, SmolLM2 a tenth of that: --only spreads them over processes and days. It is
therefore no part of `make bench` unless it is named.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from gadfly import models
from gadfly.debate import DebateJudge, DebateLine, debate_table, known_protocols
from gadfly.models._local import choose_dtype
from gadfly.runs import Run, all_runs
from gadfly.stats import Estimate

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "debate_protocols.json"
DATA = Path(os.environ.get("GADFLY_DATA", HERE.parent.parent / "shared" / "data"))
INVENTS = "gadfly/qwen2.5-coder-1.5b"
INVENTED = 112
"""How many questions wrong answers were asked for: a few more than are played, since a few answers are of no use."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two protocols, two questions, nothing written")
    parser.add_argument("--model", default="gadfly/smollm2")
    parser.add_argument("--judge", default="", help="default: the model itself")
    parser.add_argument("--questions", type=int, default=104)
    parser.add_argument("--only", default=",".join(known_protocols()), help="protocols, with commas")
    parser.add_argument("--folder", type=Path, default=HERE.parent / "build" / "debate-protocols")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if given.quick else given.folder
        questions, only = (2, "naive,debate") if given.quick else (given.questions, given.only)
        judge = given.judge or given.model
        play(folder, given.model, judge, questions, only)
        rows = figures_of(folder / slug(given.model), questions, judge)
        print(json.dumps(rows, indent=1))
        if not given.quick:
            kept = results()
            told = {"cpu": torch.backends.cpu.get_cpu_capability(), "dtype": dtype()}
            name = given.model if judge == given.model else f"{given.model} before {judge}"
            before = kept["models"].setdefault(name, {})
            before.update({name: row | told for name, row in rows.items() if name in only.split(",")})
            RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


def results() -> dict[str, Any]:
    """What was measured, with the wrong answers it was measured on, line by line of the questions."""
    if RESULTS.exists():
        return dict(json.loads(RESULTS.read_text("utf-8")))
    return {"wrong": [], "models": {}}


def slug(model: str) -> str:
    return model.rpartition("/")[2]


def dtype() -> str:
    return str(choose_dtype("auto", torch.device("cpu"))[0])


def play(folder: Path, model: str, judge: str, questions: int, only: str) -> None:
    """Play these protocols, or go on with them."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = results()
    if not kept["wrong"]:
        kept["wrong"] = invented(folder)
        RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    made = folder / "set.jsonl"
    made.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_with(kept["wrong"])), "utf-8"
    )
    chairs = ("--debaters", model, "--judge", judge, "--limit", questions)
    gadfly(folder / slug(model), "debate", "eval", made, *chairs, "--protocols", only)


def gadfly(runs: Path, *arguments: object) -> None:
    """The command, with its runs in this folder."""
    program = Path(sys.executable).parent / "gadfly"
    subprocess.run([program, *map(str, arguments)], check=True, env={**os.environ, "GADFLY_RUNS": str(runs)})


def asked(count: int) -> list[dict[str, Any]]:
    with gzip.open(DATA / "nq-oracle.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]


def invented(folder: Path) -> list[str | None]:
    """A wrong answer to each of the first questions; None where the model thought of none that is of use."""
    source, made = folder / "questions.jsonl", folder / "made.jsonl"
    rows = asked(INVENTED)
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    gadfly(folder / "inventing", "debate", "make", source, "--model", INVENTS, "--output", made)
    found = [json.loads(line) for line in made.read_text("utf-8").splitlines()]
    wrong = {row["question"]: row["answers"][1 - row["correct"]] for row in found}
    return [wrong.get(row["question"]) for row in rows]


def rows_with(wrong: Sequence[str | None]) -> list[dict[str, Any]]:
    """The set, as `gadfly debate make` writes it."""
    rows = []
    for number, (row, lie) in enumerate(zip(asked(len(wrong)), wrong, strict=True)):
        if lie is not None:
            answers = [row["answers"][0], lie] if number % 2 == 0 else [lie, row["answers"][0]]
            texts = {"document": row["passage"], "title": row["title"]}
            rows.append({"question": row["question"], "answers": answers, "correct": number % 2, **texts})
    return rows


def figures_of(folder: Path, questions: int, judge: str) -> dict[str, Any]:
    """The figures of all protocols that were played to their end on so many questions and judged by this judge, by
    protocol, each as it was played last.
    """
    by = DebateJudge.of(models.System(models.model(judge))).name
    found = {
        run.info["spec"]["protocol"]["name"]: run
        for run in reversed(all_runs(folder))
        if run.status == "complete" and run.info["cases"] == 2 * questions and by in run.info["judges"]
    }
    order = sorted(found, key=lambda name: (name != "naive", name))
    table = debate_table({name: found[name].as_judged_by(by) for name in order})
    return {line.name: row_of(line, found[line.name]) for line in table.lines}


def row_of(line: DebateLine, run: Run) -> dict[str, Any]:
    """A protocol's figures: estimates as point, low, high and n. `right` is over the cases that were decided, by the
    judge or because one side broke a rule, `heard` over those in which neither side did; `against_naive` is the
    difference in `right` from the judge alone, question by question. `wording` is the digest of what all protocols tell
    alike; rows without it are of earlier words, by which the judge was not told which game it judges.
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
        "wording": run.info["spec"].get("wording", ""),
    }
    return told | {f"against_{name}": figures(gain) for name, gain in line.gains.items()}


def figures(found: Estimate) -> list[float | None]:
    point = None if found.point is None else round(found.point, 4)
    return [point, round(found.low, 4), round(found.high, 4), found.n]


if __name__ == "__main__":
    main()
