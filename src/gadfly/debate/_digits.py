"""The sparse-pixel debate game: two debaters reveal pixels of a digit to a judge who sees nothing else.

Irving, Christiano & Amodei 2018 (arXiv 1805.00899, section 3.1), on scikit-learn's 8×8 digits in place of MNIST. Each
debater claims a label, they reveal nonzero pixels in turn, k in all, and the judge, who was trained on k random nonzero
pixels and has never seen a debate, compares its scores of the two claims. A pixel cannot be lied about, only chosen.

Axes: N images, G games, P pixels, L labels, H hidden units, S sets of pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gadfly.errors import InputError

__all__ = ["Images", "PixelJudge", "images", "judge_of", "random_reveal", "subsets"]

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

HELD_OUT = 600
BRIGHTEST = 16  # a pixel's largest value in scikit-learn's digits
_BLOCK = 4096  # sets at once, so that their hidden units stay in a processor's cache


@dataclass(frozen=True, slots=True)
class Images:
    """Digits with their labels. `values_N_P` in [0, 1], 0 where a pixel is blank and cannot be revealed."""

    values_N_P: Floats
    labels_N: Ints

    def __len__(self) -> int:
        return len(self.labels_N)

    def __getitem__(self, rows: Ints | slice) -> Images:
        return Images(self.values_N_P[rows], self.labels_N[rows])


def images(held_out: int = HELD_OUT, seed: int = 0) -> tuple[Images, Images]:
    """The 1,797 digits that come with scikit-learn, cut in two: to learn from, and to measure on.

    The cut is random within each label. It cannot keep writers apart: who wrote which digit is not recorded. Raises
    `InputError` unless at least ten images, one of each label, are left on either side.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    values, labels = load_digits(return_X_y=True)
    if not 10 <= held_out <= len(labels) - 10:
        raise InputError(f"Between 10 and {len(labels) - 10} images can be held out; got {held_out}.")
    all_of_them = Images((values / BRIGHTEST).astype(np.float32), labels.astype(np.intp))
    learn, measure = train_test_split(
        np.arange(len(labels)), test_size=held_out, stratify=labels, random_state=seed
    )
    return all_of_them[learn], all_of_them[measure]


def random_reveal(values_N_P: Floats, k: int, rng: np.random.Generator) -> Bools:
    """(N, P), true at k nonzero pixels of each image, drawn without replacement; `InputError` where there are fewer."""
    check_pixels(values_N_P, k)
    order_N_P = rng.random(values_N_P.shape, dtype=np.float32) + (values_N_P == 0)
    revealed_N_P = np.zeros(values_N_P.shape, dtype=np.bool_)
    np.put_along_axis(revealed_N_P, np.argpartition(order_N_P, k - 1, axis=1)[:, :k], True, axis=1)
    return revealed_N_P


def check_pixels(values_N_P: Floats, k: int) -> None:
    fewest = int((values_N_P > 0).sum(axis=1).min(initial=values_N_P.shape[1]))
    if not 1 <= k <= fewest:
        raise InputError(f"Between 1 and {fewest} pixels can be revealed of each of these images; got {k}.")


@dataclass(frozen=True, slots=True)
class PixelJudge:
    """A network with one hidden layer of rectified units over the revealed values, then the mask of what is revealed.

    It decides when k pixels have been revealed, and reads nothing but their set: the order, and who revealed which,
    is lost on it.
    """

    k: int
    hidden_2P_H: Floats
    hidden_bias_H: Floats
    label_H_L: Floats
    label_bias_L: Floats

    def scores(self, values_G_P: Floats, revealed_G_P: Bools) -> Floats:
        """(G, L) logits. What is not revealed is blanked before the judge reads."""
        seen_G_2P = np.hstack([values_G_P * revealed_G_P, revealed_G_P.astype(np.float32)])
        hidden_G_H = np.maximum(seen_G_2P @ self.hidden_2P_H + self.hidden_bias_H, 0)
        return np.asarray(hidden_G_H @ self.label_H_L + self.label_bias_L)

    def every_score(self, values_P: Floats) -> Floats:
        """(S, L) logits of one image for each set of k of its nonzero pixels, in the order of `subsets`.

        The first layer is a sum over pixels. Sets that share their upper half follow each other, and their lower halves
        are the first of all: so a set costs one addition of halves, not one for each pixel.
        """
        on_N, k = np.flatnonzero(values_P), self.k
        pixel_N_H = values_P[on_N, None] * self.hidden_2P_H[on_N] + self.hidden_2P_H[len(values_P) + on_N]
        low, at = k // 2, 0
        lower_S_H = pixel_N_H[subsets(len(on_N), low)].sum(axis=1)
        scores_S_L = np.empty((comb(len(on_N), k), self.label_H_L.shape[1]), dtype=np.float32)
        hidden_S_H = np.empty((_BLOCK, self.label_H_L.shape[0]), dtype=np.float32)
        for upper in subsets(len(on_N), k - low):
            above_H = pixel_N_H[upper].sum(axis=0) + self.hidden_bias_H
            for start in range(0, count := comb(int(upper[0]), low), _BLOCK):
                lower = lower_S_H[start : min(start + _BLOCK, count)]
                hidden = np.add(lower, above_H, out=hidden_S_H[: len(lower)])
                np.maximum(hidden, 0, out=hidden)
                np.matmul(hidden, self.label_H_L, out=scores_S_L[at : at + len(hidden)])
                at += len(hidden)
        return np.asarray(scores_S_L + self.label_bias_L)


def judge_of(
    learn: Images,
    k: int,
    *,
    epochs: int = 60,
    hidden: int = 128,
    seed: int = 0,
    on_epoch: Callable[[int, int], None] = lambda done, of: None,
) -> PixelJudge:
    """A judge fitted to tell the label from k random nonzero pixels of these images.

    An epoch shows each image twenty times, other pixels each time. The step shrinks to a third for the last third.
    """
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(seed)
    network = MLPClassifier((hidden,), batch_size=500, random_state=seed)
    values_N_P, labels_N = np.tile(learn.values_N_P, (20, 1)), np.tile(learn.labels_N, 20)
    with threadpool_limits(1):  # for matrices this small more threads cost more than they give
        for epoch in range(epochs):
            if epoch == 2 * epochs // 3 > 0:
                network._optimizer.learning_rate_init /= 3
            revealed_N_P = random_reveal(values_N_P, k, rng)
            seen_N_2P = np.hstack([values_N_P * revealed_N_P, revealed_N_P.astype(np.float32)])
            network.partial_fit(seen_N_2P, labels_N, classes=np.arange(10))
            on_epoch(epoch + 1, epochs)
    (hidden_2P_H, label_H_L), (hidden_bias_H, label_bias_L) = network.coefs_, network.intercepts_
    parts = (hidden_2P_H, hidden_bias_H, label_H_L, label_bias_L)
    return PixelJudge(k, *(np.asarray(part, dtype=np.float32) for part in parts))


def subsets(n: int, k: int) -> Ints:
    """(S, k): the sets of k of n things, members ascending, in colexicographic order.

    Ordered by largest member first, so that the sets of the first m things are the first comb(m, k) rows for every m.
    """
    rows = [tuple(n - 1 - i for i in reversed(row)) for row in combinations(range(n), k)]
    return np.array(rows[::-1], dtype=np.intp).reshape(comb(n, k), k)
