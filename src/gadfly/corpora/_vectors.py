"""Passages that are searched by their meaning: their vectors on disk, compared one by one with the query's.

    vectors/00000001.npz    the numbers of up to 1,024 passages and their vectors (N, D), float32, of length 1

A file is put there whole and never changed, so a copy of the corpus may link it. Numbers of passages that are gone stay
in it; who asks leaves them out. Every search reads all vectors: for a million passages a good part of a second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gadfly.corpora._types import Passage

if TYPE_CHECKING:
    from gadfly.judges._embedding import Embedder

__all__ = ["AT_ONCE", "Vectors", "fused", "shown_to_embedder"]

AT_ONCE = 1_024
RANK = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): a passage gets 1 / (60 + rank) from each search."""

Floats = NDArray[np.float32]


class Vectors:
    """The vectors under one directory, or in memory."""

    def __init__(self, embedder: Embedder, path: Path | None = None) -> None:
        self.embedder, self._path = embedder, path
        self._numbers: list[NDArray[np.int64]] = []
        self._vectors: list[Floats] = []
        for file in sorted(path.glob("*.npz")) if path else ():
            with np.load(file) as kept:
                self._numbers.append(kept["numbers"])
                self._vectors.append(kept["vectors"])

    def known(self) -> set[int]:
        """The numbers that have a vector."""
        return {int(number) for numbers in self._numbers for number in numbers}

    def add(self, passages: Sequence[tuple[int, Passage]]) -> None:
        """Embed passages and keep their vectors."""
        vectors_N_D = self.embedder.embed([shown_to_embedder(passage) for _, passage in passages])
        numbers_N = np.array([number for number, _ in passages], np.int64)
        if self._path:
            self._path.mkdir(exist_ok=True)
            draft = self._path / "draft.tmp"
            with draft.open("wb") as stream:
                np.savez(stream, numbers=numbers_N, vectors=vectors_N_D)
            draft.replace(self._path / f"{int(numbers_N[0]):010}-{len(self._numbers):06}.npz")
        self._numbers.append(numbers_N)
        self._vectors.append(vectors_N_D)

    def nearest(self, query: str) -> Iterator[tuple[int, float]]:
        """Numbers and cosines, the nearest first; none for a query without a word."""
        [query_D] = self.embedder.embed([query])
        if not self._numbers or not query_D.any():
            return
        scores_N = np.concatenate([vectors @ query_D for vectors in self._vectors])
        numbers_N = np.concatenate(self._numbers)
        taken, wanted = 0, 64
        while taken < len(numbers_N):
            best = np.lexsort((numbers_N, -scores_N)) if wanted >= len(numbers_N) else _top(scores_N, wanted)
            for place in best[taken:]:
                yield int(numbers_N[place]), float(scores_N[place])
            taken, wanted = len(best), 16 * wanted


def _top(scores_N: Floats, count: int) -> NDArray[np.int64]:
    """Where the best stand, in order, ties by place: the beginning of the whole order."""
    least = np.partition(scores_N, -count)[-count]
    places = np.flatnonzero(scores_N >= least)
    return places[np.argsort(-scores_N[places], kind="stable")]


def shown_to_embedder(passage: Passage) -> str:
    """The text that stands for a passage."""
    return f"{passage.title}\n{passage.text}"


def fused(rankings: Collection[Sequence[int]]) -> list[tuple[int, float]]:
    """Numbers in the order of reciprocal rank fusion, with its scores; ties by number."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(ranking, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (RANK + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
