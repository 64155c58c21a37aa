"""Successive halving: a budget spread over many candidates, most of it on those that look best.

As in Karnin, Koren & Somekh 2013 and Jamieson & Talwalkar 2016, except that a candidate's earlier samples are kept:
each round the better half stays and its samples are doubled, so every round after the first costs about half as much as
that. A second halving matches the best with combinations of them. What a selected candidate shows on the samples that
selected it is too good; it is for the caller to look again, at fresh ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gadfly.errors import InputError

__all__ = ["PARENTS", "Look", "Round", "Selected", "candidates_for", "halve", "rounds", "select", "spending"]

PARENTS = 4
"""How many of the best are combined with one another."""

SINGLES = 2 / 3
"""The share of the budget that goes to single candidates; the rest matches the best of them with combinations."""

T = TypeVar("T", bound=Hashable)

Look = Callable[[T, int], Awaitable[float | None]]
"""The score of a candidate at so many samples in all; None ends the search, which keeps what it has."""


@dataclass(frozen=True)
class Round:
    """So many candidates, each brought to so many samples."""

    candidates: int
    samples: int


@dataclass(frozen=True)
class Selected(Generic[T]):
    """The best candidates, best first, with how many samples every one that was looked at has had.

    `scores` are those at a candidate's last look. `cut`: the search was ended before it was through.
    """

    best: tuple[T, ...]
    samples: dict[T, int]
    scores: dict[T, float]
    cut: bool = False


def rounds(candidates: int, keep: int, first: int) -> list[Round]:
    """Halving `candidates` until `keep` are left, with `first` samples each in the first round."""
    plan = [Round(candidates, first)]
    while plan[-1].candidates > 2 * keep:
        plan.append(Round(-(-plan[-1].candidates // 2), 2 * plan[-1].samples))
    return plan


def spending(plan: Sequence[Round]) -> int:
    """The samples a plan takes."""
    before = [0, *(one.samples for one in plan)]
    return sum(one.candidates * (one.samples - had) for one, had in zip(plan, before, strict=False))


def first_round(candidates: int, keep: int, budget: int) -> int:
    """How many samples each candidate can have in the first round; 0 where the budget is too small."""
    return budget // max(1, spending(rounds(candidates, keep, 1)))


def candidates_for(budget: int, keep: int, least: int, most: int) -> int:
    """The most candidates that `budget` can give `least` samples each in the first round; at most `most`."""
    count = most
    while count > 1 and first_round(count, keep, int(budget * SINGLES)) < least:
        count -= 1
    return count


async def select(
    singles: Sequence[T],
    combined: Callable[[Sequence[T]], Awaitable[Sequence[T]]],
    look: Look[T],
    budget: int,
    keep: int,
) -> Selected[T]:
    """The best `keep` of `singles` and of what `combined` makes of the best of those. Raises `InputError` for a budget
    that cannot give every candidate one sample.
    """
    parents = max(keep, PARENTS)
    found = await halve(singles, look, int(budget * SINGLES), parents)
    if found.cut:
        return Selected(found.best[:keep], found.samples, found.scores, cut=True)
    offspring = [one for one in await combined(found.best) if one not in found.samples]
    rest, finalists = budget - sum(found.samples.values()), [*found.best, *offspring]
    if not offspring or not first_round(len(finalists), keep, rest):
        return Selected(found.best[:keep], found.samples, found.scores)
    again = await halve(finalists, look, rest, keep, had=found.samples)
    samples, scores = {**found.samples, **again.samples}, {**found.scores, **again.scores}
    return Selected(again.best, samples, scores, again.cut)


async def halve(
    candidates: Sequence[T], look: Look[T], budget: int, keep: int, *, had: dict[T, int] | None = None
) -> Selected[T]:
    """The best `keep` of the candidates. Of equal scores the earlier candidate is the better.

    `had`: samples that some have already; one that has more than its round asks for keeps them.
    """
    had = had or {}
    first = first_round(len(candidates), keep, budget)
    if not first:
        raise InputError(
            f"A budget of {budget} samples is too small for {len(candidates)} candidates: raise it or have fewer."
        )
    left, samples, scores = list(candidates), dict[T, int](), dict[T, float]()
    plan = rounds(len(left), keep, first)
    for one in plan:
        for candidate in left[: one.candidates]:
            wanted = max(one.samples, had.get(candidate, 0))
            score = await look(candidate, wanted)
            if score is None:
                best = sorted(scores, key=scores.__getitem__, reverse=True)
                return Selected(tuple(best[:keep]), samples, scores, cut=True)
            samples[candidate], scores[candidate] = wanted, score
        left = sorted(left[: one.candidates], key=scores.__getitem__, reverse=True)
    return Selected(tuple(left[:keep]), samples, scores)
