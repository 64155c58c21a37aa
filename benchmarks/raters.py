"""Are the error rates of people, learnt from their votes, right, and do their intervals hold?

Run `python benchmarks/raters.py [--draws 2000]`; it prints the tables and writes benchmarks/results/raters.json.

Each draw makes a queue of known truth: items of which a share fails, five raters, each vote by a rater drawn at random
without repeats. `pooled` sets the spread of `rater_error` against the deviation it states, and carries it into the
votes' rate by Rogan & Gladen's formula; `each` asks how often `dawid_skene`'s intervals hold a rater's own rates;
`alpha` how often the interval of Krippendorff's alpha holds its limit over two hundred thousand items.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gadfly.stats import RaterError, Rating, alpha, dawid_skene, rater_error

RESULTS = Path(__file__).parent / "results" / "raters.json"
LOW = 0.93


@dataclass(frozen=True)
class Setting:
    """One queue. `unlike` spreads the raters' errors: 0.5 means from half to one and a half times the mean."""

    name: str
    miss: float = 0.1
    false_alarm: float = 0.1
    items: int = 300
    doubled: float = 0.2
    gold: int = 30
    gold_votes: int = 1
    failing: float = 0.1
    unlike: float = 0.0
    lead: bool = False
    raters: int = 5


@dataclass(frozen=True)
class Queue:
    ratings: list[Rating]
    gold: dict[str, bool]
    resolved: dict[str, bool]
    flagged: float
    variance: float


POOLED = (
    Setting("30 gold", 0.15, 0.05),
    Setting("the other way", 0.05, 0.15),
    Setting("alike", 0.10, 0.10),
    Setting("rare errors", 0.05, 0.02),
    Setting("raters unlike", 0.15, 0.05, unlike=0.6),
    Setting("gold seen by three", 0.15, 0.05, gold_votes=3),
    Setting("no gold, a lead decides", 0.15, 0.05, gold=0, lead=True),
    Setting("gold and a lead", 0.15, 0.05, lead=True),
    Setting("all by three, no gold", 0.15, 0.05, gold=0, doubled=2.0),
    Setting("doubles only (assumes miss = false alarm)", 0.15, 0.05, gold=0),
    Setting("1,000 items", 0.15, 0.05, items=1000, gold=100),
)
EACH = (
    Setting("a fifth doubled, 30 gold by all", 0.2, 0.1, gold_votes=5, unlike=0.6, failing=0.3),
    Setting("all by three, no gold", 0.2, 0.1, gold=0, doubled=2.0, unlike=0.6, failing=0.3),
    Setting("all by three, 10 % failing", 0.15, 0.05, gold=0, doubled=2.0, unlike=0.6),
)
ALPHA = (
    Setting("30 items", 0.1, 0.1, items=30, failing=0.3),
    Setting("60 items, rare", 0.15, 0.05, items=60),
    Setting("60 items, good raters", 0.02, 0.02, items=60, failing=0.3),
    Setting("200 items", 0.15, 0.05, items=200),
    Setting("60 items, by chance", 0.5, 0.5, items=60, failing=0.5),
    Setting("30 items, near full", 0.01, 0.01, items=30, failing=0.5),
)


