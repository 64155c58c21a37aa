"""Choosing what to ask people: which of a run's cases are worth a person's time.

A policy gives every case a weight; cases are then drawn one after another, each with probability proportional
to its weight among those left. The probability is kept with the item, because the rates estimated from the
labels need it (`gadfly.stats.corrected_rate`).

Preferring some cases has a price. Were the judge's scores worthless, asking by them would widen the interval by
the square root of the mean of 1/weight (Kish's design effect). Every policy is therefore mixed with uniform
drawing just enough that this *insurance* never costs more than `PRICE` in variance; where the scores are good,
the policy still gains most of what it could. `price=math.inf` takes the insurance off: for learning only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from gadfly.errors import InputError, UnknownNameError

__all__ = ["PRICE", "Choice", "Policy", "Seen", "choose", "policy"]

Floats = NDArray[np.float64]

PRICE = 1.01
"""The most by which a policy may multiply the variance of a rate under a judge that knows nothing."""
BINS = 10
STREAM = 0xA5C
"""Keeps the draws apart from whatever else was made from the same seed."""
NEAR = 0.1
"""How far from the threshold, in ranks, the weight of a case has fallen to 1/e."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a judge thinks of a run's N cases: scores in [0, 1] (NaN: could not tell), its uncertainty of each
    (a standard deviation, NaN where it gives none), and where a score becomes a failure.
    """

    scores_N: Floats
    uncertainty_N: Floats
    threshold: float

    @classmethod
    def of(
        cls, scores: Iterable[float | None], uncertainty: Iterable[float | None], threshold: float
    ) -> Seen:
        """From scores and uncertainties in which None stands for *missing*."""
        return cls(_floats(scores), _floats(uncertainty), threshold)


@dataclass(frozen=True, slots=True)
class Choice:
    """One case to ask about: its index, the probability with which it was drawn given the draws before, the
    lowest probability any case had then, and in words why it is worth asking.
    """

    index: int
    probability: float
    lowest: float
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A mixture of ways to choose: (name, share) pairs whose shares sum to 1."""

    parts: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """What `policy` reads back: "threshold", "uniform:0.5+epistemic:0.5"."""
        if len(self.parts) == 1:
            return self.parts[0][0]
        return "+".join(f"{name}:{share:g}" for name, share in self.parts)

    def weights(self, seen: Seen, price: float = PRICE) -> Floats:
        """(N,) with mean 1, insured at `price` ≥ 1: mean of 1/weight ≤ price."""
        mixed = sum(
            (share * _relative(name, seen) for name, share in self.parts), np.zeros_like(seen.scores_N)
        )
        return _insured(mixed, price)


def policy(name: str) -> Policy:
    """A policy by name: one of `uniform`, `stratified`, `threshold`, `epistemic`, or a mixture of them such as
    `uniform:0.5+epistemic:0.5` (shares are brought to sum to 1).

    - uniform: every case alike.
    - stratified: as many from each tenth of the score's range.
    - threshold: most where the score is next to the judge's threshold, in ranks.
    - epistemic: by the judge's own uncertainty; only a judge that states one (a fitted judge) can be asked so.
    """
    parts = []
    for part in name.split("+"):
        word, _, share = part.strip().partition(":")
        if word not in _WEIGHTS:
            raise UnknownNameError("policy", word, _WEIGHTS, "Mix them as uniform:0.5+epistemic:0.5.")
        parts.append((word, _share(share, name)))
    total = sum(share for _, share in parts)
    return Policy(tuple((word, share / total) for word, share in parts))


