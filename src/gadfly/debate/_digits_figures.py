"""What debate is worth on digits: the judge alone, random debaters, optimal ones and learned ones, on held-out images.

Every figure is the rate at which the judge ends with the truth. The games of one image, against several wrong claims
and in both orders, are one cluster.

Axes: N images, O orders (the honest debater moves first, the liar does), W wrong labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gadfly.debate._digits import Bools, Floats, Images, PixelJudge
from gadfly.debate._digits_play import (
    HONEST,
    LIAR,
    OptimalPlay,
    PixelPlayer,
    RandomPlayer,
    guaranteed,
    optimal,
    pairings,
    play,
)
from gadfly.stats import Estimate, paired_difference, rate

__all__ = ["PixelFigures", "learned_figures", "optimal_figures", "optimal_plays"]

Verdicts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PixelFigures:
    """Rates by who plays, and paired differences between them over the same games."""

    rates: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]


def optimal_plays(
    judge: PixelJudge, data: Images, on_image: Callable[[int], None] = lambda done: None
) -> list[OptimalPlay]:
    """The exact outcome of optimal play on each image: a second or so an image at six pixels, 50 ms at four."""
    plays = []
    with threadpool_limits(1):  # for matrices this small more threads cost more than they give
        for done, (values_P, label) in enumerate(zip(data.values_N_P, data.labels_N, strict=True), start=1):
            plays.append(optimal(judge, values_P, int(label)))
            on_image(done)
    return plays


def optimal_figures(data: Images, plays: list[OptimalPlay]) -> PixelFigures:
    """The judge alone, random debaters, and the value of the game.

    *judge alone*: it names one of ten labels from k random nonzero pixels. *random debaters*: it decides between the
    true label and a wrong one from as many. Both are shares of all sets of an image's pixels, so no luck of a draw is
    in them. *optimal*: the value of the game, the mean over the nine wrong claims; *worst claim*: the liar claims what
    it does best with, as optimal debaters play or as random ones do; *uncommitted*: it claims nothing, and wins
    wherever the judge would not name the true label.
    """
    value_N_O_W, chance_N_1_W = _against_wrong(data, plays)
    alone_N_1 = np.array([[one.random_uncommitted] for one in plays])
    worst_N_O, unluckiest_N_1 = value_N_O_W.min(axis=2), chance_N_1_W.min(axis=2)
    uncommitted_N_O = np.array([one.uncommitted_2 for one in plays], dtype=np.float64)
    return PixelFigures(
        {
            "judge alone": _rate(alone_N_1),
            "random debaters": _rate(chance_N_1_W),
            "random debaters, worst claim": _rate(unluckiest_N_1),
            "optimal": _rate(value_N_O_W),
            "optimal, honest first": _rate(value_N_O_W[:, HONEST]),
            "optimal, liar first": _rate(value_N_O_W[:, LIAR]),
            "optimal, worst claim": _rate(worst_N_O),
            "optimal, uncommitted": _rate(uncommitted_N_O),
        },
        {
            "optimal less random debaters": _difference(value_N_O_W, chance_N_1_W),
            "optimal less random debaters, worst claim": _difference(worst_N_O, unluckiest_N_1),
            "optimal, honest first less liar first": _difference(
                value_N_O_W[:, HONEST], value_N_O_W[:, LIAR]
            ),
            "worst claim less judge alone": _difference(worst_N_O, alone_N_1),
            "uncommitted less judge alone": _difference(uncommitted_N_O, alone_N_1),
        },
    )


def learned_figures(
    judge: PixelJudge,
    data: Images,
    plays: list[OptimalPlay],
    player: PixelPlayer,
    answered: int,
    *,
    seed: int = 0,
) -> PixelFigures:
    """A debater that learnt, in both chairs, against itself, a random one and, on `answered` images, the best answers.

    Each image is played against all nine wrong claims in both orders, but for the best answers, which are against one
    claim drawn at random. *decided as optimal*: how often the learned debaters end where optimal ones would. The regret
    of a chair is what the learned debater in it loses, against best answers, by not playing optimally.
    """
    rng, chance = np.random.default_rng(seed), RandomPlayer()
    value_N_O_W, chance_N_1_W = _against_wrong(data, plays)
    every = pairings(data, "every", rng)

    def met(honest: PixelPlayer, liar: PixelPlayer) -> Verdicts:
        won_N_W_O = play(every, judge, (honest, liar), rng).reshape(len(data), -1, 2)
        return won_N_W_O.transpose(0, 2, 1).astype(np.float64)

    both, honest, liar = met(player, player), met(player, chance), met(chance, player)
    best = _best_answers(judge, data[:answered], plays, player, rng)
    return PixelFigures(
        {
            "learned against learned": _rate(both),
            "learned honest, random liar": _rate(honest),
            "random honest, learned liar": _rate(liar),
            "decided as optimal": _rate((both == value_N_O_W).astype(np.float64)),
            "learned honest, best liar": _rate(best[HONEST]),
            "best honest, learned liar": _rate(best[LIAR]),
            "optimal on the same": _rate(best[2]),
        },
        {
            "learned against learned less optimal": _difference(both, value_N_O_W),
            "learned against learned less random debaters": _difference(both, chance_N_1_W),
            "honest: learned less random, random liar": _difference(honest, chance_N_1_W),
            "liar: random less learned, random honest": _difference(chance_N_1_W, liar),
            "honest: learned less random, learned liar": _difference(both, liar),
            "liar: random less learned, learned honest": _difference(honest, both),
            "regret of the honest": _difference(best[2], best[HONEST]),
            "regret of the liar": _difference(best[LIAR], best[2]),
        },
    )


def _against_wrong(data: Images, plays: list[OptimalPlay]) -> tuple[Verdicts, Verdicts]:
    """(N, O, W) values of the game and (N, 1, W) shares of the sets of pixels, wrong labels in ascending order."""
    value: list[Bools] = []
    chance: list[Floats] = []
    for one, label in zip(plays, data.labels_N, strict=True):
        wrong = np.arange(len(one.random_L)) != label
        value.append(one.wins_2_L[:, wrong])
        chance.append(one.random_L[None, wrong])
    return np.array(value, dtype=np.float64), np.array(chance, dtype=np.float64)


def _best_answers(
    judge: PixelJudge, data: Images, plays: list[OptimalPlay], player: PixelPlayer, rng: np.random.Generator
) -> tuple[Verdicts, Verdicts, Verdicts]:
    """(N, O) each: the player as the honest debater against best answers, as the liar, and the value of those games."""
    games = pairings(data, "random", rng)
    wrong_N = games.claims_G_2[::2, LIAR]
    value_N_O = np.array([one.wins_2_L[:, claim] for one, claim in zip(plays, wrong_N, strict=False)])
    with threadpool_limits(1):
        honest, liar = (guaranteed(judge, games, player, side).reshape(-1, 2) for side in (HONEST, LIAR))
    return honest.astype(np.float64), liar.astype(np.float64), value_N_O.astype(np.float64)


def _rate(verdicts_N_X: Verdicts) -> Estimate:
    return rate(verdicts_N_X.ravel().tolist(), _clusters(verdicts_N_X))


def _difference(a_N_X: Verdicts, b_N_X: Verdicts) -> Estimate:
    a, b = np.broadcast_arrays(a_N_X, b_N_X)
    return paired_difference(a.ravel().tolist(), b.ravel().tolist(), _clusters(a))


def _clusters(verdicts_N_X: Verdicts) -> list[int]:
    """Which image each of the flattened verdicts is of."""
    each = verdicts_N_X[0].size if len(verdicts_N_X) else 0
    return [image for image in range(len(verdicts_N_X)) for _ in range(each)]
