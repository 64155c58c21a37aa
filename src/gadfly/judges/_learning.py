"""Does choosing what to ask people help *this* learner on *these* items, and how much? Learning curves that tell.

Each seed splits the items into a test set and a pool, draws the first labels uniformly, and then lets each policy
choose the next ones by what the learner thinks of the pool, as a person would be asked. Uniform drawing is always
among the policies: "no better than random" is what was published (Gleave & Irving 2022, arXiv 2203.07472).

A curve is on disk before it is counted, so an interrupted command goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gadfly.errors import InputError
from gadfly.judges._acquisition import UNIFORM, Acquisition, acquisition
from gadfly.judges._choice import Seen
from gadfly.judges._curves import AUROC, LOG_LOSS, Curves, Metric, Setup
from gadfly.judges._journal import Curve, Journal

__all__ = ["CurveSettings", "Items", "Learned", "Learner", "learning_curves"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LEAST_EACH = 6
"""Flagged items, and others, below which a third of them is no test."""
_START, _END, _ROUNDS = 20, 1_000, 20
_STREAM = 0x1EA2


class Learned(Protocol):
    """What a learner made of some labels: it answers about items by their index."""

    def scores(self, rows_N: Ints) -> Floats:
        """The probability that each item is flagged, (N,) in [0, 1]."""
        ...

    def uncertainty(self, rows_N: Ints) -> Floats:
        """The epistemic standard deviation of each score, (N,): what more labels would settle."""
        ...


class Learner(Protocol):
    """What learns; it holds the items and is given labels by index.

    Labels chosen without chance stand for nothing but themselves, so no inclusion weights come with them.
    """

    def spec(self) -> dict[str, Any]:
        """Everything that decides an answer, as JSON: curves kept on disk are its own only under the same spec."""
        ...

    def learn(self, rows_L: Ints, labels_L: Floats, seed: int) -> Learned:
        """From labels in [0, 1] of distinct items, of which some are below a half and some not."""
        ...


@dataclass(frozen=True, slots=True)
class Items:
    """Labels of all items, in [0, 1] (half or more is *flagged*). Items of one group (the same question) are never on
    both sides of a split; by default each is its own.
    """

    labels_N: Floats
    groups_N: Ints | None = None

    @property
    def flagged(self) -> NDArray[np.bool_]:
        return np.asarray(self.labels_N >= 0.5)


@dataclass(frozen=True, slots=True)
class CurveSettings:
    """How to draw the curves: seeds 0 to `seeds` - 1; `start` labels drawn uniformly, then `step` at a time up to
    `end`. 0 stands for half of the pool as the end, at most 1,000, and for a step that makes twenty rounds. `test` is
    the share of items set apart. `kept`: a file of JSON lines that finished curves are added to and taken from.
    """

    seeds: int = 20
    start: int = _START
    step: int = 0
    end: int = 0
    test: float = 1 / 3
    metrics: tuple[Metric, ...] = (AUROC, LOG_LOSS)
    kept: Path | None = None
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise InputError(f"Intervals take two seeds or more, better 20; got {self.seeds}.")
        if self.start < 4 or self.step < 0 or self.end < 0 or self.jobs < 1 or not self.metrics:
            raise InputError(
                "Curves start at four labels or more and go up, in one process or more, by some metric."
            )
        if not 0.0 < self.test < 1.0:
            raise InputError(f"The share of items to test on lies between 0 and 1; got {self.test!r}.")


def learning_curves(
    learner: Learner,
    items: Items,
    policies: Sequence[str | Acquisition],
    settings: CurveSettings | None = None,
    on_curve: Callable[[int, int], None] | None = None,
) -> Curves:
    """Each policy's curves, uniform first whether asked for or not. `on_curve(done, of)` hears of each that is kept.

    Policies are names (see `acquisition`) or an `Acquisition` of one's own. `jobs` > 1 works on several curves at
    once, in processes; the curves are the same. Raises `InputError` for too few items of either kind, an end beyond
    the pool, two policies of one name and a learner whose answers are no scores.
    """
    settings = settings or CurveSettings()
    asked = _asked(policies)
    setup = _setup(items, settings)
    wanted = [(one, seed) for seed in range(settings.seeds) for one in asked]
    trial = Trial(learner, items, setup, settings)
    with Journal(settings.kept, _key(learner, items, setup, settings)) as journal:
        open_ = [(one, seed) for one, seed in wanted if (one.name, seed) not in journal]
        done = len(wanted) - len(open_)
        for curve in _finished(trial, open_, settings.jobs):
            journal.add(curve)
            done += 1
            if on_curve is not None:
                on_curve(done, len(wanted))
        values = {
            one.name: {
                metric.name: np.array(
                    [journal[one.name, seed].values[metric.name] for seed in range(settings.seeds)]
                )
                for metric in settings.metrics
            }
            for one in asked
        }
    return Curves(setup, settings.metrics, values)


@dataclass(frozen=True, slots=True)
class Trial:
    """What all curves have in common."""

    learner: Learner
    items: Items
    setup: Setup
    settings: CurveSettings

    def curve(self, by: Acquisition, seed: int) -> Curve:
        """One policy's curve on one seed."""
        pool, test = split(self.items, self.settings.test, seed)
        labels_N, counts = self.items.labels_N[pool], self.setup.counts
        taken = first(labels_N, counts[0], seed)
        rows: list[tuple[float, ...]] = []
        while True:
            count = len(taken)
            learned = self.learner.learn(pool[taken], labels_N[taken], seed)
            scores_T = _answers(learned.scores(test), len(test), count)
            rows.append(tuple(m.measure(scores_T, self.items.labels_N[test]) for m in self.settings.metrics))
            if count == counts[-1]:
                names = [metric.name for metric in self.settings.metrics]
                return Curve(by.name, seed, dict(zip(names, zip(*rows, strict=True), strict=True)))
            seen = _seen(learned, by, pool, labels_N, taken)
            taken += _chosen(by, seen, counts[len(rows)] - count, taken, seed * 100_003 + count)


