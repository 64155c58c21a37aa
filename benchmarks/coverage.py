"""Do the 95 % intervals hold the truth 93 to 97 % of the time, duplicates included?

Run `python benchmarks/coverage.py [--draws 2000]`; it prints the table and writes
benchmarks/results/coverage.json.

A cell fixes how often each question was asked, the failure rate p and the intraclass correlation ρ of
answers to one question (question-level rates are Beta, ρ = 0 all alike, ρ = 1 each question always or never
fails). Every draw takes its own p within ± 20 % of the cell's, because at one fixed p the coverage of any
interval for counts jumps about with n and p; how much it jumps is shown apart, by exact enumeration.

A cell is *thin* when no method could settle it from data: under 25 effective questions (Kish, n²/Σm²), or
fewer than two expected failures among the effective observations. Thin cells are shown and counted apart.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from gadfly.stats import Estimate, difference, paired_difference, proportion, rate

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LOW, HIGH, LEVEL = 0.93, 0.97, 0.95
RATES = (0.02, 0.1, 0.3)
CORRELATIONS = (0.0, 0.1, 0.3, 0.7, 1.0)
RESULTS = Path(__file__).parent / "results" / "coverage.json"


@dataclass(frozen=True)
class Cell:
    """One row of the table; coverages are shares of draws, width is the mean length of our interval."""

    kind: str
    questions: str
    rho: float
    p: float
    thin: bool
    coverage: float
    width: float
    naive: float | None = None
    korn_graubard: float | None = None

    @property
    def verdict(self) -> str:
        return "low" if self.coverage < LOW else "high" if self.coverage > HIGH else "ok"


# --- how often each question is asked


def equal(questions: int, times: int) -> Ints:
    """Every question asked the same number of times."""
    return np.full(questions, times)


def zipf(n: int, exponent: float) -> Ints:
    """n cases over n possible questions, the k-th as likely as k^-exponent: expected counts, at least one
    each.
    """
    weight = np.arange(1, n + 1) ** -exponent
    sizes = np.floor(n * weight / weight.sum()).astype(np.int64)
    singles = n - int(sizes.sum())
    return np.concatenate([sizes[sizes > 0], np.ones(singles, np.int64)])


def hubs(n: int, count: int, share: float) -> Ints:
    """`count` questions asked share·n times each, the rest once: an attacker that has collapsed."""
    size = int(n * share)
    return np.concatenate([np.full(count, size), np.ones(n - count * size, np.int64)])


STRUCTURES: dict[str, Ints] = {
    "50 questions, once each": equal(50, 1),
    "200 questions, once each": equal(200, 1),
    "1000 questions, once each": equal(1000, 1),
    "250 questions, twice each": equal(250, 2),
    "50 questions, 10 times each": equal(50, 10),
    "200 questions, 20 times each": equal(200, 20),
    "Zipf 0.7, 500 cases": zipf(500, 0.7),
    "Zipf 1.0, 2000 cases": zipf(2000, 1.0),
    "Zipf 1.2, 500 cases": zipf(500, 1.2),
    "three questions 10 % each of 1000": hubs(1000, 3, 0.1),
    "one question 30 % of 300": hubs(300, 1, 0.3),
    "20 questions, 25 times each": equal(20, 25),
    "8 questions, 50 times each": equal(8, 50),
}


def is_thin(sizes: Ints, p: float, rho: float) -> bool:
    n, kish = sizes.sum(), sizes.sum() ** 2 / (sizes**2).sum()
    effective = n / (1 + rho * (n / kish - 1))
    return bool(kish < 25 or effective * p < 2)


# --- drawing


def question_rates(rng: np.random.Generator, mean: Floats, rho: float) -> Floats:
    """One failure rate for each question: Beta with the given means and intraclass correlation."""
    if rho == 0.0:
        return mean
    if rho == 1.0:
        return (rng.random(mean.shape) < mean).astype(np.float64)
    spread = 1 / rho - 1
    return rng.beta(mean * spread, (1 - mean) * spread)


def near(rng: np.random.Generator, p: float) -> float:
    return float(p * rng.uniform(0.8, 1.2))


class Tally:
    """How often intervals held the truth, and how wide they were."""

    def __init__(self) -> None:
        self.held = self.naive = self.survey = self.draws = 0
        self.width = 0.0

    def add(self, estimate: Estimate, truth: float) -> None:
        self.draws += 1
        self.held += estimate.low <= truth <= estimate.high
        self.width += estimate.high - estimate.low

    def cell(self, kind: str, questions: str, rho: float, p: float, thin: bool) -> Cell:
        return Cell(kind, questions, rho, p, thin, self.held / self.draws, self.width / self.draws)


def korn_graubard(verdicts: Floats, labels: Ints, questions: int) -> tuple[float, float]:
    """The survey sampler's interval, for comparison: Clopper-Pearson on the df-adjusted effective sample
    size.
    """
    n, p = len(verdicts), float(verdicts.mean())
    if not 0 < p < 1:
        return proportion(round(p * questions), questions, method="exact").low, 1.0 if p else float(
            scipy_stats.beta.ppf(0.975, 1, questions)
        )
    totals = np.bincount(labels, verdicts - p, questions)
    effect = max(questions / (questions - 1) * float((totals**2).sum()) / (n * p * (1 - p)), 1.0)
    adjust = (scipy_stats.t.isf(0.025, n - 1) / scipy_stats.t.isf(0.025, questions - 1)) ** 2
    size = min(n / effect * adjust, n)
    x = p * size
    return float(scipy_stats.beta.ppf(0.025, x, size - x + 1)), float(
        scipy_stats.beta.ppf(0.975, x + 1, size - x)
    )


# --- the cells


def one_rate(rng: np.random.Generator, draws: int) -> Iterator[Cell]:
    """`rate` on every structure."""
    for questions, sizes in STRUCTURES.items():
        labels = np.repeat(np.arange(len(sizes)), sizes)
        names = labels.tolist()
        for rho in (0.0,) if sizes.max() == 1 else CORRELATIONS:
            for p in RATES:
                tally = Tally()
                for _ in range(draws):
                    truth = near(rng, p)
                    q = question_rates(rng, np.full(len(sizes), truth), rho)
                    verdicts = (rng.random(len(labels)) < q[labels]).astype(np.float64)
                    tally.add(rate(verdicts.tolist(), names), truth)
                    simple = proportion(int(verdicts.sum()), len(verdicts))
                    tally.naive += simple.low <= truth <= simple.high
                    low, high = korn_graubard(verdicts, labels, len(sizes))
                    tally.survey += low <= truth <= high
                cell = tally.cell("rate", questions, rho, p, is_thin(sizes, p, rho))
                extra = {"naive": tally.naive / draws, "korn_graubard": tally.survey / draws}
                yield Cell(**{**asdict(cell), **extra})


def hard_rates(rng: np.random.Generator, draws: int) -> Iterator[Cell]:
    """Worlds that break the model behind the design effect: reported, not counted."""
    sizes = zipf(500, 0.7)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    for p in RATES:
        popular, fixed, scores = Tally(), Tally(), Tally()
        mean = np.where(sizes > 2, 2 * p, 0.5 * p)
        fixed_q = question_rates(rng, np.full(500, p), 0.3)
        weight = np.arange(1, 501) ** -0.7 / (np.arange(1, 501) ** -0.7).sum()
        for _ in range(draws):
            q = question_rates(rng, mean, 0.3)
            verdicts = rng.random(len(labels)) < q[labels]
            popular.add(rate(verdicts.tolist(), labels.tolist()), float(mean[labels].mean()))
            asked = rng.choice(500, 500, p=weight)
            verdicts = rng.random(500) < fixed_q[asked]
            fixed.add(rate(verdicts.tolist(), asked.tolist()), float(weight @ fixed_q))
            q = question_rates(rng, np.full(len(sizes), p), 0.3)
            soft = question_rates(rng, np.clip(q[labels], 1e-6, 1 - 1e-6), 0.3)
            scores.add(rate(soft.tolist(), labels.tolist()), p)
        yield popular.cell(
            "rate", "Zipf 0.7, 500 cases, the popular questions fail four times as often", 0.3, p, True
        )
        yield fixed.cell(
            "rate", "Zipf 0.7, 500 cases, truth over this attacker's own fixed questions", 0.3, p, True
        )
        yield scores.cell("rate", "Zipf 0.7, 500 cases, fractional scores", 0.3, p, True)


def two_runs(rng: np.random.Generator, draws: int) -> Iterator[Cell]:
    """`difference` between two runs that share nothing, b failing at 0.6 of a's rate."""
    pairs = (
        ("200 questions, once each", "200 questions, once each"),
        ("1000 questions, once each", "200 questions, once each"),
        ("50 questions, 10 times each", "50 questions, 10 times each"),
        ("Zipf 0.7, 500 cases", "Zipf 0.7, 500 cases"),
        ("Zipf 1.0, 2000 cases", "1000 questions, once each"),
        ("200 questions, 20 times each", "Zipf 0.7, 500 cases"),
    )
    for first, second in pairs:
        groups = [np.repeat(np.arange(len(STRUCTURES[s])), STRUCTURES[s]) for s in (first, second)]
        plain = all(STRUCTURES[s].max() == 1 for s in (first, second))
        for rho in (0.0,) if plain else (0.1, 0.3, 1.0):
            for p in RATES:
                tally = Tally()
                for _ in range(draws):
                    p_a = near(rng, p)
                    truths, runs = (p_a, 0.6 * p_a), []
                    for labels, truth in zip(groups, truths, strict=True):
                        q = question_rates(rng, np.full(labels.max() + 1, truth), rho)
                        runs.append((rng.random(len(labels)) < q[labels]).tolist())
                    estimate = difference(runs[0], runs[1], groups[0].tolist(), groups[1].tolist())
                    tally.add(estimate, truths[0] - truths[1])
                thin = any(is_thin(STRUCTURES[s], 0.6 * p, rho) for s in (first, second))
                yield tally.cell("difference", f"{first} / {second}", rho, p, thin)