def errors(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Each rater's miss and false alarm; the raters' means are the setting's."""
    spread = 1 + setting.unlike * np.linspace(-1, 1, setting.raters)
    return setting.miss * spread, setting.false_alarm * spread[::-1]


def queue(setting: Setting, rng: np.random.Generator, least: int = 1) -> Queue:
    """One queue: `doubled` of 0.2 gives a fifth of the items a second vote, 2.0 gives all three."""
    misses, alarms = errors(setting)
    truth = rng.random(setting.items) < setting.failing
    extra, whole = setting.doubled % 1, int(setting.doubled)
    votes = least + whole + (rng.random(setting.items) < extra)
    ratings, rows = [], []
    resolved: dict[str, bool] = {}
    for item, (fails, times) in enumerate(zip(truth, votes, strict=True)):
        said = cast(fails, int(times), misses, alarms, rng)
        ratings += [Rating(str(item), str(rater), float(vote)) for rater, vote in said]
        rows.append(np.mean([vote for _, vote in said]))
        if setting.lead and len({vote for _, vote in said}) == 2:
            resolved[str(item)] = bool(fails)
    gold = {f"gold {n}": n % 2 == 0 for n in range(setting.gold)}
    for name, known in gold.items():
        said = cast(known, setting.gold_votes, misses, alarms, rng)
        ratings += [Rating(name, str(rater), float(vote)) for rater, vote in said]
    return Queue(ratings, gold, resolved, float(np.mean(rows)), float(np.var(rows)) / setting.items)


def cast(
    fails: bool, times: int, misses: np.ndarray, alarms: np.ndarray, rng: np.random.Generator
) -> list[tuple[int, bool]]:
    """`times` raters and what each says of an item."""
    chosen = rng.permutation(len(misses))[:times]
    chance = 1 - misses[chosen] if fails else alarms[chosen]
    return list(zip(chosen.tolist(), (rng.random(times) < chance).tolist(), strict=True))


def corrected(error: RaterError, flagged: float, variance: float) -> tuple[float, float]:
    """Rogan & Gladen's rate and its standard error by the delta method, the errors apart from the rate."""
    power = 1 - error.miss - error.false_alarm
    rate = (flagged - error.false_alarm) / power
    slope = np.array([rate, rate - 1]) / power
    return rate, float(np.sqrt(variance / power**2 + slope @ np.array(error.covariance) @ slope))


def pooled(draws: int) -> Iterator[dict[str, Any]]:
    for setting in POOLED:
        rng, rows = np.random.default_rng(1), []
        for _ in range(draws):
            made = queue(setting, rng)
            error = rater_error(made.ratings, made.gold, made.resolved)
            assert error is not None
            rate, deviation = corrected(error, made.flagged, made.variance)
            said = np.sqrt(np.diag(error.covariance))
            rows.append((error.miss, error.false_alarm, *said, rate, deviation, made.flagged))
        yield summary(setting, np.array(rows))


def summary(setting: Setting, rows: np.ndarray) -> dict[str, Any]:
    miss, alarm, said_miss, said_alarm, rate, said_rate, flagged = rows.T
    return {
        "setting": setting.name,
        "miss_bias": miss.mean() - setting.miss,
        "miss_sd": miss.std(),
        "miss_sd_stated": np.sqrt((said_miss**2).mean()),
        "false_alarm_bias": alarm.mean() - setting.false_alarm,
        "false_alarm_sd": alarm.std(),
        "false_alarm_sd_stated": np.sqrt((said_alarm**2).mean()),
        "rate_bias_before": flagged.mean() - setting.failing,
        "rate_bias": rate.mean() - setting.failing,
        "rate_sd": rate.std(),
        "rate_sd_stated": np.sqrt((said_rate**2).mean()),
        "rate_coverage": float((np.abs(rate - setting.failing) < 1.96 * said_rate).mean()),
    }


def each(draws: int) -> Iterator[dict[str, Any]]:
    for setting in EACH:
        rng, held = np.random.default_rng(2), []
        misses, alarms = errors(setting)
        for _ in range(draws):
            made = queue(setting, rng)
            found = dawid_skene(made.ratings, made.gold, made.resolved)
            for rater, confusion in found.items():
                a, b = confusion.sensitivity, confusion.specificity
                sensitivity, specificity = 1 - misses[int(rater)], 1 - alarms[int(rater)]
                assert a.point is not None and b.point is not None
                held.append(
                    (
                        a.low <= sensitivity <= a.high,
                        b.low <= specificity <= b.high,
                        a.point - sensitivity,
                        b.point - specificity,
                        a.high - a.low,
                        b.high - b.low,
                    )
                )
        names = ("sensitivity", "specificity")
        figures = np.array(held, dtype=float).mean(axis=0)
        kinds = [f"{name}_{what}" for what in ("coverage", "bias", "width") for name in names]
        yield {"setting": setting.name, **dict(zip(kinds, figures.tolist(), strict=True))}


def alphas(draws: int) -> Iterator[dict[str, Any]]:
    for setting in ALPHA:
        rng = np.random.default_rng(3)
        limit = limit_of_alpha(setting, rng)
        held = []
        for _ in range(draws):
            found = alpha(queue(setting, rng, least=2).ratings)
            if found.point is not None:
                held.append((found.low <= limit <= found.high, found.high - found.low, found.point - limit))
        coverage, width, bias = np.array(held, dtype=float).mean(axis=0)
        yield {"setting": setting.name, "alpha": limit, "coverage": coverage, "width": width, "bias": bias}


def limit_of_alpha(setting: Setting, rng: np.random.Generator, items: int = 200_000) -> float:
    """Alpha over so many items that it stands still."""
    fails = rng.random(items) < setting.failing
    votes = np.where(rng.random(items) < setting.doubled % 1, 3, 2) + int(setting.doubled)
    k = rng.binomial(votes, np.where(fails, 1 - setting.miss, setting.false_alarm))
    n, ones = votes.sum(), k.sum()
    return float(1 - (n - 1) * (2 * k * (votes - k) / (votes - 1)).sum() / (2 * ones * (n - ones)))


def main() -> int:
    """Print and write; returns 1 when an interval holds the truth less than 93 % of the time where it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    draws = 200 if arguments.quick else arguments.draws
    started = time.time()
    tables: dict[str, list[dict[str, Any]]] = {}
    for name, table, times in (
        ("pooled", pooled, draws),
        ("each", each, draws // 10),
        ("alpha", alphas, draws),
    ):
        print(f"\n{name}, {times} draws each")
        tables[name] = []
        for row in table(times):
            tables[name].append({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
            print(
                "  " + row["setting"], *(f"{k} {v:.3f}" for k, v in row.items() if k != "setting"), flush=True
            )
    RESULTS.write_text(json.dumps({"draws": draws, **tables}, indent=1) + "\n")
    low = [row for row in tables["pooled"] if row["rate_coverage"] < LOW and "only" not in row["setting"]]
    low += [row for row in tables["alpha"] if row["coverage"] < LOW]
    print(f"\n{len(low)} below {LOW:.0%}; {time.time() - started:.0f} s")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
