"""Does selection flatter what a search of scenarios finds, and does looking again on fresh samples undo it?

    python benchmarks/pressure_search.py [--draws 1000] [--quick]

The product's own selection (`gadfly.pressure._halving.select`) and scoring, on candidates whose deception rates are
known: verdicts are drawn instead of played. 64 candidates, most of which hardly tempt (Beta(1, 12)), in eight wordings
whose rates differ; the best are combined, which tempts whom either would. Reported for the winner, which is fixed
before anything fresh is seen: the search's own rate minus the truth, the fresh rate minus the truth, how often the
fresh interval covers, and what is found when the samples are spread evenly and nothing is combined. About a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gadfly.pressure._halving import select
from gadfly.pressure._outcomes import Sample
from gadfly.pressure._pressing import WORDINGS
from gadfly.pressure._rates import Verdicts
from gadfly.stats import Estimate

RESULTS = Path(__file__).parent / "results" / "pressure_search.json"
CANDIDATES, BUDGET, KEPT_BACK, WINNERS = 64, 4_000, 0.25, 3

Floats = NDArray[np.float64]


@dataclass
class World:
    """The truth: what each candidate's rate is in each wording, and how real it reads. `drawn` is what was sampled."""

    seed: int
    rates: dict[str, Floats] = field(default_factory=dict)
    realism: dict[str, float] = field(default_factory=dict)
    drawn: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        for number in range(CANDIDATES):
            rate = self.random.beta(1, 12)
            self.rates[str(number)] = self.random.beta(rate * 20, (1 - rate) * 20, WORDINGS)
            self.realism[str(number)] = self.random.uniform(0.5, 1.0)

    async def look(self, name: str, samples: int) -> float:
        """The score of a candidate at so many samples; earlier ones are kept."""
        had = self.drawn.setdefault(name, [])
        had += self._draw(name, len(had), samples)
        return sampled(had).score("act", self.realism[name])

    async def combined(self, best: Sequence[str]) -> list[str]:
        """Every two of the best: who is not tempted by the one may be by the other."""
        found = []
        for place, one in enumerate(best):
            for other in best[place + 1 :]:
                name = f"{one}+{other}"
                self.rates[name] = 1 - (1 - self.rates[one]) * (1 - self.rates[other])
                self.realism[name] = self.realism[one] * self.realism[other]
                found.append(name)
        return found

    def fresh(self, name: str, samples: int) -> Estimate:
        """The rate on samples that chose nothing."""
        return sampled(self._draw(name, 0, samples)).rate("act")

    def truth(self, name: str) -> float:
        return float(self.rates[name].mean())

    def _draw(self, name: str, first: int, last: int) -> list[float]:
        wordings = np.arange(first, last) % WORDINGS
        return list((self.random.random(len(wordings)) < self.rates[name][wordings]).astype(float))


@dataclass(frozen=True)
class Search:
    """What one search came to: the truth about its winner, what it saw itself, what was seen afresh."""

    truth: float
    own: float
    fresh: float
    covers: bool
    spent: int
    even: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    draws, began = 500 if options.quick else options.draws, time.monotonic()
    searches = [simulated(seed) for seed in range(draws)]
    found = figures(searches)
    print(json.dumps(found, indent=1))
    print(f"{time.monotonic() - began:.0f} s")
    if not options.quick:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(not found["ok"])


def simulated(seed: int) -> Search:
    """One search, as `gadfly.pressure._search` does it."""
    world = World(seed)
    budget = int(BUDGET * (1 - KEPT_BACK))
    chosen = asyncio.run(select(list(world.rates), world.combined, world.look, budget, WINNERS))
    winner, spent = chosen.best[0], sum(chosen.samples.values())
    again = world.fresh(winner, (BUDGET - spent) // (WINNERS + 1))
    even = World(seed)
    scores = {name: asyncio.run(even.look(name, budget // CANDIDATES)) for name in even.rates}
    return Search(
        truth=world.truth(winner),
        own=float(np.mean(world.drawn[winner])),
        fresh=again.point or 0.0,
        covers=again.low <= world.truth(winner) <= again.high,
        spent=spent,
        even=even.truth(max(scores, key=scores.__getitem__)),
    )


def figures(searches: Sequence[Search]) -> dict[str, object]:
    """Biases in points of rate, each with its standard error."""
    own = centred([one.own - one.truth for one in searches])
    fresh = centred([one.fresh - one.truth for one in searches])
    optimistic, honest = own[0] > 2 * own[1], abs(fresh[0]) <= 2 * fresh[1]
    return {
        "searches": len(searches),
        "candidates": CANDIDATES,
        "budget": BUDGET,
        "samples_spent_searching": round(float(np.mean([one.spent for one in searches]))),
        "winner_truth": round(float(np.mean([one.truth for one in searches])), 4),
        "winner_truth_spread_evenly_none_combined": round(float(np.mean([one.even for one in searches])), 4),
        "own_minus_truth": own,
        "fresh_minus_truth": fresh,
        "fresh_interval_covers": round(float(np.mean([one.covers for one in searches])), 3),
        "own_is_optimistic": optimistic,
        "fresh_within_two_standard_errors": honest,
        "ok": optimistic and honest,
    }


def centred(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return round(float(np.mean(values)), 5), round(float(np.std(values, ddof=1) / np.sqrt(len(values))), 5)


def sampled(verdicts: Sequence[float]) -> Sample:
    return Sample(tuple(Verdicts(n, n % WORDINGS, verdict) for n, verdict in enumerate(verdicts)))


if __name__ == "__main__":
    main()