def same_cases(rng: np.random.Generator, draws: int) -> Iterator[Cell]:
    """`paired_difference`: each question has its own Dirichlet mix of (only a, only b, both, neither)."""
    structures = ("200 questions, once each", "1000 questions, once each", "50 questions, 10 times each")
    for questions in (*structures, "Zipf 0.7, 500 cases", "200 questions, 20 times each"):
        sizes = STRUCTURES[questions]
        labels = np.repeat(np.arange(len(sizes)), sizes)
        for rho in (0.0,) if sizes.max() == 1 else (0.1, 0.3, 1.0):
            for only_a, only_b, both in (
                (0.03, 0.02, 0.1),
                (0.1, 0.02, 0.1),
                (0.05, 0.05, 0.3),
                (0.3, 0.1, 0.2),
            ):
                tally = Tally()
                for _ in range(draws):
                    mix = np.array([near(rng, only_a), near(rng, only_b), both, 0.0])
                    mix[3] = 1 - mix.sum()
                    share = mixes(rng, mix, len(sizes), rho)[labels].cumsum(axis=1)
                    outcome = (rng.random((len(labels), 1)) > share[:, :3]).sum(axis=1)
                    a, b = np.isin(outcome, (0, 2)), np.isin(outcome, (1, 2))
                    estimate = paired_difference(a.tolist(), b.tolist(), labels.tolist())
                    tally.add(estimate, float(mix[0] - mix[1]))
                thin = is_thin(sizes, only_a + only_b, rho)
                yield tally.cell("paired", f"{questions}, {only_a:.0%} against {only_b:.0%}", rho, both, thin)