def split(items: Items, share: float, seed: int) -> tuple[Ints, Ints]:
    """(pool, test), each shuffled. Groups stay whole, and those with a flagged item are spread evenly."""
    rng = np.random.default_rng([seed, _STREAM])
    groups_N = np.arange(len(items.labels_N)) if items.groups_N is None else items.groups_N
    names, codes_N = np.unique(groups_N, return_inverse=True)
    flagged_G = np.bincount(codes_N, items.flagged) > 0
    tested_G = np.zeros(len(names), dtype=bool)
    for side in (True, False):
        same = rng.permutation(np.flatnonzero(flagged_G == side))
        tested_G[same[: max(1, round(share * len(same)))]] = True
    order = rng.permutation(len(codes_N))
    return order[~tested_G[codes_N[order]]], order[tested_G[codes_N[order]]]


def first(labels_N: Floats, count: int, seed: int) -> list[int]:
    """The labels every policy starts from, drawn uniformly. Where fewer than two are of one kind, the last give way to
    the next of that kind: a person would go on until two are there, since of one nothing can be checked.
    """
    order = np.random.default_rng([seed, _STREAM, 1]).permutation(len(labels_N))
    flagged_N = labels_N[order] >= 0.5
    for kind in (True, False):
        missing = 2 - int((flagged_N[:count] == kind).sum())
        if missing > 0:
            there = count + np.flatnonzero(flagged_N[count:] == kind)[:missing]
            order[:count] = np.concatenate([order[: count - missing], order[there]])
    return [int(row) for row in order[:count]]


def _seen(learned: Learned, by: Acquisition, pool: Ints, labels_N: Floats, taken: list[int]) -> Seen:
    """What the learner thinks of the pool, its threshold being where scores divide as the labels so far do.

    Its uncertainty is left out, NaN, for a policy that says it does not look at it.
    """
    scores_N = _answers(learned.scores(pool), len(pool), len(taken))
    unsure_N = np.full(len(pool), np.nan)
    if getattr(by, "by_uncertainty", True):
        unsure_N = _answers(learned.uncertainty(pool), len(pool), len(taken))
    threshold = np.quantile(scores_N[taken], 1 - (labels_N[taken] >= 0.5).mean())
    return Seen(scores_N, unsure_N, float(threshold))


