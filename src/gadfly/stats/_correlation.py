"""Rank correlation with its interval, and what is left of it when a third quantity is held fixed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from gadfly.stats._estimate import Estimate

__all__ = ["partial_spearman", "spearman"]

Floats = NDArray[np.float64]

RESAMPLES = 1_000


def spearman(
    x_N: Floats, y_N: Floats, groups: Sequence[Hashable] | None = None, *, seed: int = 0, level: float = 0.95
) -> Estimate:
    """Spearman's rank correlation; the interval resamples whole groups (each observation its own, by default).

    Fewer than three observations, or one quantity that never varies, give no point and [-1, 1].
    """
    return _estimate((x_N, y_N), groups, _rank_correlation, (seed, level))


def partial_spearman(
    x_N: Floats,
    y_N: Floats,
    held_N: Floats,
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """The rank correlation of x and y that the ranks of `held_N` do not account for; intervals as `spearman`."""
    return _estimate((x_N, y_N, held_N), groups, _partial, (seed, level))


def _rank_correlation(x_N: Floats, y_N: Floats) -> float:
    from scipy.stats import rankdata

    return _pearson(rankdata(x_N), rankdata(y_N))


def _partial(x_N: Floats, y_N: Floats, held_N: Floats) -> float:
    xy, xh, yh = _rank_correlation(x_N, y_N), _rank_correlation(x_N, held_N), _rank_correlation(y_N, held_N)
    left = (1 - xh**2) * (1 - yh**2)
    return float((xy - xh * yh) / np.sqrt(left)) if left > 1e-12 else float("nan")


def _pearson(x_N: Floats, y_N: Floats) -> float:
    x_N, y_N = x_N - x_N.mean(), y_N - y_N.mean()
    scale = float(np.sqrt((x_N @ x_N) * (y_N @ y_N)))
    return float(x_N @ y_N) / scale if scale > 0 else float("nan")


def _estimate(
    columns: tuple[Floats, ...],
    groups: Sequence[Hashable] | None,
    statistic: Callable[..., float],
    how: tuple[int, float],
) -> Estimate:
    """The statistic with the percentile interval over resamples of whole groups."""
    n, (seed, level) = len(columns[0]), how
    codes = (
        np.arange(n)
        if groups is None
        else np.unique(np.array([str(g) for g in groups]), return_inverse=True)[1]
    )
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]) if n else []
    point = statistic(*columns) if n >= 3 else float("nan")
    if not np.isfinite(point):
        return Estimate(None, -1.0, 1.0, n, len(rows), level=level)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        picked = np.concatenate([rows[g] for g in rng.integers(len(rows), size=len(rows))])
        drawn.append(statistic(*(column[picked] for column in columns)))
    low, high = np.nanquantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return Estimate(point, min(float(low), point), max(float(high), point), n, len(rows), level=level)
