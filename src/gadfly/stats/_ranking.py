"""Groups ranked by their rate, and which of them stand out once it counts how many were looked at."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gadfly.errors import InputError
from gadfly.stats._clusters import group
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import Verdict, check_level, known, pick, rate, score_interval

__all__ = ["Ranked", "holm", "ranked"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A group with its rate. `others` is the rate of all the rest together.

    `p` is the chance of a difference from the rest this large or larger were there none, adjusted by Holm's rule for
    the number of groups: calling every group with p ≤ 0.05 different is wrong about any of them 5 times in 100.
    """

    name: str
    rate: Estimate
    others: Estimate
    p: float


def ranked(
    verdicts: Sequence[Verdict],
    groups: Sequence[str],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> tuple[Ranked, ...]:
    """Each group's rate, the highest first; equal ones by name, those without a verdict last. No cases give none.

    Each group is compared with the rest by Fisher's exact test on effective counts: n divided by the design effect of
    repeated clusters (as in `rate`), rounded down. Holm (1979) needs no independence between the tests, and these are
    dependent: every group is part of the others' rest.
    """
    from scipy import stats

    check_level(level)
    names = (
        list(range(len(verdicts)))
        if clusters is None
        else pick(clusters, range(len(verdicts)), len(verdicts))
    )
    if len(groups) != len(verdicts):
        raise InputError(f"{len(verdicts)} verdicts came with {len(groups)} groups; give one for each.")
    found: list[Ranked] = []
    for name in dict.fromkeys(groups):
        inside = [(v, c) for v, c, g in zip(verdicts, names, groups, strict=True) if g == name]
        outside = [(v, c) for v, c, g in zip(verdicts, names, groups, strict=True) if g != name]
        table = [_counts(inside, level), _counts(outside, level)]
        p = float(stats.fisher_exact(table).pvalue)
        found.append(Ranked(name, _rate(inside, level), _rate(outside, level), p))
    if not found:
        return ()
    adjusted = holm([one.p for one in found])
    found = [replace(one, p=p) for one, p in zip(found, adjusted, strict=True)]
    return tuple(
        sorted(found, key=lambda one: (-(-1.0 if one.rate.point is None else one.rate.point), one.name))
    )


def holm(p: Sequence[float]) -> list[float]:
    """P-values of several tests, each in [0, 1], put right for their number, in the same order; none for none.

    Holm (1979): the k-th smallest of P times P - k + 1, none below the one before, at most 1. statsmodels' own collects
    garbage at each call, a fifth of a second, and takes more than one to import.
    """
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(one) for one in adjusted]


Cases = Sequence[tuple[Verdict, Hashable]]


def _rate(cases: Cases, level: float) -> Estimate:
    return rate([verdict for verdict, _ in cases], [cluster for _, cluster in cases], level=level)


def _counts(cases: Cases, level: float) -> tuple[int, int]:
    """Failures and passes that as many independent cases as these are worth would have."""
    values, kept = known([verdict for verdict, _ in cases])
    if not len(values):
        return (0, 0)
    data = group(values, [cases[i][1] for i in kept])
    worth = int(data.n / score_interval(data, level)[2] + 1e-9)
    failures = round(data.mean * worth)
    return (failures, worth - failures)