def mixes(rng: np.random.Generator, mix: Floats, questions: int, rho: float) -> Floats:
    """One distribution over the four outcomes for each question, (questions, 4)."""
    if rho == 0.0:
        return np.tile(mix, (questions, 1))
    if rho == 1.0:
        return np.eye(4)[rng.choice(4, questions, p=mix)]
    return rng.dirichlet(mix * (1 / rho - 1), questions)


def oscillation(n: int, method: str) -> dict[str, float | int | str]:
    """Exact coverage of a plain interval over fixed rates with at least two expected successes and
    failures.
    """
    successes = np.arange(n + 1)
    interval = [proportion(int(s), n, method="exact" if method == "exact" else "wilson") for s in successes]
    low, high = np.array([e.low for e in interval]), np.array([e.high for e in interval])
    rates = np.linspace(max(2 / n, 0.002), 0.5, 2000)
    covered = np.array(
        [scipy_stats.binom.pmf(successes, n, p)[(low <= p) & (p <= high)].sum() for p in rates], dtype=float
    )
    inside = float(((covered >= LOW) & (covered <= HIGH)).mean())
    figures = {"min": covered.min(), "mean": covered.mean(), "max": covered.max(), "share_in_93_97": inside}
    return {"n": n, "method": method, **{k: round(float(v), 4) for k, v in figures.items()}}


