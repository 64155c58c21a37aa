"""Does the stated risk hold? Thresholds set on half of the questions, tried on the rest, and against the known truth.

Run `python benchmarks/declining.py [--draws 500] [--run RUN --judge JUDGE --loss LOSS]`; it prints the tables and
writes benchmarks/results/declining.json.

*Resplits*: a fixed set of questions with confidences and losses is split in two at random, 500 times; a threshold is
set on one part and the rate of losses among the attempted of the other is compared with the stated risk. The other part
is a sample too: its rate lies above the true one half of the time where the true one is the stated, so what counts is
also shown against the whole population from which made-up questions come. With `--run`, the questions are those of a
run of gadfly evidence eval.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gadfly.stats import proportion, risk_threshold

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "declining.json"
RISKS = (0.05, 0.1, 0.2)
QUESTIONS = (200, 500, 1000)
POPULATION = 1_000_000

SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "falls fast": lambda u: 0.6 * (1 - u) ** 1.5,
    "falls slowly": lambda u: 0.25 - 0.2 * u,
    "poor answers": lambda u: 0.9 - 0.85 * u,
    "overconfident at the top": lambda u: np.where(u > 0.9, 0.25, 0.5 * (1 - u) ** 1.2),
    "up and down": lambda u: np.clip(0.24 * (1 - u) + 0.1 * np.sin(25 * u), 0, 1),
    "knows nothing, just above": lambda u: np.full(len(u), 0.1001),
    "five levels": lambda u: 0.5 * (1 - np.floor(5 * u) / 4),
}


def drawn(shape: str, n: int, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Confidences and losses of n questions."""
    u = rng.random(n)
    losses = rng.random(n) < SHAPES[shape](u)
    return (np.floor(5 * u) / 4 if shape == "five levels" else u), losses


def curve_of(shape: str) -> tuple[Floats, Floats]:
    """The population's confidences from the highest down and the risk at each."""
    sure, losses = drawn(shape, POPULATION, np.random.default_rng(1))
    order = np.argsort(-sure, kind="stable")
    return sure[order], np.cumsum(losses[order]) / np.arange(1, POPULATION + 1)


def against_truth(draws: int) -> list[dict[str, object]]:
    """For each shape, number of questions and risk: how often the true risk is above it, and what is attempted."""
    rows: list[dict[str, object]] = []
    for shape in SHAPES:
        sure_P, risk_P = curve_of(shape)
        for n in QUESTIONS:
            for risk in RISKS:
                rng = np.random.default_rng([n, round(1000 * risk)])
                broken, attempted = 0, 0.0
                for _ in range(draws):
                    sure, losses = drawn(shape, n, rng)
                    value = risk_threshold(sure.tolist(), losses.tolist(), risk).value
                    if value is not None:
                        last = int(np.searchsorted(-sure_P, -value, side="right")) - 1
                        broken += bool(risk_P[last] > risk)
                        attempted += (last + 1) / POPULATION / draws
                held = proportion(draws - broken, draws)
                best = float(np.flatnonzero(risk_P <= risk)[-1:].sum() + 1) / POPULATION
                rows.append(
                    {
                        "shape": shape,
                        "n": n,
                        "risk": risk,
                        "held": held.point,
                        "low": held.low,
                        "high": held.high,
                        "attempted": attempted,
                        "possible": best,
                    }
                )
                print(
                    f"{shape:26} n {n:5} risk {risk:.2f} held {held}  attempts {attempted:.1%} of {best:.1%}",
                    flush=True,
                )
    return rows


def resplits(sure: Floats, losses: NDArray[np.bool_], draws: int) -> list[dict[str, object]]:
    """For each risk: of `draws` random halves, in how many the other half's rate is at most the stated risk."""
    rows: list[dict[str, object]] = []
    for risk in RISKS:
        rng, held, attempted = np.random.default_rng(0), 0, 0.0
        for _ in range(draws):
            order = rng.permutation(len(sure))
            set_on, tried = order[: len(order) // 2], order[len(order) // 2 :]
            value = risk_threshold(sure[set_on].tolist(), losses[set_on].tolist(), risk).value
            taken = tried[sure[tried] >= value] if value is not None else tried[:0]
            attempted += len(taken) / len(tried) / draws
            held += not len(taken) or bool(losses[taken].mean() <= risk)
        found = proportion(held, draws)
        rows.append(
            {
                "risk": risk,
                "held": found.point,
                "low": found.low,
                "high": found.high,
                "attempted": attempted,
                "questions": len(sure),
                "draws": draws,
            }
        )
        print(f"risk {risk:.2f}: held in {found} of resplits, attempts {attempted:.1%}", flush=True)
    return rows


def of_run(run: str, judge: str, loss: str) -> tuple[Floats, NDArray[np.bool_]]:
    """The confidences and losses of a run's answerable questions that have both."""
    from gadfly.evidence import chosen
    from gadfly.evidence._declining import failed
    from gadfly.runs import open_run

    opened = open_run(run)
    known = [
        (one.confidence, failed(opened, one, loss))
        for one in chosen(opened, judge)
        if not one.transcript.metadata.get("unanswerable")
    ]
    both = [(sure, lost) for sure, lost in known if sure is not None and lost is not None]
    return np.array([sure for sure, _ in both]), np.array([lost for _, lost in both], dtype=bool)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", default="")
    parser.add_argument("--judge", default="unlikely")
    parser.add_argument("--loss", default="wrong")
    given = parser.parse_args()
    draws = 100 if given.quick else given.draws
    results: dict[str, object] = {"draws": draws, "truth": against_truth(draws)}
    results["resplits"] = {
        shape: resplits(*drawn(shape, 1000, np.random.default_rng(7)), draws) for shape in SHAPES
    }
    if given.run:
        results["run"] = resplits(*of_run(given.run, given.judge, given.loss), draws)
    if not given.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
