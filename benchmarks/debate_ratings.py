"""Do the intervals of ratings, of the slope and of reliability hold the truth 93 to 97 % of the time?

    python benchmarks/debate_ratings.py [--draws 2000]     reliability, which resamples, takes an eighth as many
    python benchmarks/debate_ratings.py --only ratings,slope     the other rows stay as they are

Scripted debaters of known skill play round robins or Swiss tournaments. Every draw takes its own skills, normal with
the cell's `spread` (156 points unless it says otherwise), all about one mean. Every pairing debates its questions
twice, seats swapped; questions are the pairing's own or the same for all. What happens in a match is the quantile at a
normal `z` of a distribution whose mean is exactly the Bradley-Terry probability: yes or no, or a judge's probability
(Beta, sum of parameters 4). Of z's variance the share `rho` belongs to the question: to its first *seat* (one side is
easier to argue, so both debaters gain once) or to each *player* on it (one knows the field, and gains in both seats).

A cell is *thin*, shown and counted apart, where hardly any result differs from the rest, so that an interval rests on
what is assumed of results that nobody saw and may hold the truth more often than it says: fewer than two wrong answers
expected among the better half of a slope's, or debaters so far apart (350 points) that in most tournaments somebody
wins or loses every match; and reliability from twenty questions, which nothing settles.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gadfly.stats import Estimate, Match, ratings, reliability, slope, swiss

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "debate_ratings.json"
LOW, HIGH = 0.93, 0.97
ELO = 400 / np.log(10)
PARTS = 4.0


@dataclass(frozen=True)
class Tournament:
    """`rounds` of a Swiss tournament, or None for a round robin; `questions` a pairing, each with seats swapped."""

    players: int
    questions: int
    shared: bool = False
    rounds: int | None = None
    effect: str = "player"
    rho: float = 0.5
    side: float = 70.0
    spread: float = 156.0
    soft: bool = False
    thin: bool = False


TOURNAMENTS = (
    Tournament(4, 4, effect="seat", rho=0.3),
    Tournament(4, 4),
    Tournament(4, 30, effect="seat"),
    Tournament(4, 10, shared=True),
    Tournament(8, 2, effect="seat", rho=0.0, side=0.0),
    Tournament(8, 2, effect="seat"),
    Tournament(8, 10, shared=True),
    Tournament(12, 2, rho=0.3),
    Tournament(8, 4, rounds=4, rho=0.3),
    Tournament(12, 10, shared=True, rounds=5),
    Tournament(6, 2, rounds=3, effect="seat", rho=0.3),
    Tournament(7, 4, rounds=5, effect="seat"),
    Tournament(8, 10, rounds=5, rho=0.0, spread=0.0),
    Tournament(16, 10, rounds=5, rho=0.0, spread=0.0),
    Tournament(16, 10, rounds=5, spread=52.0),
    Tournament(4, 8, soft=True),
    Tournament(8, 10, shared=True, effect="seat", soft=True),
    Tournament(4, 4, effect="seat", rho=0.3, spread=350.0, thin=True),
    Tournament(8, 10, shared=True, spread=350.0, thin=True),
)


@dataclass(frozen=True)
class Judging:
    """`questions`, each judged at `levels` skills evenly from -1 to 1; right with log-odds at + rise·skill."""

    questions: int
    levels: int
    rho: float
    at: float
    rise: float
    soft: bool = False

    @property
    def thin(self) -> bool:
        better = np.linspace(-1, 1, self.levels)[-(self.levels // 2) :]
        return self.questions * float(special.expit(-self.at - self.rise * better).sum()) < 2


JUDGINGS = (
    *(
        Judging(questions, levels, rho, *line)
        for questions in (8, 20, 60)
        for levels, rho in ((2, 0.5), (4, 0.0), (12, 0.5))
        for line in ((0.8, 0.4), (2.0, 1.0))
    ),
    Judging(20, 4, 0.5, 0.8, 0.4, soft=True),
    Judging(60, 4, 0.0, 0.8, 0.0),
)


@dataclass(frozen=True)
class Saying:
    """`times` probabilities for each of `questions`; the judge's logit is `heat` times the true one (sd `sharp`)."""

    questions: int
    times: int
    rho: float
    sharp: float
    heat: float
    thin: bool = False


SAYINGS = tuple(
    Saying(questions, times, rho, sharp, heat, questions < 50)
    for questions, times, rho in ((20, 2, 0.3), (50, 4, 0.3), (300, 1, 0.0))
    for sharp, heat in ((1.5, 1.0), (1.5, 2.0))
)


