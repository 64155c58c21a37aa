"""Playing the sparse-pixel debate: positions in bulk, players, and the value of the game under optimal play.

The judge reads the set of revealed pixels alone, so a position is that set and whose turn it is, and backward induction
over sets is exact: about 1.2 million final sets an image at six pixels, where sequences would be 720 times as many. A
tie between the claims goes to the liar: the judge was not convinced.

Axes: G games, P pixels, S sets of one size, L labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gadfly.debate._digits import Bools, Floats, Images, Ints, PixelJudge, check_pixels

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
Side = int
"""HONEST or LIAR."""


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
    def free(self) -> Bools:
        """The pixels that can be revealed: nonzero, and not yet."""
        return (self.values_G_P > 0) & ~self.revealed_G_P

    def turned(self) -> Positions:
        """The same, as the other debater sees it."""
        return replace(self, mine_G=self.theirs_G, theirs_G=self.mine_G)


class PixelPlayer(Protocol):
    """A debater. It plays for its claim, and is not told whether the claim is true."""

    def choose(self, positions: Positions, rng: np.random.Generator) -> Ints:
        """(G,): a free pixel of each game."""
        ...


class RandomPlayer:
    """Reveals a free pixel at random: a debater before it has learnt anything."""

    def choose(self, positions: Positions, rng: np.random.Generator) -> Ints:
        order_G_P = rng.random(positions.values_G_P.shape, dtype=np.float32) + positions.free
        return np.asarray(order_G_P.argmax(axis=1))


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
    """The games of some images: the true label against each wrong one in turn, or one drawn at random; in both orders.

    An image's games follow each other, the honest debater's first move before the liar's.
    """
    wrong_N_9 = np.array([np.delete(np.arange(10), label) for label in data.labels_N]).reshape(-1, 9)
    if claims == "random":
        wrong_N_9 = rng.permuted(wrong_N_9, axis=1)[:, :1]
    each = wrong_N_9.shape[1] * 2
    claims_G_2 = np.stack([np.repeat(data.labels_N, each), np.repeat(wrong_N_9.ravel(), 2)], axis=1)
    first_G = np.tile(np.array([HONEST, LIAR]), len(wrong_N_9) * each // 2)
    return PixelGame(np.repeat(data.values_N_P, each, axis=0), claims_G_2, first_G)


def play(
    games: PixelGame, judge: PixelJudge, players: tuple[PixelPlayer, PixelPlayer], rng: np.random.Generator
) -> Bools:
    """(G,): whether the honest debater wins. `players` are the honest one, then the liar."""
    check_pixels(games.values_G_P, judge.k)
    revealed_G_P = np.zeros(games.values_G_P.shape, dtype=np.bool_)
    for turn in range(judge.k):
        for side in (HONEST, LIAR):
            moving = np.flatnonzero((games.first_G + turn) % 2 == side)
            seen = games[moving].position(revealed_G_P[moving], side, judge.k - turn)
            revealed_G_P[moving, players[side].choose(seen, rng)] = True
    return _won(judge, games, revealed_G_P)


def _won(judge: PixelJudge, games: PixelGame, revealed_G_P: Bools) -> Bools:
    scores_G_L = judge.scores(games.values_G_P, revealed_G_P)
    claimed_G_2 = np.take_along_axis(scores_G_L, games.claims_G_2, axis=1)
    return np.asarray(claimed_G_2[:, HONEST] > claimed_G_2[:, LIAR])


@dataclass(frozen=True, slots=True)
class OptimalPlay:
    """What becomes of one image when both debaters play optimally, exactly.

    Row 0: the honest debater moves first; row 1: the liar does.

    `wins_2_L` is whether the honest debater wins against each wrong claim, true at the true label itself.
    `uncommitted_2` is whether it wins where the liar makes no claim: where the judge must score the true label above
    every other. `random_L` and `random_uncommitted` are the shares of all sets of k pixels that would have won.
    """

    wins_2_L: Bools
    uncommitted_2: Bools
    random_L: Floats
    random_uncommitted: float


def optimal(judge: PixelJudge, values_P: Floats, label: int) -> OptimalPlay:
    """The game's value on one image, against every wrong claim at once, by backward induction over sets of pixels.

    Each final set is one word whose bit l says that label l is scored below the true one; a mover of the honest side
    takes the union over its moves and the liar the intersection. So all claims cost one pass.
    """
    check_pixels(values_P[None], judge.k)
    scores_S_L = judge.every_score(values_P)
    L = scores_S_L.shape[1]
    beaten_S_L = scores_S_L < scores_S_L[:, [label]]
    beaten_S_L[:, label] = True
    random_L = beaten_S_L.mean(axis=0, dtype=np.float64).astype(np.float32)
    all_beaten_S = beaten_S_L.all(axis=1)
    bits_S = beaten_S_L @ (1 << np.arange(L)) | all_beaten_S.astype(np.int64) << L
    n, words_S = int((values_P > 0).sum()), bits_S.astype(np.uint16)
    bits_2 = [_induction(words_S, n, judge.k, first) for first in (HONEST, LIAR)]
    won_2_L = np.array(bits_2)[:, None] >> np.arange(L + 1) & 1 > 0
    return OptimalPlay(won_2_L[:, :L], won_2_L[:, L], random_L, float(all_beaten_S.mean()))


def _induction(leaves_S: NDArray[np.uint16], n: int, k: int, first: Side) -> int:
    """The word at the empty set, from those of all sets of k of n pixels in colexicographic order."""
    children, words_S = _children(n, k), leaves_S
    for turn in reversed(range(k)):
        choice = np.bitwise_or if (first + turn) % 2 == HONEST else np.bitwise_and
        words_S = choice.reduce(words_S[children[turn]], axis=1)
    return int(words_S[0])


@lru_cache(maxsize=2)
def _children(n: int, k: int) -> list[NDArray[np.int32]]:
    """For each size s below k, (S, n - s): where each set with one more member stands among the sets of size s + 1.

    A set is its largest member m and a set of the first m. Adding p < m gives m and the smaller set's child, adding
    p > m gives p and the set itself; and the sets with largest member m start at row comb(m, size).
    """
    tables = [np.arange(n, dtype=np.int32)[None]]
    for size in range(1, k):
        table, at = np.empty((comb(n, size), n - size), dtype=np.int32), 0
        for m in range(size - 1, n):
            count, below = comb(m, size - 1), m - size + 1
            rows = table[at : at + count]
            rows[:, :below] = tables[-1][:count, :below] + comb(m, size + 1)
            above = np.array([comb(p, size + 1) for p in range(m + 1, n)], dtype=np.int32)
            rows[:, below:] = np.arange(at, at + count, dtype=np.int32)[:, None] + above
            at += count
        tables.append(table)
    return tables


def guaranteed(judge: PixelJudge, games: PixelGame, player: PixelPlayer, side: Side) -> Bools:
    """(G,): whether the honest debater wins when `player` sits on one side and the other answers it as well as can be.

    For the honest side it is what the player makes sure of, at most the game's value; for the liar's, what it cannot
    prevent, at least the value. Exact for a player that makes no use of chance: all answers to it are tried.
    """
    check_pixels(games.values_G_P, judge.k)
    nothing_1_P = np.zeros((1, games.values_G_P.shape[1]), dtype=np.bool_)
    every = (_Answers(judge, games[one : one + 1], player, side) for one in range(len(games)))
    return np.array([answers.won(nothing_1_P)[0] for answers in every], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class _Answers:
    """One game of a player against everything that can be answered."""

    judge: PixelJudge
    game: PixelGame
    player: PixelPlayer
    side: Side

    def won(self, revealed_S_P: Bools) -> Bools:
        """(S,): whether the honest debater wins from each of these sets of one size."""
        turn, count = int(revealed_S_P[0].sum()), len(revealed_S_P)
        games = self.game[np.zeros(count, dtype=np.intp)]
        if turn == self.judge.k:
            return _won(self.judge, games, revealed_S_P)
        mover = (int(self.game.first_G[0]) + turn) % 2
        seen = games.position(revealed_S_P, mover, self.judge.k - turn)
        if mover == self.side:
            chosen_S = self.player.choose(seen, np.random.default_rng(0))
            return self.won(added(revealed_S_P, np.arange(count), chosen_S))
        rows, pixels = np.nonzero(seen.free)
        after, back = np.unique(added(revealed_S_P, rows, pixels), axis=0, return_inverse=True)
        won_S_A = self.won(after)[back.ravel()].reshape(count, -1)
        return np.asarray(won_S_A.any(axis=1) if mover == HONEST else won_S_A.all(axis=1))


def added(revealed_S_P: Bools, rows: Ints, pixels: Ints) -> Bools:
    """The sets in these rows, each with one more pixel."""
    after = revealed_S_P[rows]
    after[np.arange(len(rows)), pixels] = True
    return after