def choose(
    seen: Seen, by: Policy, n: int, *, seed: int = 0, taken: Sequence[int] = (), price: float = PRICE
) -> list[Choice]:
    """Draw `n` cases, none of those `taken`, in the order to ask about them; fewer when fewer are left.

    Successive sampling: the order is that of log weight + Gumbel noise, which is drawing one after another with
    probability proportional to weight among those left (Efraimidis & Spirakis 2006; Perez et al.'s few-shot
    pool is drawn alike).
    """
    if n < 1:
        raise InputError(f"{n} items cannot be drawn; ask for one or more.")
    left = np.setdiff1d(np.arange(len(seen.scores_N)), np.asarray(taken, dtype=np.intp))
    rest = Seen(seen.scores_N[left], seen.uncertainty_N[left], seen.threshold)
    if not len(left):
        return []
    weights = by.weights(rest, price)
    keys = np.log(weights) + np.random.default_rng([seed, STREAM]).gumbel(size=len(weights))
    order = np.argsort(-keys)[:n]
    totals = weights.sum() - (np.cumsum(weights[order]) - weights[order])
    least = weights.min()
    favour = {name: share * _relative(name, rest) for name, share in by.parts}
    return [
        Choice(
            int(left[i]),
            float(min(weights[i] / total, 1.0)),
            float(min(least / total, 1.0)),
            _why(max(favour, key=lambda name: float(favour[name][i])), rest, int(i)),
        )
        for i, total in zip(order, totals, strict=True)
    ]


def _relative(name: str, seen: Seen) -> Floats:
    """One way's weights with mean 1."""
    raw = _WEIGHTS[name](seen)
    mean = raw.mean() if len(raw) else 1.0
    return np.asarray(raw / mean if mean > 0 else np.ones_like(raw))


def _insured(weights: Floats, price: float) -> Floats:
    """The weights mixed with uniform just enough that their design effect is at most `price`."""

    def cost(mix: float) -> float:
        blended = (1 - mix) * weights + mix
        return float((1 / blended).mean()) if blended.min() > 0 else math.inf

    if not len(weights) or cost(0.0) <= price:
        return weights
    uninsured, insured = 0.0, 1.0
    for _ in range(40):
        middle = (uninsured + insured) / 2
        uninsured, insured = (uninsured, middle) if cost(middle) <= price else (middle, insured)
    return (1 - insured) * weights + insured


def _uniform(seen: Seen) -> Floats:
    return np.ones_like(seen.scores_N)


def _stratified(seen: Seen) -> Floats:
    """Each tenth of [0, 1] that holds a score is asked about alike; what could not be scored is one more."""
    known = np.nan_to_num(seen.scores_N, nan=2.0)
    tenth = np.where(known > 1.0, BINS, np.minimum((known * BINS).astype(np.intp), BINS - 1))
    return np.asarray(1.0 / np.bincount(tenth, minlength=BINS + 1)[tenth])


def _threshold(seen: Seen) -> Floats:
    """exp(-distance in ranks / `NEAR`); a case that could not be scored counts as on the threshold."""
    known = np.nan_to_num(seen.scores_N, nan=seen.threshold)
    ranks = rankdata(known) / max(len(known), 1)
    at = (known < seen.threshold).mean() if len(known) else 0.0
    return np.asarray(np.exp(-np.abs(ranks - at) / NEAR))


def _epistemic(seen: Seen) -> Floats:
    """The uncertainty itself: the variance of a rate is least when items are drawn so (Zrnic & Candès 2024)."""
    given = np.isfinite(seen.uncertainty_N)
    if not given.any():
        raise InputError(
            "This judge states no uncertainty, so nothing can be chosen by it: fit one (gadfly judge fit), or "
            "choose by threshold, stratified or uniform."
        )
    return np.where(given, seen.uncertainty_N, np.nanmean(seen.uncertainty_N))


_WEIGHTS: MappingProxyType[str, Callable[[Seen], Floats]] = MappingProxyType(
    {"epistemic": _epistemic, "stratified": _stratified, "threshold": _threshold, "uniform": _uniform}
)


def _why(way: str, seen: Seen, i: int) -> str:
    """Why this case, in words, `way` being what favoured it most."""
    score, unsure = seen.scores_N[i], seen.uncertainty_N[i]
    said = "the judge could not tell" if np.isnan(score) else f"score {score:.2f}"
    if way == "epistemic" and np.isfinite(unsure):
        return f"{said}, unsure by ±{unsure:.2f}"
    if way == "threshold":
        return f"{said}, the threshold being {seen.threshold:.2f}"
    return f"{said}, drawn {'from its tenth of the scores' if way == 'stratified' else 'uniformly'}"


def _share(text: str, name: str) -> float:
    try:
        share = float(text or 1.0)
    except ValueError:
        share = math.nan
    if not (math.isfinite(share) and share > 0):
        raise InputError(f"The share {text!r} in the policy {name!r} is no positive number.")
    return share


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