class Field:
    """Debaters with skills drawn for one tournament, who know some questions better than others."""

    def __init__(self, cell: Tournament, rng: np.random.Generator) -> None:
        self.cell, self.rng = cell, rng
        skills = rng.normal(0, cell.spread / ELO, cell.players)
        self.skills: Floats = skills - skills.mean()
        self.effects = self.drawn()
        self.asked = 0

    def drawn(self) -> Floats:
        """What each question does for each player on it, and for its first seat: variance 1."""
        return self.rng.normal(size=(self.cell.questions, self.cell.players + 1))

    def pairing(self, one: int, other: int) -> list[Match]:
        """All games of two debaters."""
        cell, own = self.cell, self.effects if self.cell.shared else self.drawn()
        start = 0 if cell.shared else self.asked
        self.asked += cell.questions
        found = []
        for first, second in ((one, other), (other, one)):
            common = own[:, -1] if cell.effect == "seat" else (own[:, first] - own[:, second]) / np.sqrt(2)
            z = np.sqrt(cell.rho) * common + np.sqrt(1 - cell.rho) * self.rng.normal(size=cell.questions)
            p = special.expit(self.skills[first] - self.skills[second] + cell.side / ELO)
            for k, score in enumerate(happened(p, z, cell.soft).tolist()):
                found.append(Match(f"p{first:02}", f"p{second:02}", score, start + k))
        return found


def happened(p: Any, z: Any, soft: bool) -> Any:
    """The quantile at a normal z of a yes (mean p), or of a Beta of that mean."""
    u = special.ndtr(z)
    return special.betaincinv(PARTS * p, PARTS * (1 - p), u) if soft else np.asarray(u > 1 - p, dtype=float)


def played(field: Field) -> list[Match]:
    """All matches of one tournament."""
    names = [f"p{i:02}" for i in range(field.cell.players)]
    if field.cell.rounds is None:
        return [one for pair in combinations(range(len(names)), 2) for one in field.pairing(*pair)]
    met: list[Match] = []
    found: list[Match] = []
    for _ in range(field.cell.rounds):
        for first, second in swiss(names, met, seed=0, noise=0.5 / np.sqrt(field.cell.questions)).pairs:
            games = field.pairing(names.index(first), names.index(second))
            shares = [one.score if one.first == first else 1 - (one.score or 0.0) for one in games]
            met.append(Match(first, second, float(np.mean([s or 0.0 for s in shares]))))
            found += games
    return found


@dataclass
class Tally:
    """How often an interval held the truth and how wide it was."""

    held: int = 0
    of: int = 0
    width: float = 0.0

    def add(self, estimate: Estimate, truth: float) -> None:
        self.of += 1
        self.held += estimate.low <= truth <= estimate.high
        self.width += estimate.high - estimate.low


Tallies = defaultdict[str, Tally]


def tournament(cell: Tournament, draws: int, rng: np.random.Generator) -> Tallies:
    """Coverage of ratings, of pairs' differences (together, and each for the lowest) and of the side."""
    tallies: Tallies = defaultdict(Tally)
    for draw in range(draws):
        field = Field(cell, rng)
        matches = played(field)
        found = ratings(matches)
        skill = {f"p{i:02}": ELO * float(x) for i, x in enumerate(field.skills)}
        for one in found.players:
            tallies["rating"].add(one.rating, skill[one.name])
        for pair in combinations(sorted(skill), 2):
            truth = skill[pair[0]] - skill[pair[1]]
            tallies["difference"].add(found.difference(*pair), truth)
            tallies[f"pair {pair}"].add(found.difference(*pair), truth)
        if found.side is not None:
            tallies["side"].add(found.side, cell.side)
        if draw < draws // 10:
            plain = ratings([replace(one, cluster=None) for one in matches])
            for (a, b), estimate in plain.differences.items():
                tallies["difference, questions ignored"].add(estimate, skill[a] - skill[b])
    return tallies


def judging(cell: Judging, draws: int, rng: np.random.Generator) -> Tallies:
    """Coverage of the slope and of the gain from -1 to 1."""
    tallies: Tallies = defaultdict(Tally)
    skills = np.tile(np.linspace(-1, 1, cell.levels), cell.questions)
    questions = np.repeat(np.arange(cell.questions), cell.levels)
    ends = special.expit(cell.at + cell.rise * np.array([-1.0, 1.0]))
    for _ in range(draws):
        z = np.sqrt(cell.rho) * rng.normal(size=cell.questions)[questions]
        z = z + np.sqrt(1 - cell.rho) * rng.normal(size=len(skills))
        right = happened(special.expit(cell.at + cell.rise * skills), z, cell.soft)
        found = slope(right.tolist(), skills.tolist(), questions.tolist())
        tallies["slope"].add(found.log_odds, cell.rise)
        tallies["gain"].add(found.gain, float(ends[1] - ends[0]))
    return tallies


PARTS_SAID = ("brier", "log_loss", "calibration", "resolution", "error")


