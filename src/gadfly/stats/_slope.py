"""How much more often a judge is right as those it judges get better."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats, group
from gadfly.stats._estimate import Estimate
from gadfly.stats._logistic import logistic
from gadfly.stats._profile import Profiled, profile
from gadfly.stats._rate import Verdict, check_level, known, pick

__all__ = ["Slope", "slope"]


@dataclass(frozen=True, slots=True)
class Slope:
    """`log_odds` is by how much the log-odds of being right rise for each unit of skill; `gain` is the accuracy at the
    skill `over[1]` minus that at `over[0]`, in [-1, 1].
    """

    log_odds: Estimate
    gain: Estimate
    over: tuple[float, float]


ALIKE = 1e-9
"""Skills that differ by less, as a share of the largest, differ by rounding."""


def slope(
    outcomes: Sequence[Verdict],
    skills: Sequence[float | None],
    clusters: Sequence[Hashable] | None = None,
    *,
    over: tuple[float, float] | None = None,
    level: float = 0.95,
) -> Slope:
    """The logistic slope of being right (1, or the probability given to what is right) on skill (any unit).

    What debate claims is that it is positive (Khan et al. 2024, arXiv 2402.06782, figure 1). Outcomes that share a
    cluster (one question, judged with debaters of every skill) are not independent, and the interval is over
    questions like these; skills are taken as known, so a slope on ratings that were estimated from few matches is too
    flat. The fit is `_logistic`: right answers and wrong ones that skill parts completely give a finite slope with a
    wide interval, and a judge that is never wrong a gain of 0 that is no surer than as many right answers as there were
    clusters. `over` is the lowest and the highest skill seen, unless given.

    A pair of which either is None is left out and counted as missing. Where skill never varies, rounding apart, there
    is no point, and the intervals are (-∞, ∞) and [-1, 1]. Raises `InputError` for sequences of unequal length,
    outcomes outside [0, 1], skills that are not finite, and an `over` that does not rise.
    """
    check_level(level)
    if len(outcomes) != len(skills):
        raise InputError(f"{len(outcomes)} outcomes came with {len(skills)} skills; give one for each.")
    kept = [i for i, y in enumerate(outcomes) if y is not None and skills[i] is not None]
    values_N, skills_N = (
        known([outcomes[i] for i in kept])[0],
        np.array([skills[i] for i in kept], dtype=float),
    )
    over = _over(over, skills_N)
    data = group(values_N, None if clusters is None else pick(clusters, kept, len(outcomes)))

    def estimate(point: float | None, low: float, high: float) -> Estimate:
        return Estimate(point, low, high, data.n, data.clusters, len(outcomes) - data.n, level)

    if not data.n or np.ptp(skills_N) <= ALIKE * max(1.0, float(np.abs(skills_N).max())):
        return Slope(estimate(None, -math.inf, math.inf), estimate(None, -1.0, 1.0), over)
    # On a scale of its own: the unit of skill may be a point of Elo or a parameter count.
    centre, unit = float(skills_N.mean()), float(skills_N.std())
    design_N_P = np.column_stack([np.ones(data.n), (skills_N - centre) / unit])
    fit = logistic(design_N_P, values_N, data.labels)
    ends_2_P = np.column_stack([np.ones(2), (np.array(over) - centre) / unit])
    found = profile(fit, np.vstack([[0.0, 1.0], ends_2_P, ends_2_P[1] - ends_2_P[0]]), level)
    each = (one / unit for one in found.ends()[0])
    return Slope(estimate(*each), estimate(*_gain(found)), over)


def _over(over: tuple[float, float] | None, skills_N: Floats) -> tuple[float, float]:
    if not np.isfinite(skills_N).all():
        raise InputError("A skill is a finite number, or None where it is not known.")
    if over is None:
        return (float(skills_N.min()), float(skills_N.max())) if len(skills_N) else (math.nan, math.nan)
    if not over[0] < over[1]:
        raise InputError(f"A range of skill rises, from low to high; got {over[0]} to {over[1]}.")
    return over


def _gain(found: Profiled) -> tuple[float, float, float]:
    """The accuracy at the higher end less that at the lower one, contrasts 2 and 1, of which 3 is the difference.

    The interval is Zou & Donner's (2008, Statistics in Medicine 27:1693): made of how far both accuracies
    reach in its direction and of their correlation, here that of their log-odds. It stays within [-1, 1].
    """
    points_C, lows_C, highs_C = (special.expit(x) for x in (found.points_C, found.lows_C, found.highs_C))
    _, lower, higher, apart = found.variances_C
    together = np.clip((lower + higher - apart) / (2 * np.sqrt(lower * higher)), -1.0, 1.0)
    down_2, up_2 = points_C[1:3] - lows_C[1:3], highs_C[1:3] - points_C[1:3]

    def way(one: float, other: float) -> float:
        return math.sqrt(max(one**2 + other**2 - 2 * together * one * other, 0.0))

    gain = float(points_C[2] - points_C[1])
    return gain, gain - way(down_2[1], up_2[0]), gain + way(up_2[1], down_2[0])
