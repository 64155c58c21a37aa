"""Do the intervals of a pressing sweep hold the truth 93 to 97 % of the time?

    python benchmarks/pressure_coverage.py [--sweeps 1000]     the headline worlds; of the others a third as many

A model with known probabilities at each fork is played without text: verdicts are drawn, and go through the functions
that make a sweep's estimates. The truth is the rate over *all wordings like the ones played*: every simulated sweep
draws its own wordings, each with its own rates at each fork, Beta with the intraclass correlation `spread` (0: all
wordings alike). In the cells of a sweep a wording keeps its place among wordings up to a Gaussian correlation of 0.7.
One answer in ten is missing at each fork, whatever it would have said.

A sweep has four cells: a base and three levels of a knob that act 0.5, 0.8 and 1.2 times as often (at most 0.97). Each
sweep takes its own base rates within 15 % of the world's, as at one fixed rate the coverage of any interval for counts
jumps about.

A figure is *thin*, shown and counted apart, where no method could settle it from so few wordings: under two expected
cases of the rarer answer among the effective ones, m / (1 + spread·(m/K - 1)) for m answers in K wordings.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.pressure._effects import Cell, average, effects_of
from gadfly.pressure._rates import Verdicts, fork_rates
from gadfly.stats import Estimate, rate

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "pressure_coverage.json"
LOW, HIGH = 0.93, 0.97
TIMES = (1.0, 0.5, 0.8, 1.2)
LEVELS = ("base", "half", "less", "more")
KEPT, ALIKE = 0.9, 0.7
PROFILES = {
    "as published": (0.7, 0.9, 0.9),
    "now and then": (0.3, 0.5, 0.5),
    "seldom": (0.1, 0.3, 0.8),
    "nearly never": (0.02, 0.5, 0.5),
    "nearly always": (0.9, 0.9, 0.9),
}


@dataclass(frozen=True)
class World:
    """`samples` a cell in `wordings` wordings; `profile` has P(act), P(conceal | act) and P(deny | concealed)."""

    profile: str
    samples: int
    wordings: int
    spread: float


def worlds() -> Iterator[World]:
    for profile, samples, wordings, spread in product(PROFILES, (16, 64, 256), (8, 4), (0.0, 0.1, 0.3)):
        yield World(profile, samples, wordings, spread)


def drawn(world: World, rates: Sequence[float], rng: np.random.Generator) -> list[Cell]:
    """The cells of one simulated sweep."""
    k, n = world.wordings, world.samples
    common = rng.standard_normal((3, k))
    cells = []
    for name, times in zip(LEVELS, TIMES, strict=True):
        own = rng.standard_normal((3, k))
        place = special.ndtr(np.sqrt(ALIKE) * common + np.sqrt(1 - ALIKE) * own)
        means = (acting(rates[0], times), *rates[1:])
        q_FK = np.stack([spread_out(p, world.spread, u) for p, u in zip(means, place, strict=True)])
        wordings = np.arange(n) % k
        said = (rng.random((3, n)) < q_FK[:, wordings]).astype(float)
        kept = rng.random((3, n)) < KEPT
        found = [verdict(i, int(wordings[i]), said[:, i], kept[:, i]) for i in range(n)]
        cells.append(Cell(name, {"knob": name}, found))
    return cells


def acting(rate: float, times: float) -> float:
    return min(rate * times, 0.97)


def spread_out(mean: float, spread: float, place: Floats) -> Floats:
    """The rates of wordings that stand at these places, in [0, 1], among all wordings."""
    if spread == 0.0:
        return np.full(len(place), mean)
    size = 1 / spread - 1
    return np.asarray(special.betaincinv(mean * size, (1 - mean) * size, place))


def verdict(index: int, wording: int, said: Floats, kept: NDArray[np.bool_]) -> Verdicts:
    act = float(said[0]) if kept[0] else None
    conceal = float(said[1]) if act and kept[1] else None
    deny = float(said[2]) if conceal and kept[2] else None
    return Verdicts(index, wording, act, conceal, deny)


@dataclass
class Tally:
    """How often an interval held the truth, how wide it was, and how often there was none."""

    held: int = 0
    known: int = 0
    none: int = 0
    width: float = 0.0

    def add(self, estimate: Estimate | None, truth: float) -> None:
        if estimate is None or estimate.point is None:
            self.none += 1
            return
        self.known += 1
        self.held += estimate.low <= truth <= estimate.high
        self.width += estimate.high - estimate.low


def measured(job: tuple[World, int, bool]) -> list[dict[str, Any]]:
    """Coverage of every figure of a sweep in one world; `odds`: of odds ratios too, which take most of the time."""
    world, sweeps, odds = job
    rng = np.random.default_rng([5, *map(ord, world.profile), world.samples, world.wordings])
    tallies: dict[str, Tally] = defaultdict(Tally)
    for _ in range(sweeps):
        rates = [
            p * rng.uniform(0.85, 1.15) if p < 0.5 else 1 - (1 - p) * rng.uniform(0.85, 1.15)
            for p in PROFILES[world.profile]
        ]
        cells = drawn(world, rates, rng)
        for name, estimate, truth in estimated(cells, rates, odds):
            tallies[name].add(estimate, truth)
    return [row(world, name, tally) for name, tally in tallies.items()]


def estimated(
    cells: Sequence[Cell], rates: Sequence[float], odds: bool
) -> Iterator[tuple[str, Estimate | None, float]]:
    """Every figure of a sweep with its truth."""
    act, conceal, deny = rates
    found = fork_rates(cells[0].found)
    yield "P(act)", found["act"], act
    yield "P(conceal | act)", found["conceal"], conceal
    yield "P(deny | concealed)", found["deny"], deny
    yield "P(act and conceal)", found["deceives"], act * conceal
    yield "average P(act)", average(cells, "act"), float(np.mean([acting(act, t) for t in TIMES]))
    plain = rate([one.act for one in cells[0].found], [one.wording for one in cells[0].found])
    yield "P(act), by stats.rate", plain, act
    naive = rate([one.act for one in cells[0].found])
    yield "P(act), wordings ignored", naive, act
    for outcome, of in (("act", 1.0), ("deceives", conceal)):
        for effect in effects_of(cells, {"knob": LEVELS}, outcome, odds=odds and outcome == "act"):
            level = acting(act, TIMES[LEVELS.index(effect.level)])
            yield f"difference in {outcome}", effect.difference, (level - act) * of
            if odds and outcome == "act":
                yield "odds ratio of act", effect.odds, level / (1 - level) / (act / (1 - act))


def row(world: World, figure: str, tally: Tally) -> dict[str, Any]:
    known = max(tally.known, 1)
    found = {"coverage": round(tally.held / known, 4), "width": round(tally.width / known, 4)}
    return {**asdict(world), "figure": figure, "thin": thin(world, figure), **found, "none": tally.none}


def thin(world: World, figure: str) -> bool:
    """Whether no method could settle a figure from so few wordings or cases."""
    act, conceal, deny = PROFILES[world.profile]
    p, came = {
        "P(conceal | act)": (conceal, KEPT**2 * act),
        "P(deny | concealed)": (deny, KEPT**3 * act * conceal),
        "P(act and conceal)": (act * conceal, KEPT),
        "difference in deceives": (act * conceal, KEPT),
    }.get(figure, (act, KEPT))
    m = world.samples * came
    effective = m / (1 + world.spread * max(m / world.wordings - 1, 0))
    return effective * min(p, 1 - p) < 2


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each figure, over worlds that are not thin for it."""
    found = {}
    for figure in dict.fromkeys(one["figure"] for one in rows):
        among = [one for one in rows if one["figure"] == figure and not one["thin"]]
        coverage = np.array([one["coverage"] for one in among])
        found[figure] = {
            "worlds": len(among),
            "in_93_97": int(((coverage >= LOW) & (coverage <= HIGH)).sum()),
            "below": int((coverage < LOW).sum()),
            "above": int((coverage > HIGH).sum()),
            "mean": round(float(coverage.mean()), 4),
            "min": round(float(coverage.min()), 4),
            "max": round(float(coverage.max()), 4),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweeps", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true", help="the headline worlds alone")
    options, began = parser.parse_args(), time.monotonic()
    headline = [
        World(name, 64, 8, spread) for name in ("as published", "now and then") for spread in (0.0, 0.1, 0.3)
    ]
    others = [] if options.quick else [world for world in worlds() if world not in headline]
    jobs = [(world, options.sweeps, True) for world in headline]
    jobs += [(world, max(options.sweeps // 3, 1), False) for world in others]
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(max(1, os.cpu_count() or 2)) as pool:
        for found in pool.map(measured, jobs):
            rows += found
            show(found)
    first = rows_of(rows, headline)
    result = {
        "sweeps": {"headline": options.sweeps, "others": max(options.sweeps // 3, 1)},
        "seconds": round(time.monotonic() - began),
        "headline": summary(first),
        "all": summary(rows),
        "by_wordings": {
            str(k): summary([one for one in rows if one["wordings"] == k])
            for k in (8, 4)
            if any(one["wordings"] == k for one in rows)
        },
        "rows": rows,
    }
    print(json.dumps({key: result[key] for key in ("seconds", "headline", "all")}, indent=1))
    if not options.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"Written to {RESULTS}")


def rows_of(rows: Sequence[dict[str, Any]], among: Sequence[World]) -> list[dict[str, Any]]:
    return [one for one in rows if World(*(one[key] for key in World.__annotations__)) in among]


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    one = rows[0]
    print(f"{one['profile']}, {one['samples']} samples, {one['wordings']} wordings, spread {one['spread']}")
    for one in rows:
        print(
            f"  {one['figure']:28s}{one['coverage']:7.1%}  width {one['width']:.3f}{'  thin' * one['thin']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
