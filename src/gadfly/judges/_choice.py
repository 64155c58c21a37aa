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
from scipy import special

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
    """What a judge thinks of a run's N cases: scores in [0, 1] (NaN: could not tell), its epistemic uncertainty of
    each (a standard deviation, NaN where it gives none), and where a score becomes a failure.
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

    @property
    def total(self) -> Floats:
        """The variance of an answer, p(1 - p) = aleatoric + epistemic (Gleave & Irving 2022)."""
        return np.asarray(self.scores_N * (1 - self.scores_N))

    @property
    def aleatoric(self) -> Floats:
        """What of that variance no label would settle, never below 0."""
        return np.maximum(self.total - self.uncertainty_N**2, 0.0)


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
    """A policy by name: one of those below, or a mixture of them such as `uniform:0.5+epistemic:0.5` (shares are
    brought to sum to 1).

    - uniform: every case alike.
    - stratified: as many from each tenth of the score's range.
    - threshold: most where the score is next to the judge's threshold, in ranks.
    - total: by p(1 - p), how far an answer is from being known, whatever makes it so.
    - epistemic, bald, aleatoric: by the judge's own uncertainty; only a judge that states one (a fitted judge, a
      reward model) can be asked so. Epistemic is what more labels would settle; bald the bits that a label would tell
      of it; aleatoric, where a coin is merely flipped, is a control that ought to do badly.
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
    from scipy.stats import rankdata

    known = np.nan_to_num(seen.scores_N, nan=seen.threshold)
    ranks = rankdata(known) / max(len(known), 1)
    at = (known < seen.threshold).mean() if len(known) else 0.0
    return np.asarray(np.exp(-np.abs(ranks - at) / NEAR))


def _epistemic(seen: Seen) -> Floats:
    """The uncertainty itself: the variance of a rate is least when items are drawn so (Zrnic & Candès 2024)."""
    return _stated(seen, seen.uncertainty_N)


def _aleatoric(seen: Seen) -> Floats:
    return _stated(seen, seen.aleatoric)


def _bald(seen: Seen) -> Floats:
    """The information between a label and the judge's belief, I = H(p) - E[H(pᵢ)] (Houlsby et al. 2011, arXiv
    1112.5745), the belief being the beta distribution with the judge's mean and variance: then
    E[H] = ψ(ν + 1) - p·ψ(pν + 1) - (1 - p)·ψ((1 - p)ν + 1), where ν = p(1 - p)/variance - 1.

    Drawing a batch in proportion to it spreads the batch out where its top would be one cluster (Kirsch et al. 2023,
    arXiv 2106.12059, "power" with β = 1).
    """
    p, epistemic = seen.scores_N, seen.uncertainty_N**2
    worth = np.maximum(seen.total / np.maximum(epistemic, _LEAST**2) - 1, _LEAST)
    digamma = special.digamma
    expected = digamma(worth + 1) - p * digamma(p * worth + 1) - (1 - p) * digamma((1 - p) * worth + 1)
    return _stated(seen, special.entr(p) + special.entr(1 - p) - expected)


def _total(seen: Seen) -> Floats:
    """A case that could not be scored is as open as can be."""
    return np.nan_to_num(np.maximum(seen.total, _LEAST), nan=0.25)


def _stated(seen: Seen, values_N: Floats) -> Floats:
    """Weights from a stated uncertainty: never 0, and the mean where a case has none."""
    given = np.isfinite(seen.uncertainty_N) & np.isfinite(values_N)
    if not given.any():
        raise InputError(
            "This judge states no uncertainty, so nothing can be chosen by it: fit one (gadfly judge fit), or "
            "choose by threshold, stratified or uniform."
        )
    return np.maximum(np.where(given, values_N, values_N[given].mean()), _LEAST)


_LEAST = 1e-6  # what keeps a weight from 0, and a variance from dividing by it
_WEIGHTS: MappingProxyType[str, Callable[[Seen], Floats]] = MappingProxyType(
    {
        "aleatoric": _aleatoric,
        "bald": _bald,
        "epistemic": _epistemic,
        "stratified": _stratified,
        "threshold": _threshold,
        "total": _total,
        "uniform": _uniform,
    }
)
BY_UNCERTAINTY = frozenset({"aleatoric", "bald", "epistemic"})
"""The policies that ask the judge for its uncertainty."""


def _why(way: str, seen: Seen, i: int) -> str:
    """Why this case, in words, `way` being what favoured it most."""
    score, unsure = seen.scores_N[i], seen.uncertainty_N[i]
    said = "the judge could not tell" if np.isnan(score) else f"score {score:.2f}"
    if way in BY_UNCERTAINTY and np.isfinite(unsure):
        return f"{said}, unsure by ±{unsure:.2f}"
    if way == "threshold":
        return f"{said}, the threshold being {seen.threshold:.2f}"
    if way == "total":
        return f"{said}, 0.5 being the least certain"
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
