"""Learning curves as data: what each policy's labels were worth to a learner, against labels drawn uniformly.

Every figure is over seeds: each policy and uniform start from the same split and the same first labels, so they are
compared pair by pair. The intervals say what other seeds would give *on these items*; for other items like them
nothing is claimed.

Axes: S seeds, C counts of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gadfly.judges._acquisition import UNIFORM
from gadfly.stats import Estimate, holm, mean

__all__ = ["AUROC", "LOG_LOSS", "Compared", "Curves", "LabelsTo", "Metric", "Setup"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a curve shows: `measure(scores_N, labels_N)` on the test items, scores and labels in [0, 1]; a
    positive number. Curves kept on disk know a metric by its name alone.
    """

    name: str
    measure: Callable[[Floats, Floats], float]
    higher_is_better: bool = True


def _auroc(scores_N: Floats, labels_N: Floats) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels_N >= 0.5, scores_N))


def _log_loss(scores_N: Floats, labels_N: Floats) -> float:
    p_N = np.clip(scores_N, 1e-12, 1 - 1e-12)
    return -float((labels_N * np.log(p_N) + (1 - labels_N) * np.log1p(-p_N)).mean())


AUROC = Metric("AUROC", _auroc)
"""The chance that an item people flag outscores one they do not; ties half."""
LOG_LOSS = Metric("log loss", _log_loss, higher_is_better=False)
"""Nats an item, against the share of votes that flag it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What was tried: how many items were there to ask about, to test on, and flagged among all; after how many
    labels the learner was measured.
    """

    pool: int
    test: int
    flagged: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelsTo:
    """Labels until a curve first reaches `goal` × what uniform ends with (÷ for a loss), on average over the other
    seeds. Not on its own seed: uniform would meet a goal that its own luck set, and every policy seem the slower.

    A seed that never gets there counts as one step past the end; `short` says how many seeds that was for the policy
    and for uniform: the means are then too low.
    """

    goal: float
    labels: float
    uniform: float
    difference: Estimate
    short: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Compared:
    """A policy less uniform, on the same seeds: the metric's mean over the curve, its last value, and the labels to
    each goal. `p` is of the first, adjusted by Holm's rule for the number of policies; `better` is None where that
    leaves it open.
    """

    policy: str
    over_curve: Estimate
    last: Estimate
    labels: tuple[LabelsTo, ...]
    p: float
    better: bool | None


@dataclass(frozen=True)
class Curves:
    """`values[policy][metric]` is (S, C); uniform is always the first policy, and the seeds are 0 to S - 1."""

    setup: Setup
    metrics: tuple[Metric, ...]
    values: Mapping[str, Mapping[str, Floats]]

    @property
    def policies(self) -> tuple[str, ...]:
        return tuple(self.values)

    @property
    def seeds(self) -> int:
        return len(self.values[UNIFORM][self.metrics[0].name])

    def along(self, policy: str, metric: Metric) -> tuple[Estimate, ...]:
        """The mean over seeds at each count of labels, with its interval."""
        return tuple(mean(column_S) for column_S in self.values[policy][metric.name].T)

    def gaps(self, policy: str, metric: Metric) -> tuple[Estimate, ...]:
        """The policy less uniform at each count of labels, paired by seed."""
        gaps_S_C = self.values[policy][metric.name] - self.values[UNIFORM][metric.name]
        return tuple(mean(column_S) for column_S in gaps_S_C.T)

    def compared(self, metric: Metric, goals: Sequence[float] = (0.95, 0.99)) -> tuple[Compared, ...]:
        """Every policy but uniform against it, in the order given."""
        names = self.policies[1:]
        gains = {name: self._gap(name, metric, np.ndarray.mean) for name in names}
        adjusted = holm([_p(gains[name]) for name in names])
        return tuple(
            Compared(
                name,
                mean(gains[name]),
                mean(self._gap(name, metric, lambda values_S_C, axis: values_S_C[:, -1])),
                tuple(self._labels_to(name, metric, goal) for goal in goals),
                p,
                None if p > 0.05 else bool((gains[name].mean() > 0) == metric.higher_is_better),
            )
            for name, p in zip(names, adjusted, strict=True)
        )

    def _gap(self, policy: str, metric: Metric, figure: Callable[..., Floats]) -> Floats:
        """A figure of each seed's curve, the policy's less uniform's, (S,)."""
        ours, uniform = (figure(self.values[name][metric.name], axis=1) for name in (policy, UNIFORM))
        return np.asarray(ours - uniform)

    def _labels_to(self, policy: str, metric: Metric, goal: float) -> LabelsTo:
        ends_S = self.values[UNIFORM][metric.name][:, -1]
        sign = 1 if metric.higher_is_better else -1
        goal_S = np.array([np.delete(ends_S, seed).mean() for seed in range(len(ends_S))]) * goal**sign
        there = [
            sign * self.values[name][metric.name] >= sign * goal_S[:, None] for name in (policy, UNIFORM)
        ]
        ours_S, uniform_S = (self._first(there_S_C) for there_S_C in there)
        short = (int((~there[0].any(1)).sum()), int((~there[1].any(1)).sum()))
        return LabelsTo(goal, float(ours_S.mean()), float(uniform_S.mean()), mean(ours_S - uniform_S), short)

    def _first(self, there_S_C: NDArray[np.bool_]) -> Floats:
        """Labels at the first count that is there, one step past the last where none is."""
        counts = self.setup.counts
        past_C = np.array([*counts, counts[-1] + counts[1] - counts[0]], dtype=np.float64)
        return past_C[np.where(there_S_C.any(1), there_S_C.argmax(1), len(counts))]


def _p(gaps_S: Floats) -> float:
    """Two-sided paired t-test; gaps that are all alike are no chance: 1 where they are 0, else 0."""
    if np.ptp(gaps_S) == 0:
        return float(gaps_S[0] == 0)
    from scipy import stats

    return float(stats.ttest_1samp(gaps_S, 0.0).pvalue)
