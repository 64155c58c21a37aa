"""Debaters of the sparse-pixel game who learn by playing against themselves: fitted value iteration.

A debater has one network for each number of revealed pixels: the probability that the judge would prefer the claim of
whoever has just revealed the last of them. It reveals the pixel of the highest. Each round plays games of both claims
with the networks as they are and some moves at random; then the networks learn, the last first: of full sets how the
judge decided, of smaller ones what the opponent's best answer leaves, by the network just fitted. Neither the game's
value nor which claim is true enters.

Axes: G games, P pixels, L labels, F features, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from gadfly.debate._digits import Floats, Images, Ints, PixelJudge
from gadfly.debate._digits_play import PixelGame, Positions, RandomPlayer, added, pairings

if TYPE_CHECKING:
    from sklearn.neural_network import MLPRegressor

__all__ = ["LearnedPlayer", "SelfPlay", "ValueNetwork", "learn"]

_LABELS = 10
_BLOCK = 512  # games at once, so that their hidden units stay in a processor's cache


@dataclass(frozen=True, slots=True)
class SelfPlay:
    """How much is played. `explore` is the share of moves at random, `passes` how often a game is learnt from."""

    rounds: int = 60
    games: int = 4000
    explore: float = 0.3
    passes: int = 2
    hidden: tuple[int, ...] = (256,)


USUAL = SelfPlay()


@dataclass(frozen=True, slots=True)
class ValueNetwork:
    """Layers of (weights, biases), rectified between. The last gives a win probability, unclipped."""

    layers: tuple[tuple[Floats, Floats], ...]

    def worth(self, positions: Positions) -> Floats:
        """(G, P): what revealing each pixel is worth to the debater to move, minus infinity where that cannot be.

        A further pixel adds its own rows to the first layer's sum, so that layer is computed once for a position.
        """
        (weights_F_H, bias_H), *rest = self.layers
        values_G_P, P = positions.values_G_P, positions.values_G_P.shape[1]
        before_G_H, free_G_P = _features(positions) @ weights_F_H + bias_H, positions.free
        worth_G_P = np.full(values_G_P.shape, -np.inf, dtype=np.float32)
        for start in range(0, len(values_G_P), _BLOCK):
            for p in range(P):
                rows = start + np.flatnonzero(free_G_P[start : start + _BLOCK, p])
                units = values_G_P[rows, p][:, None] * weights_F_H[P + p]
                units += weights_F_H[2 * P + p]
                units += before_G_H[rows]
                for weights, bias in rest:
                    units = np.maximum(units, 0, out=units) @ weights + bias
                worth_G_P[rows, p] = units[:, 0]
        return worth_G_P


def _features(positions: Positions) -> Floats:
    """(G, F): the image, the revealed values, the mask of what is revealed, and both claims, one-hot."""
    values, revealed = positions.values_G_P, positions.revealed_G_P
    labels = np.eye(_LABELS, dtype=np.float32)
    return np.hstack(
        [values, values * revealed, revealed, labels[positions.mine_G], labels[positions.theirs_G]]
    )


@dataclass(frozen=True, slots=True)
class LearnedPlayer:
    """Reveals the pixel after which its claim is worth most; the share `explore` of moves is random instead.

    `networks` holds one for each number of revealed pixels, from 1 to k.
    """

    networks: tuple[ValueNetwork, ...]
    explore: float = 0.0

    def choose(self, positions: Positions, rng: np.random.Generator) -> Ints:
        worth_G_P = self.networks[len(self.networks) - positions.left].worth(positions)
        best_G = np.asarray(worth_G_P.argmax(axis=1))
        if not self.explore:
            return best_G
        strays_G = rng.random(len(best_G)) < self.explore
        return np.where(strays_G, RandomPlayer().choose(positions, rng), best_G)


def learn(
    data: Images,
    judge: PixelJudge,
    how: SelfPlay = USUAL,
    *,
    seed: int = 0,
    on_round: Callable[[int, LearnedPlayer], None] = lambda done, player: None,
) -> LearnedPlayer:
    """A debater before this judge who learnt from `how.rounds` rounds of games against itself on these images.

    The same seed gives the same debater on the same machine. `on_round` gets the number of rounds done and the player
    as it then is.
    """
    from sklearn.neural_network import MLPRegressor

    rng = np.random.default_rng(seed)
    seeds = [(seed + turn) % 2**32 for turn in range(judge.k)]  # all that the regressor takes
    fits = [
        MLPRegressor(hidden_layer_sizes=how.hidden, batch_size=250, alpha=1e-5, random_state=one)
        for one in seeds
    ]
    player: LearnedPlayer | RandomPlayer = RandomPlayer()
    with threadpool_limits(1):  # for matrices this small more threads cost more than they give
        for done in range(1, how.rounds + 1):
            drawn = data[rng.integers(len(data), size=how.games // 2)]
            turns = _turns(pairings(drawn, "random", rng), judge.k, player, rng)
            learnt = _fit(fits, turns, judge, how.passes)
            player = LearnedPlayer(learnt, how.explore)
            on_round(done, LearnedPlayer(learnt))
    return LearnedPlayer(learnt)


def _turns(
    games: PixelGame, k: int, player: LearnedPlayer | RandomPlayer, rng: np.random.Generator
) -> list[Positions]:
    """The player against itself: what lies on the table after each turn, as whoever had just moved sees it."""
    rows = np.arange(len(games))
    mine_G, theirs_G = (games.claims_G_2[rows, side_G] for side_G in (games.first_G, 1 - games.first_G))
    now = Positions(games.values_G_P, np.zeros(games.values_G_P.shape, dtype=np.bool_), mine_G, theirs_G, k)
    turns = []
    for _ in range(k):
        revealed_G_P = added(now.revealed_G_P, rows, player.choose(now, rng))
        turns.append(replace(now, revealed_G_P=revealed_G_P, left=now.left - 1))
        now = turns[-1].turned()
    return turns


def _fit(
    fits: list[MLPRegressor], turns: list[Positions], judge: PixelJudge, passes: int
) -> tuple[ValueNetwork, ...]:
    """One round of learning, from the last turn to the first."""
    learnt: list[ValueNetwork] = []
    for fit, after in zip(reversed(fits), reversed(turns), strict=True):
        target_G = 1 - learnt[0].worth(after.turned()).max(axis=1) if learnt else _preferred(judge, after)
        for _ in range(passes):
            fit.partial_fit(_features(after), target_G)
        learnt.insert(0, _network(fit))
    return tuple(learnt)


def _preferred(judge: PixelJudge, full: Positions) -> Floats:
    """(G,): the judge's probability that of the two claims `mine` is the true one."""
    rows, scores_G_L = np.arange(len(full.mine_G)), judge.scores(full.values_G_P, full.revealed_G_P)
    return np.asarray(expit(scores_G_L[rows, full.mine_G] - scores_G_L[rows, full.theirs_G]))


def _network(fit: MLPRegressor) -> ValueNetwork:
    pairs = zip(fit.coefs_, fit.intercepts_, strict=True)
    return ValueNetwork(tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in pairs))
