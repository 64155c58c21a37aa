"""Groups ranked by their rate, and which of them stand out once it counts how many were looked at."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from scipy import stats
from statsmodels.stats.multitest import multipletests

from gadfly.errors import InputError
from gadfly.stats._clusters import group
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import Verdict, check_level, known, pick, rate, score_interval

__all__ = ["Ranked", "ranked"]


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
    adjusted = multipletests([one.p for one in found], method="holm")[1]
    found = [Ranked(one.name, one.rate, one.others, float(p)) for one, p in zip(found, adjusted, strict=True)]
    return tuple(
        sorted(found, key=lambda one: (-(-1.0 if one.rate.point is None else one.rate.point), one.name))
    )


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
