"""Worlds in which what choosing is worth is known, and a learner that is exact in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gadfly.judges import Items, Seen


@dataclass(frozen=True)
class World:
    """Items in regions; `truth_R` is the chance that an item of a region is flagged."""

    region_N: NDArray[np.intp]
    truth_R: NDArray[np.float64]
    seed: int = 0

    @property
    def items(self) -> Items:
        coins_N = np.random.default_rng(self.seed).random(len(self.region_N))
        return Items((coins_N < self.truth_R[self.region_N]).astype(float))


@dataclass(frozen=True)
class Counting:
    """Learns each region's share by counting: a Beta(½, ½) belief, whose mean and standard deviation it says."""

    region_N: NDArray[np.intp]

    def spec(self) -> dict[str, Any]:
        return {"learner": "counting", "regions": self.region_N.tolist()}

    def learn(self, rows_L: Any, labels_L: Any, seed: int) -> Belief:
        count = int(self.region_N.max()) + 1
        yes_R = 0.5 + np.bincount(self.region_N[rows_L], labels_L, count)
        no_R = 0.5 + np.bincount(self.region_N[rows_L], 1 - labels_L, count)
        return Belief(self.region_N, yes_R, no_R)


@dataclass(frozen=True)
class Belief:
    region_N: NDArray[np.intp]
    yes_R: NDArray[np.float64]
    no_R: NDArray[np.float64]

    def scores(self, rows_N: Any) -> Any:
        return (self.yes_R / (self.yes_R + self.no_R))[self.region_N[rows_N]]

    def uncertainty(self, rows_N: Any) -> Any:
        p_N = self.scores(rows_N)
        return np.sqrt(p_N * (1 - p_N) / (self.yes_R + self.no_R + 1)[self.region_N[rows_N]])


@dataclass(frozen=True)
class AnotherUniform:
    """Draws uniformly, by other chance than `uniform` does: it cannot differ from it but by chance."""

    name: str = "another uniform"
    by_uncertainty: bool = field(default=False)

    def choose(self, seen: Seen, n: int, *, taken: Sequence[int], seed: int) -> Sequence[int]:
        open_ = np.setdiff1d(np.arange(len(seen.scores_N)), taken)
        return np.random.default_rng([seed, 99]).choice(open_, n, replace=False).tolist()


def rare_regions() -> World:
    """Nine items in ten are alike and never flagged; a rare tenth falls into sixty regions, half of them flagged."""
    rare = np.repeat(np.arange(1, 61), 2)
    region_N = np.concatenate([np.zeros(1_080, dtype=np.intp), rare])
    return World(region_N, np.concatenate([[0.0], np.arange(60) % 2]))


def coin_flips() -> World:
    """Half of the items are coins, in four large regions; the others' regions are settled by a label or two."""
    region_N = np.concatenate([np.repeat(np.arange(4), 150), np.repeat(np.arange(4, 124), 5)])
    return World(region_N, np.concatenate([np.full(4, 0.5), np.arange(120) % 2]))


def plain(seed: int) -> World:
    """Forty regions of ten items, each with a chance of its own."""
    truth_R = np.random.default_rng([seed, 5]).random(40)
    return World(np.repeat(np.arange(40), 10), truth_R, seed)
