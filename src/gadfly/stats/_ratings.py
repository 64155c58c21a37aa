"""How good each player is, from matches of two: Bradley-Terry ratings on Elo's scale, with intervals.

The expected score of the player in the first seat is σ((rating of the first - rating of the second + side)/173.7):
Bradley & Terry (1952, Biometrika 39:324) with the advantage of the first seat that Davidson & Beaver (1977, Biometrics
33:693) add. A difference of 400 is odds of ten to one.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from gadfly.errors import InputError
from gadfly.stats._clusters import Floats, group
from gadfly.stats._estimate import Estimate
from gadfly.stats._logistic import logistic
from gadfly.stats._profile import profile
from gadfly.stats._rate import check_level, known

__all__ = ["Match", "Rated", "Ratings", "ratings"]

ELO = 400 / math.log(10)
"""Points of rating in one unit of log-odds."""


@dataclass(frozen=True, slots=True)
class Match:
    """A match of two players and what the one in the first seat scored: 1 won, 0 lost, ½ a tie.

    Anything between is a share of the win, such as a judge's probability; None is a match that nobody could judge.
    `cluster` names what it shares with others (the question it was about); None: it shares nothing.
    """

    first: str
    second: str
    score: float | None
    cluster: Hashable = None


@dataclass(frozen=True, slots=True)
class Rated:
    """A player with a rating in points, and how many matches with a score it rests on."""

    name: str
    rating: Estimate
    matches: int


@dataclass(frozen=True, slots=True)
class Ratings:
    """`players`, the best first, equal ones by name; `side` is what the first seat is worth in points, None where it
    was not asked for. `differences` holds the rating of a player minus that of each placed lower.
    """

    players: tuple[Rated, ...]
    side: Estimate | None
    differences: Mapping[tuple[str, str], Estimate]

    def difference(self, one: str, other: str) -> Estimate:
        """The rating of `one` minus that of `other`; the interval is the pair's own, not the sum of two."""
        found = self.differences.get((one, other))
        if found is not None:
            return found
        turned = self.differences.get((other, one))
        if turned is None or turned.point is None:
            raise InputError(f"{one!r} and {other!r} are not two of the rated players; choose among them.")
        return replace(turned, point=-turned.point, low=-turned.high, high=-turned.low)


def ratings(
    matches: Iterable[Match], *, side: bool = True, anchor: str | None = None, level: float = 0.95
) -> Ratings:
    """Ratings in points of Elo, whose mean is 0, or in which `anchor` has 0.

    Scores count as they are: a tie is half a win (Davidson's 1970 separate probability of ties would leave no place for
    a judge's 0.7), and the errors assume no distribution of them. Matches that share a cluster are not independent:
    the intervals are over questions like these, see `_logistic`, and to repeat every match changes none of them.
    Jeffreys' prior, which weighs about as much as one drawn match for each player, keeps those who won or lost all
    finite; their intervals reach far on that side and, on the other, as near as so many wins as there were questions
    allow, see `_profile`. With `side` the advantage of the first seat is estimated and taken out; without it there is
    taken to be none.

    No matches with a score give no players. Raises `InputError` for a player against itself; for players who never
    met, not even through others, between whom no difference is known; for an anchor that did not play; where seats
    never changed enough to tell the side from the players; and for scores outside [0, 1].
    """
    check_level(level)
    listed = list(matches)
    scores_N, kept = known([one.score for one in listed])
    played = [listed[i] for i in kept]
    if not played:
        return Ratings((), None, {})
    names = sorted({name for one in played for name in (one.first, one.second)})
    _check(played, names, anchor)
    seats_N_P = _seats(played, names)
    design_N_P = np.hstack([seats_N_P[:, 1:], np.ones((len(played), 1))]) if side else seats_N_P[:, 1:]
    if np.linalg.matrix_rank(design_N_P) < design_N_P.shape[1]:
        raise InputError(
            "Seats never changed, so the side cannot be told from the players: swap seats, or side=False."
        )
    data = group(
        scores_N, [("alone", i) if one.cluster is None else one.cluster for i, one in enumerate(played)]
    )
    found = profile(logistic(design_N_P, scores_N, data.labels), _wanted(names, anchor, side), level)
    estimates = [
        Estimate(ELO * point, ELO * low, ELO * high, data.n, data.clusters, len(listed) - data.n, level)
        for point, low, high in found.ends()
    ]
    return _named(names, estimates, np.abs(seats_N_P).sum(0), side)


def _check(played: Sequence[Match], names: Sequence[str], anchor: str | None) -> None:
    """Nobody plays itself, all are joined by matches, and the anchor is among them."""
    groups = {name: {name} for name in names}
    for one in played:
        if one.first == one.second:
            raise InputError(f"{one.first!r} cannot play itself; give a match two players.")
        if groups[one.first] is not groups[one.second]:
            joined = groups[one.first] | groups[one.second]
            groups.update(dict.fromkeys(joined, joined))
    if len(groups[names[0]]) < len(names):
        apart = sorted(set(names) - groups[names[0]])[0]
        raise InputError(
            f"{names[0]!r} and {apart!r} never met, not even through others; play a match between them."
        )
    if anchor is not None and anchor not in groups:
        raise InputError(f"The anchor {anchor!r} played no match; name one of: {', '.join(names)}.")


def _seats(played: Sequence[Match], names: Sequence[str]) -> Floats:
    """(N, players): 1 for the player in the first seat, -1 for the one in the second."""
    place = {name: i for i, name in enumerate(names)}
    seats_N_P = np.zeros((len(played), len(names)))
    for row, one in zip(seats_N_P, played, strict=True):
        row[place[one.first]], row[place[one.second]] = 1.0, -1.0
    return seats_N_P


def _wanted(names: Sequence[str], anchor: str | None, side: bool) -> Floats:
    """Every rating, every difference of a pair, and the side, as sums of coefficients: the first player's is 0."""
    players_C_P = np.vstack([np.zeros(len(names) - 1), np.eye(len(names) - 1)])
    zero_P = players_C_P.mean(0) if anchor is None else players_C_P[names.index(anchor)]
    pairs = np.array([players_C_P[i] - players_C_P[j] for i, j in combinations(range(len(names)), 2)])
    wanted_C_P = np.vstack([players_C_P - zero_P, pairs])
    if not side:
        return wanted_C_P
    side_P = np.append(np.zeros(len(names) - 1), 1.0)
    return np.vstack([np.pad(wanted_C_P, ((0, 0), (0, 1))), side_P])


def _named(names: Sequence[str], estimates: Sequence[Estimate], counts_P: Floats, side: bool) -> Ratings:
    """The estimates of `_wanted`, in its order, under their names."""
    rated = [Rated(*one) for one in zip(names, estimates, map(int, counts_P), strict=False)]
    pairs = dict(zip(combinations(names, 2), estimates[len(names) :], strict=False))
    best = sorted(rated, key=lambda one: (-(one.rating.point or 0.0), one.name))
    every = Ratings(tuple(best), estimates[-1] if side else None, pairs)
    order = combinations([one.name for one in best], 2)
    return Ratings(every.players, every.side, {pair: every.difference(*pair) for pair in order})
