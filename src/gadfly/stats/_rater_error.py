"""What one person's vote is worth: two error rates and how unsure they are, to be carried into a rate.

People err, and a rate of what people flagged is biased by it: with true rate p the votes' rate is
q = p(1 - miss) + (1 - p)·false_alarm, whence p = (q - false_alarm)/(1 - miss - false_alarm) (Rogan & Gladen 1978,
American Journal of Epidemiology 107:71). What is missing for that are the two errors, and they can be learnt from the
votes themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from gadfly.errors import InputError
from gadfly.stats._agreement import Rating, counted
from gadfly.stats._clusters import Floats

__all__ = ["RaterError", "rater_error", "yes_or_no"]

PRIOR_WRONG, PRIOR_RIGHT = 0.5, 2.0
"""Votes added to either error before counting: half a wrong one, two right ones. Keeps both off 0."""
MOST = 0.499
"""An error of a half or more would be a rater whose votes are better turned round."""
WIDEST = 0.5 / 12**0.5
"""Standard deviation of an error of which nothing is known but that it lies below a half."""
STEPS, SETTLED = 5_000, 1e-9
SYMMETRIC = (
    "Misses and false alarms are taken to be equally common, as these votes cannot tell them apart; gold items, "
    "a lead's decisions on conflicts or items rated three times can."
)


@dataclass(frozen=True, slots=True)
class RaterError:
    """The pooled error rates of a single vote, as `rater_error` estimates them.

    `miss` = P(says passes | fails) and `false_alarm` = P(says fails | passes), both in (0, 0.5);
    `covariance` is that of (miss, false_alarm), 2 x 2, in that order. `n_items` counts the items that told
    anything about the errors: rated twice or more, or of known truth. `assumption` says in words what had to
    be assumed to tell the two errors apart, empty when the data did so by themselves.
    """

    miss: float
    false_alarm: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    n_items: int
    assumption: str = ""

    def opposite_within(self, share: float) -> RaterError:
        """The errors of the same votes read the other way about and only within a known share W of the cases: what
        counts is a case in W that *passes*, as a false claim that its quotes show.

        Such votes come at the rate m = W miss + t (1 - miss - false_alarm) where the truth is t, so these two, put into
        (m - false_alarm) / (1 - miss - false_alarm), give t. Outside of W nobody errs. `share` in [0, 1].
        """
        turn = np.array([[1 - share, 1.0], [share, 0.0]])
        miss, false_alarm = (turn @ np.array([self.miss, self.false_alarm])).tolist()
        (a, b), (c, d) = (turn @ np.array(self.covariance) @ turn.T).tolist()
        return replace(self, miss=miss, false_alarm=false_alarm, covariance=((a, b), (c, d)))


def rater_error(
    ratings: Iterable[Rating],
    gold: Mapping[str, bool] | None = None,
    resolved: Mapping[str, bool] | None = None,
) -> RaterError | None:
    """The two errors of one vote by a rater of this pool; None when nothing was rated twice and nothing is known.

    The model is Dawid & Skene's (1979, Applied Statistics 28:20) with exchangeable raters: an item fails with
    probability π, and its votes are independent given the truth. Of an item with k votes "fails" and l "passes",

        P(k, l) = π (1-miss)^k miss^l + (1-π) false_alarm^k (1-false_alarm)^l.

    True in `gold` and `resolved` means fails. They are not the same thing. `gold` was chosen for its truth, so it
    tells of the votes given the truth and nothing of π: one of the two terms without its π. `resolved` are items of
    the queue whose truth a lead decided *because* of the votes; their term keeps its π, and as every other item is
    in the sum too, picking conflicts biases nothing (Little & Rubin's missing at random). An item in both is gold. A
    lead's own votes do not belong among the ratings.

    Which of the three numbers the data identify (Hui & Walter 1980, Biometrics 36:167): gold of both kinds both errors;
    three votes an item all three; two votes two of them, hence an assumption, unless some gold or a resolved conflict
    gives the third. The largest posterior under a weak prior (2.5 votes an error) by EM, both errors below a half.

    The covariance is the inverse of the observed information on the logit scale, taken back by the delta method. Over
    ten settings of known truth (benchmarks/raters.py: a tenth failing, 30 gold or a lead, errors of 2 to 15 %) the
    deviation it states is 2 % below to 27 % above the true one, and Rogan & Gladen's rate with it holds the truth in
    96 to 99 %. The bootstrap over items stated 6 to 23 % too little for the misses: a resample that drew no wrong vote
    on a failing gold item has no error to vary.
    """
    gold = gold or {}
    cells = _cells(yes_or_no(ratings), gold, resolved or {})
    informative = (cells.k + cells.l > 1) | (cells.kind != 0)
    n_items = int(cells.times[informative].sum())
    if not n_items:
        return None
    symmetric = not _tells_apart(cells)
    rates = _maximum(cells, symmetric)
    covariance = _covariance(rates, cells, symmetric)
    (a, b), (c, d) = covariance.tolist()
    said = ((a, b), (c, d))
    return RaterError(float(rates[0]), float(rates[1]), said, n_items, SYMMETRIC if symmetric else "")


def yes_or_no(ratings: Iterable[Rating]) -> dict[str, dict[str, bool]]:
    """item → rater → says fails, without "cannot tell"; a score that is neither 0 nor 1 is refused."""
    table: dict[str, dict[str, bool]] = {}
    for item, answers in counted(ratings).items():
        told = {rater: score for rater, score in answers.items() if score is not None}
        for rater, score in told.items():
            if score not in (0.0, 1.0):
                raise InputError(
                    f"{rater!r} rated item {item!r} {score}; errors are estimated from fails (1) and passes (0)."
                )
        if told:
            table[item] = {rater: score == 1.0 for rater, score in told.items()}
    return table


@dataclass(frozen=True, slots=True)
class _Cells:
    """C kinds of items, each array (C,): votes fails and passes, how many items, and what is known of the truth.

    `kind` 0 unknown, 1 resolved fails, 2 resolved passes, 3 gold fails, 4 gold passes.
    """

    k: Floats
    l: Floats  # noqa: E741 - the docstring's formula
    kind: Floats
    times: Floats

    @property
    def drawn(self) -> Floats:
        """Items that tell of the prevalence: all but gold."""
        return np.where(self.kind < 3, self.times, 0.0)


def _cells(
    votes: Mapping[str, Mapping[str, bool]], gold: Mapping[str, bool], resolved: Mapping[str, bool]
) -> _Cells:
    tally: Counter[tuple[int, int, int]] = Counter()
    for item, answers in votes.items():
        fails = sum(answers.values())
        kind = 0
        if item in gold:
            kind = 3 if gold[item] else 4
        elif item in resolved:
            kind = 1 if resolved[item] else 2
        tally[fails, len(answers) - fails, kind] += 1
    rows = np.array([(*cell, times) for cell, times in sorted(tally.items())], dtype=np.float64).reshape(
        -1, 4
    )
    return _Cells(*rows.T)


def _tells_apart(cells: _Cells) -> bool:
    """Whether the data tell misses from false alarms: see `rater_error` on identification."""
    votes = cells.k + cells.l
    known_fails, known_passes = np.isin(cells.kind, (1, 3)), np.isin(cells.kind, (2, 4))
    doubled = bool((votes[cells.kind < 3] > 1).any())
    if doubled and (known_fails.any() or known_passes.any()):
        return True
    return bool((votes > 2).any() or (known_fails.any() and known_passes.any()))


def _logs(rates: Floats, cells: _Cells) -> tuple[Floats, Floats]:
    """Log probability of each cell's votes together with failing, and with passing; -inf where the truth says no."""
    miss, alarm, prevalence = rates
    fails = cells.k * np.log1p(-miss) + cells.l * np.log(miss)
    passes = cells.k * np.log(alarm) + cells.l * np.log1p(-alarm)
    fails = fails + np.where(cells.kind < 3, np.log(prevalence), 0.0)
    passes = passes + np.where(cells.kind < 3, np.log1p(-prevalence), 0.0)
    known_fails, known_passes = np.isin(cells.kind, (1, 3)), np.isin(cells.kind, (2, 4))
    return np.where(known_passes, -np.inf, fails), np.where(known_fails, -np.inf, passes)


def _maximum(cells: _Cells, symmetric: bool) -> Floats:
    """(miss, false_alarm, prevalence) by EM, (3,)."""
    rates = np.array([0.1, 0.1, 0.3])
    for _ in range(STEPS):
        fails, passes = _logs(rates, cells)
        failing = cells.times * np.exp(fails - np.logaddexp(fails, passes))
        passing = cells.times - failing
        wrong = np.array([failing @ cells.l, passing @ cells.k]) + PRIOR_WRONG
        cast = np.array([failing @ (cells.k + cells.l), passing @ (cells.k + cells.l)])
        cast += PRIOR_WRONG + PRIOR_RIGHT
        errors = np.full(2, wrong.sum() / cast.sum()) if symmetric else wrong / cast
        drawn = cells.drawn
        prevalence = (drawn @ (failing / cells.times) + 0.5) / (drawn.sum() + 1.0)
        before, rates = rates, np.array([*np.minimum(errors, MOST), prevalence])
        if np.abs(rates - before).max() < SETTLED:
            break
    return rates


def _log_posterior(rates: Floats, cells: _Cells) -> float:
    errors, prevalence = rates[:2], rates[2]
    prior = PRIOR_WRONG * np.log(errors).sum() + PRIOR_RIGHT * np.log1p(-errors).sum()
    prior += 0.5 * np.log(prevalence) + 0.5 * np.log1p(-prevalence)
    return float(cells.times @ np.logaddexp(*_logs(rates, cells)) + prior)


def _covariance(rates: Floats, cells: _Cells, symmetric: bool) -> Floats:
    """Of (miss, false_alarm), (2, 2): from second differences of the log posterior in the free logits."""
    spread = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]) if symmetric else np.eye(3)
    start = special.logit(rates)[[0, 2]] if symmetric else special.logit(rates)
    free, step = len(start), 1e-3

    def value(*moves: int) -> float:
        logits = start.copy()
        for move in moves:
            logits[abs(move) - 1] += np.sign(move) * step
        return _log_posterior(special.expit(spread @ logits), cells)

    information = np.zeros((free, free))
    for i in range(1, free + 1):
        for j in range(1, free + 1):
            information[i - 1, j - 1] = value(i, -j) + value(-i, j) - value(i, j) - value(-i, -j)
    information /= 4 * step * step
    slopes = (spread * (rates * (1 - rates))[:, None])[:2]
    if np.linalg.eigvalsh(information)[0] <= 1e-9:
        covariance = np.eye(2) * WIDEST**2
    else:
        covariance = slopes @ np.linalg.inv(information) @ slopes.T
    shrink = np.minimum(1.0, WIDEST / np.sqrt(np.diag(covariance)))
    return np.asarray(covariance * np.outer(shrink, shrink), dtype=np.float64)