# --- the report


def show(cell: Cell) -> None:
    others = (
        "" if cell.naive is None else f"  naive {cell.naive:6.1%}  Korn-Graubard {cell.korn_graubard:6.1%}"
    )
    thin = " thin" if cell.thin else ""
    what = f"{cell.kind:11s}{cell.questions:62s} ρ={cell.rho:<4g}p={cell.p:<5g}"
    print(f"{what}{cell.coverage:6.1%}  width {cell.width:.3f}{others}  {cell.verdict}{thin}", flush=True)


def summary(cells: list[Cell]) -> dict[str, object]:
    """Counts and means of the cells that are not thin."""
    coverage = np.array([c.coverage for c in cells if not c.thin])
    inside = int(((coverage >= LOW) & (coverage <= HIGH)).sum())
    outside = [c for c in cells if not c.thin and c.verdict != "ok"]
    return {
        "cells": len(coverage),
        "in_93_97": inside,
        "below_93": int((coverage < LOW).sum()),
        "above_97": int((coverage > HIGH).sum()),
        "mean": round(float(coverage.mean()), 4) if len(coverage) else math.nan,
        "min": round(float(coverage.min()), 4) if len(coverage) else math.nan,
        "max": round(float(coverage.max()), 4) if len(coverage) else math.nan,
        "outside": [f"{c.kind}: {c.questions}, ρ={c.rho}, p={c.p}: {c.coverage:.1%}" for c in outside],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20220207)
    options = parser.parse_args()
    started, cells = time.perf_counter(), []
    sources: tuple[Callable[[np.random.Generator, int], Iterator[Cell]], ...]
    sources = (one_rate, hard_rates, two_runs, same_cases)
    for number, source in enumerate(sources):
        for cell in source(np.random.default_rng([options.seed, number]), options.draws):
            cells.append(cell)
            show(cell)
    enumerated = [oscillation(n, method) for n in (20, 50, 200, 1000) for method in ("wilson", "exact")]
    result = {
        "draws": options.draws,
        "seed": options.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "python": sys.version.split()[0],
        "regular": {
            kind: summary([c for c in cells if c.kind == kind]) for kind in ("rate", "difference", "paired")
        },
        "regular_with_correlation": summary([c for c in cells if c.rho > 0]),
        "fixed_rate_enumeration": enumerated,
        "cells": [{**asdict(c), "verdict": c.verdict} for c in cells],
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "cells"}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
