"""Playing the sparse-pixel debate: positions in bulk, players, and the value of the game under optimal play.

The judge reads the set of revealed pixels alone, so a position is that set and whose turn it is. Backward induction over
sets is therefore exact: 1.2 million final sets an image at six pixels of some 34, where sequences would be 720 times as
many. A tie between the claims goes to the liar: the judge was not convinced.

Axes: G games, P pixels, S sets of one size, L labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Literal, Protocol

import numpy as np

from gadfly.debate._digits import Bools, Floats, Images, Ints, PixelJudge, check_pixels, subsets

__all__ = [
    "HONEST",
    "LIAR",
    "OptimalPlay",
    "PixelGame",
    "PixelPlayer",
    "Positions",
    "RandomPlayer",
    "guaranteed",
    "optimal",
    "pairings",
    "play",
]

HONEST, LIAR = 0, 1
Side = Literal[0, 1]


@dataclass(frozen=True, slots=True)
class Positions:
    """What the debater to move sees in each of G games: the whole image, what is revealed, and both claims."""

    values_G_P: Floats
    revealed_G_P: Bools
    mine_G: Ints
    theirs_G: Ints
    left: int
    """How many pixels are still to be revealed, the mover's own next one included."""

    @property
    def free_G_P(self) -> Bools:
        """The pixels that can be revealed: nonzero, and not yet."""
        return (self.values_G_P > 0) & ~self.revealed_G_P


class PixelPlayer(Protocol):
    """A debater. It plays for its claim, and is not told whether the claim is true."""

    def choose(self, positions: Positions, rng: np.random.Generator) -> Ints:
        """(G,): a free pixel of each game."""
        ...


class RandomPlayer:
    """Reveals a free pixel at random: a debater before it has learnt anything."""

    def choose(self, positions: Positions, rng: np.random.Generator) -> Ints:
        order_G_P = rng.random(positions.values_G_P.shape, dtype=np.float32) + positions.free_G_P
        return np.argmax(order_G_P, axis=1)


@dataclass(frozen=True, slots=True)
class PixelGame:
    """G games to be played: an image, the two claims and who moves first. `claims_G_2` holds the honest one first."""

    values_G_P: Floats
    claims_G_2: Ints
    first_G: Ints
    """HONEST or LIAR."""

    def __len__(self) -> int:
        return len(self.first_G)

    def __getitem__(self, rows: Ints | Bools | slice) -> PixelGame:
        return PixelGame(self.values_G_P[rows], self.claims_G_2[rows], self.first_G[rows])

    def position(self, revealed_G_P: Bools, side: Side, left: int) -> Positions:
        """What the debater of one side sees in all of them."""
        claims = self.claims_G_2
        return Positions(self.values_G_P, revealed_G_P, claims[:, side], claims[:, 1 - side], left)


def pairings(data: Images, claims: Literal["every", "random"], rng: np.random.Generator) -> PixelGame:
    """The games of some images: each wrong label in turn against the true one, or one drawn at random; both orders of each.

    An image's games follow each other, the honest debater's first move before the liar's.
    """
    wrong_N_9 = np.array([[label for label in range(10) if label != true] for true in data.labels_N]).reshape(-1, 9)
    if claims == "random":
        wrong_N_9 = rng.permuted(wrong_N_9, axis=1)[:, :1]
    each = wrong_N_9.shape[1] * 2
    claims_G_2 = np.stack([np.repeat(data.labels_N, each), np.repeat(wrong_N_9.ravel(), 2)], axis=1)
    first_G = np.tile(np.array([HONEST, LIAR]), len(wrong_N_9) * each // 2)
    return PixelGame(np.repeat(data.values_N_P, each, axis=0), claims_G_2, first_G)


def play(
    games: PixelGame, judge: PixelJudge, k: int, players: tuple[PixelPlayer, PixelPlayer], rng: np.random.Generator
) -> Bools:
    """(G,): whether the honest debater wins. `players` are the honest one, then the liar."""
    check_pixels(games.values_G_P, k)
    revealed_G_P = np.zeros(games.values_G_P.shape, dtype=np.bool_)
    for turn in range(k):
        for side in (HONEST, LIAR):
            moving = np.flatnonzero((games.first_G + turn) % 2 == side)
            seen = games[moving].position(revealed_G_P[moving], side, k - turn)
            revealed_G_P[moving, players[side].choose(seen, rng)] = True
    return _won(judge, games, revealed_G_P)


def _won(judge: PixelJudge, games: PixelGame, revealed_G_P: Bools) -> Bools:
    scores_G_L = judge.scores(games.values_G_P, revealed_G_P)
    claimed_G_2 = np.take_along_axis(scores_G_L, games.claims_G_2, axis=1)
    return np.asarray(claimed_G_2[:, HONEST] > claimed_G_2[:, LIAR])


@dataclass(frozen=True, slots=True)
class OptimalPlay:
    """What becomes of one image when both debaters play optimally, exactly. Row 0: the honest one moves first; 1: the liar.

    `wins_2_L` is whether the honest debater wins against each wrong claim, true at the true label itself.
    `uncommitted_2` is whether it wins where the liar makes no claim: where the judge must score the true label above
    every other. `random_L` and `random_uncommitted` are the shares of all sets of k pixels that would have won.
    """

    wins_2_L: Bools
    uncommitted_2: Bools
    random_L: Floats
    random_uncommitted: float


def optimal(judge: PixelJudge, values_P: Floats, label: int, k: int) -> OptimalPlay:
    """The game's value on one image, against every wrong claim at once, by backward induction over sets of pixels.

    Each final set is one word whose bit l says that label l is scored below the true one; a mover of the honest side
    takes the union over its moves and the liar the intersection. So all claims cost one pass.
    """
    check_pixels(values_P[None], k)
    scores_S_L = judge.every_score(values_P, k)
    L = scores_S_L.shape[1]
    beaten_S_L = scores_S_L < scores_S_L[:, [label]]
    beaten_S_L[:, label] = True
    random_L = beaten_S_L.mean(axis=0, dtype=np.float64).astype(np.float32)
    all_beaten_S = beaten_S_L.all(axis=1)
    bits_S = beaten_S_L @ (1 << np.arange(L)) | all_beaten_S.astype(np.int64) << L
    n, bits_2 = int((values_P > 0).sum()), []
    for first in (HONEST, LIAR):
        bits_2.append(_induction(bits_S.astype(np.uint16), n, k, first))
    won_2_L = np.array(bits_2)[:, None] >> np.arange(L + 1) & 1 > 0
    return OptimalPlay(won_2_L[:, :L], won_2_L[:, L], random_L, float(all_beaten_S.mean()))