def _answers(values: Floats, n: int, count: int) -> Floats:
    """What a learner said, which must be a probability, or a standard deviation of one, for every item."""
    values_N = np.asarray(values, dtype=np.float64)
    if values_N.shape != (n,) or not ((values_N >= 0) & (values_N <= 1)).all():
        raise InputError(
            f"After {count} labels the learner's answers about {n} items were not {n} numbers from 0 to 1; mend it."
        )
    return values_N


def _chosen(by: Acquisition, seen: Seen, n: int, taken: list[int], seed: int) -> list[int]:
    chosen = [int(row) for row in by.choose(seen, n, taken=tuple(taken), seed=seed)]
    there = set(range(len(seen.scores_N))) - set(taken)
    if len(set(chosen)) != n or not there.issuperset(chosen):
        raise InputError(
            f"The policy {by.name!r} did not choose {n} items of the pool that were still open; mend it."
        )
    return chosen


def _asked(policies: Sequence[str | Acquisition]) -> list[Acquisition]:
    """Uniform, then the others as given."""
    asked: list[Acquisition] = [acquisition(UNIFORM)]
    for named in policies:
        one = acquisition(named) if isinstance(named, str) else named
        if one not in asked:
            asked.append(one)
    names = [one.name for one in asked]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"Two policies are called {twice[0]!r}; give one another name.")
    return asked


def _setup(items: Items, settings: CurveSettings) -> Setup:
    """The counts to measure at, or the sentence that says why there can be none."""
    n, flagged = len(items.labels_N), int(items.flagged.sum())
    if not ((items.labels_N >= 0) & (items.labels_N <= 1)).all():
        raise InputError("A label lies in [0, 1]; some of these do not.")
    fewer, kind = (flagged, "flagged") if flagged <= n - flagged else (n - flagged, "not flagged")
    if fewer < LEAST_EACH:
        raise InputError(
            f"{fewer} of {n} labels are {kind}; curves need at least {LEAST_EACH} of each kind, better 50."
        )
    splits = [split(items, settings.test, seed) for seed in range(settings.seeds)]
    if any(not 2 <= items.flagged[side].sum() <= len(side) - 2 for sides in splits for side in sides):
        raise InputError(
            f"The {kind} labels come from too few questions to stand on both sides; label others."
        )
    pool = min(len(pool) for pool, _ in splits)
    end = settings.end or min(_END, pool // 2)
    if end > pool:
        raise InputError(
            f"{n} labels leave a pool of {pool:,}, which cannot give {end:,}; end at {pool // 2:,}."
        )
    if end <= settings.start:
        raise InputError(
            f"{n} labels leave a pool of {pool:,}, and curves that start at {settings.start} labels must end later "
            f"than at {end}; label more, or start at fewer."
        )
    step = settings.step or max(1, (end - settings.start) // _ROUNDS)
    counts = (*range(settings.start, end, step), end)
    return Setup(pool, n - pool, flagged, counts)


def _key(learner: Learner, items: Items, setup: Setup, settings: CurveSettings) -> str:
    """What a kept curve must have been drawn with to be one of these."""
    groups = b"" if items.groups_N is None else np.unique(items.groups_N, return_inverse=True)[1].tobytes()
    digest = hashlib.sha256(np.asarray(items.labels_N, np.float64).tobytes() + groups).hexdigest()
    metrics = [metric.name for metric in settings.metrics]
    drawn_with = [learner.spec(), digest, setup.counts, settings.test, metrics]
    return hashlib.sha256(json.dumps(drawn_with, sort_keys=True).encode()).hexdigest()[:16]


def _finished(trial: Trial, wanted: Sequence[tuple[Acquisition, int]], jobs: int) -> Iterator[Curve]:
    """The curves, each as soon as it is there, and each on one thread."""
    if jobs == 1 or len(wanted) < 2:
        with threadpool_limits(1):
            yield from (trial.curve(by, seed) for by, seed in wanted)
        return
    from joblib import Parallel, delayed

    work = (delayed(trial.curve)(by, seed) for by, seed in wanted)
    yield from Parallel(jobs, return_as="generator_unordered")(work)
