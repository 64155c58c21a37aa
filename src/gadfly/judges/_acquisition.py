"""Ways to choose what a learner is told next: the policies that `ask-next` draws by, their bolder forms, one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from gadfly.judges._choice import BY_UNCERTAINTY, PRICE, Policy, Seen, choose, policy

__all__ = ["UNIFORM", "Acquisition", "Asking", "acquisition"]

UNIFORM = "uniform"
_TOP = "top-"


@runtime_checkable
class Acquisition(Protocol):
    """A way to choose. `choose` gets what the learner thinks of all N items of the pool, by index, and answers with
    `n` distinct indices, none of those `taken`. The same arguments must give the same answer.
    """

    @property
    def name(self) -> str: ...

    def choose(self, seen: Seen, n: int, *, taken: Sequence[int], seed: int) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """An `Acquisition` by a policy: drawn with probability proportional to its weights at this `price` (insurance, see
    `_choice`), or without chance the cases of most weight (`top`), equal ones in random order.
    """

    name: str
    by: Policy
    price: float = PRICE
    top: bool = False

    @property
    def by_uncertainty(self) -> bool:
        """Whether it looks at the learner's uncertainty, which costs time to find."""
        return not BY_UNCERTAINTY.isdisjoint(way for way, _ in self.by.parts)

    def choose(self, seen: Seen, n: int, *, taken: Sequence[int], seed: int) -> Sequence[int]:
        if not self.top:
            drawn = choose(seen, self.by, n, seed=seed, taken=taken, price=self.price)
            return [choice.index for choice in drawn]
        weights_N = self.by.weights(seen, math.inf)
        weights_N[list(taken)] = -math.inf
        chance_N = np.random.default_rng(seed).random(len(weights_N))
        best_N = np.lexsort((chance_N, -weights_N))
        return [int(index) for index in best_N[: min(n, len(weights_N) - len(taken))]]


def acquisition(name: str) -> Asking:
    """By name: `epistemic` draws as `ask-next --policy epistemic` does; `epistemic!` without the insurance that keeps
    rates estimable, which is for learning only; `top-epistemic` leaves nothing to chance. Raises as `policy` does.
    """
    if name.startswith(_TOP):
        return Asking(name, policy(name.removeprefix(_TOP)), math.inf, top=True)
    return Asking(name, policy(name.rstrip("!")), math.inf if name.endswith("!") else PRICE)