def said(cell: Saying, rng: np.random.Generator) -> tuple[list[float], list[float], list[int]]:
    questions = np.repeat(np.arange(cell.questions), cell.times)
    logits = rng.normal(0, cell.sharp, cell.questions)[questions] + rng.normal(0, cell.sharp, len(questions))
    logits = logits / np.sqrt(2)
    z = np.sqrt(cell.rho) * rng.normal(size=cell.questions)[questions]
    z = z + np.sqrt(1 - cell.rho) * rng.normal(size=len(questions))
    outcomes = happened(special.expit(logits), z, False)
    return special.expit(cell.heat * logits).tolist(), outcomes.tolist(), questions.tolist()


def saying(cell: Saying, draws: int, rng: np.random.Generator) -> Tallies:
    """Coverage of the parts of reliability; the truth is that of 100,000 questions asked once."""
    tallies: Tallies = defaultdict(Tally)
    truth = reliability(*said(replace(cell, questions=100_000, times=1, rho=0.0), rng))
    for _ in range(max(draws // 8, 1)):
        found = reliability(*said(cell, rng))
        for name in PARTS_SAID:
            tallies[name].add(getattr(found, name), getattr(truth, name).point)
    return tallies


def rows_of(cell: Tournament | Judging | Saying, tallies: Tallies) -> Iterator[dict[str, Any]]:
    lowest = min(
        (one.held / one.of for name, one in tallies.items() if name.startswith("pair")), default=None
    )
    for name, tally in tallies.items():
        if not name.startswith("pair"):
            row = {
                "figure": name,
                "coverage": round(tally.held / tally.of, 4),
                "width": tally.width / tally.of,
            }
            row = {**row, "width": float(f"{row['width']:.4g}"), "thin": cell.thin, "cell": asdict(cell)}
            yield row | ({"lowest_pair": lowest} if name == "difference" else {})


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each figure, over the cells that are not thin; `outside` names the others, thin ones too."""
    found = {}
    for figure in dict.fromkeys(one["figure"] for one in rows):
        among = [one for one in rows if one["figure"] == figure and not one["thin"]]
        coverage = np.array([one["coverage"] for one in among])
        found[figure] = {
            "cells": len(among),
            "in_93_97": int(((coverage >= LOW) & (coverage <= HIGH)).sum()),
            "below": int((coverage < LOW).sum()),
            "above": int((coverage > HIGH).sum()),
            "mean": round(float(coverage.mean()), 4),
            "min": round(float(coverage.min()), 4),
            "max": round(float(coverage.max()), 4),
            "thin": [one["coverage"] for one in rows if one["figure"] == figure and one["thin"]],
        }
    return found


def measured(job: tuple[int, Tournament | Judging | Saying, int]) -> list[dict[str, Any]]:
    number, cell, draws = job
    rng = np.random.default_rng([7, number])
    if isinstance(cell, Tournament):
        tallies = tournament(cell, draws, rng)
    elif isinstance(cell, Judging):
        tallies = judging(cell, draws, rng)
    else:
        tallies = saying(cell, draws, rng)
    return list(rows_of(cell, tallies))


KINDS = {"ratings": TOURNAMENTS, "slope": JUDGINGS, "reliability": SAYINGS}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--quick", action="store_true", help="100 draws a cell, and nothing is written")
    parser.add_argument("--only", default=",".join(KINDS), help="which of these, with commas")
    options, began = parser.parse_args(), time.monotonic()
    only = set(options.only.split(","))
    if unknown := sorted(only - set(KINDS)):
        parser.error(f"--only takes {', '.join(KINDS)}; got {unknown[0]!r}.")
    draws, rows = 100 if options.quick else options.draws, []
    numbered = enumerate((kind, cell) for kind, cells in KINDS.items() for cell in cells)
    jobs = [(number, cell, draws) for number, (kind, cell) in numbered if kind in only]
    with ProcessPoolExecutor(max(1, os.cpu_count() or 2)) as pool:
        for (_, cell, _), made in zip(jobs, pool.map(measured, jobs), strict=True):
            rows += made
            shown = "  ".join(f"{one['figure']} {one['coverage']:.1%}" for one in made)
            print(f"{time.monotonic() - began:5.0f} s  {cell}\n         {shown}", flush=True)
    if options.quick:
        print(json.dumps(summary(rows), indent=1))
        return
    new = {one["figure"] for one in rows}
    kept = json.loads(RESULTS.read_text("utf-8"))["rows"] if RESULTS.exists() else []
    rows += [one for one in kept if one["figure"] not in new]
    result = {
        "draws": draws,
        "seconds": round(time.monotonic() - began),
        "summary": summary(rows),
        "rows": rows,
    }
    print(json.dumps(result["summary"], indent=1))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {RESULTS}")


if __name__ == "__main__":
    main()
