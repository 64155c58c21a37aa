"""What failures have in common: phrases, what blocking them would stop, groups with a typical case, and cost.

Everything takes plain texts (questions or replies, the caller's choice) and gives places and counts back,
so nothing here holds a transcript. Texts are hostile: any script, any length (the first 2,000 characters
count), any control character.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gadfly.stats import Estimate, normalise_question, rate, words
from gadfly.transcripts import Usage

__all__ = ["Blocking", "Cluster", "Cost", "Phrase", "blocking", "clusters", "cost_per", "phrases"]

MOST_TEXTS = 20_000
"""Beyond this many texts a side, an even sample is looked at."""

MOST_PHRASES = 2_000
"""The strongest phrases that compete for a place in the greedy order."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words over-represented in failures.

    `failures` and `others` count the texts that contain it. `lift` is how many times as common it is among
    failures, None where no other text contains it. `p_value` is Fisher's exact, adjusted for all phrases
    tried.
    """

    text: str
    failures: int
    others: int
    lift: float | None
    p_value: float


@dataclass(frozen=True, slots=True)
class Blocking:
    """What blocking texts with one of at most `k` phrases would stop: of the failures, and of the rest."""

    k: int
    failures: Estimate
    others: Estimate


@dataclass(frozen=True, slots=True)
class Cluster:
    """Texts that resemble each other.

    `members` are places in the list that came in; `typical` is the one nearest the centre; `terms` the
    words that mark the group off, strongest first.
    """

    members: tuple[int, ...]
    typical: int
    terms: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one distinct failure took; `dollars` is None where no price is known."""

    tokens: float
    dollars: float | None


def phrases(
    failures: Sequence[str],
    others: Sequence[str],
    *,
    k: int = 100,
    longest: int = 3,
    min_support: int = 3,
    fdr: float = 0.05,
) -> tuple[Phrase, ...]:
    """At most `k` phrases of one to `longest` words that mark failures off from the others, best first.

    A phrase is kept when at least `min_support` failures contain it and Fisher's exact test, one-sided,
    rejects at false discovery rate `fdr` over every phrase with that support (Benjamini & Hochberg 1995).
    Of phrases found in the very same failures the longest stands for all. The order is greedy: each next
    phrase adds the most to (share of failures stopped - share of others stopped), and the list ends when
    nothing adds. Give each distinct text once: the test takes them as independent. Empty where either side
    is empty.
    """
    table = _Table.of(failures, others, longest, min_support)
    if table is None:
        return ()
    p_values = table.fisher()
    strongest = [j for j in np.lexsort((np.arange(len(p_values)), p_values)) if p_values[j] <= fdr]
    chosen = _greedy(table, table.longest_of_each(strongest)[:MOST_PHRASES], k)
    return tuple(table.phrase(j, float(p_values[j])) for j in chosen)


def blocking(failures: Sequence[str], others: Sequence[str], *, k: int = 100) -> Blocking:
    """What blocking the phrases of this campaign would stop in the next one.

    Phrases that were chosen for these very texts would flatter themselves, so the texts are cut in two by a
    hash (the same question always in the same half), phrases are chosen in each half and tried on the
    other. Questions asked several times are one cluster. With an empty side nothing can be chosen, and
    nothing is blocked.
    """
    sides = [_thin(failures), _thin(others)]
    names = [[normalise_question(text) for text in side] for side in sides]
    halves = [[zlib.crc32(n.encode("utf-8", "surrogatepass")) % 2 for n in side] for side in names]
    blocked: list[list[bool]] = [[False] * len(side) for side in sides]
    for half in (0, 1):
        learn = [
            _unique(t for t, h in zip(s, hs, strict=True) if h != half)
            for s, hs in zip(sides, halves, strict=True)
        ]
        block = {phrase.text for phrase in phrases(learn[0], learn[1], k=k)}
        for side, in_half, hits in zip(sides, halves, blocked, strict=True):
            for i, text in enumerate(side):
                if in_half[i] == half:
                    hits[i] = not block.isdisjoint(_grams(text, 3))
    stopped, lost = (rate(hits, group) for hits, group in zip(blocked, names, strict=True))
    return Blocking(k, stopped, lost)


def clusters(texts: Sequence[str], k: int | None = None, *, seed: int = 0) -> tuple[Cluster, ...]:
    """Groups of alike texts, largest first: k-means on TF-IDF of words and word pairs (Perez et al. 2022 §3).

    `k` is chosen between 2 and √(n/2), at most 12, by the silhouette (Rousseeuw 1987) on at most 1,000
    texts; one group when there are under eight distinct texts or none separates them. Texts beyond 20,000
    are thinned evenly. Deterministic for a seed. No text gives no cluster.
    """
    places = _even(len(texts), MOST_TEXTS)
    if not places:
        return ()
    distinct = len({normalise_question(texts[i]) for i in places})
    matrix, names = _tfidf([texts[i] for i in places])
    if matrix is None or distinct == 1 or k == 1:
        return (_cluster(places, np.arange(len(places)), matrix, names),)
    labels = _kmeans_labels(matrix, min(k, distinct) if k else None, distinct, seed)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    groups.sort(key=lambda rows: (-len(rows), rows[0]))
    return tuple(_cluster(places, rows, matrix, names) for rows in groups)


def cost_per(distinct: int, usage: Usage) -> Cost | None:
    """Tokens (in and out, of all roles `usage` sums) and dollars for each distinct failure; None where none
    was found.
    """
    if distinct < 1:
        return None
    tokens = (usage.input_tokens + usage.output_tokens) / distinct
    return Cost(tokens, None if usage.cost is None else usage.cost / distinct)


class _Table:
    """Which phrases (columns) occur in which failures and others (rows), as boolean sparse matrices."""

    def __init__(self, names: Sequence[str], failing: Any, other: Any) -> None:
        self.names, self.failing, self.other = names, failing.tocsc(), other.tocsc()
        self.in_failing = np.asarray(failing.sum(axis=0)).ravel().astype(int)
        self.in_other = np.asarray(other.sum(axis=0)).ravel().astype(int)

    @classmethod
    def of(
        cls, failures: Sequence[str], others: Sequence[str], longest: int, min_support: int
    ) -> _Table | None:
        from sklearn.feature_extraction.text import CountVectorizer

        failures, others = _thin(failures), _thin(others)
        if not others or len(failures) < min_support:
            return None
        counter = CountVectorizer(
            analyzer=lambda text: _grams(text, longest), min_df=min_support, binary=True
        )
        try:
            failing = counter.fit_transform(failures)
        except ValueError:  # no phrase has the support
            return None
        return cls(list(counter.get_feature_names_out()), failing, counter.transform(others))

    def fisher(self) -> NDArray[np.float64]:
        """One-sided Fisher exact p-values, adjusted for the false discovery rate."""
        from scipy import stats

        n_failing, n_other = self.failing.shape[0], self.other.shape[0]
        containing = self.in_failing + self.in_other
        p_values = stats.hypergeom.sf(self.in_failing - 1, n_failing + n_other, containing, n_failing)
        adjusted: NDArray[np.float64] = stats.false_discovery_control(np.clip(p_values, 0.0, 1.0))
        return adjusted

    def longest_of_each(self, columns: Sequence[int]) -> list[int]:
        """One column for each set of failures: the one with most words, then letters. Order is kept."""
        best: dict[bytes, int] = {}
        for j in columns:
            rows = self.rows(self.failing, j).tobytes()
            if rows not in best or self._length(j) > self._length(best[rows]):
                best[rows] = j
        return list(best.values())

    def _length(self, j: int) -> tuple[int, int]:
        return len(self.names[j].split()), len(self.names[j])

    @staticmethod
    def rows(matrix: Any, j: int) -> NDArray[np.int32]:
        """The texts that contain phrase j, in order."""
        return np.sort(matrix.indices[matrix.indptr[j] : matrix.indptr[j + 1]]).astype(np.int32)

    def phrase(self, j: int, p_value: float) -> Phrase:
        failing, other = int(self.in_failing[j]), int(self.in_other[j])
        share, share_other = failing / self.failing.shape[0], other / self.other.shape[0]
        return Phrase(self.names[j], failing, other, share / share_other if other else None, p_value)


def _greedy(table: _Table, columns: Sequence[int], k: int) -> list[int]:
    """Columns in order of what each adds to the share of failures blocked less the share of others."""
    failing, other = table.failing[:, columns].T, table.other[:, columns].T
    open_failing, open_other = np.ones(failing.shape[1]), np.ones(other.shape[1])
    chosen: list[int] = []
    while len(chosen) < min(k, len(columns)):
        gains = failing @ open_failing / len(open_failing) - other @ open_other / len(open_other)
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            break
        open_failing[failing[best].indices] = 0.0
        open_other[other[best].indices] = 0.0
        chosen.append(columns[best])
    return chosen


def _grams(text: str, longest: int) -> list[str]:
    """Every run of one to `longest` words."""
    said = words(text)
    return [" ".join(said[i : i + n]) for n in range(1, longest + 1) for i in range(len(said) - n + 1)]


def _even(n: int, most: int) -> list[int]:
    """At most `most` places in 0..n-1, evenly apart."""
    return list(range(n)) if n <= most else [i * n // most for i in range(most)]


def _thin(texts: Sequence[str]) -> list[str]:
    return [texts[i] for i in _even(len(texts), MOST_TEXTS)]


def _unique(texts: Iterable[str]) -> list[str]:
    """One text for each normalised form."""
    return list({normalise_question(text): text for text in texts}.values())


def _tfidf(texts: Sequence[str]) -> tuple[Any, list[str]]:
    """Rows of unit length and the names of their columns; (None, []) when no text has a word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer=lambda text: _grams(text, 2), max_features=4_000, sublinear_tf=True, dtype=np.float32
    )
    try:
        matrix = vectorizer.fit_transform(texts)
    except ValueError:  # an empty vocabulary
        return None, []
    return matrix, list(vectorizer.get_feature_names_out())


def _kmeans_labels(matrix: Any, k: int | None, distinct: int, seed: int) -> NDArray[np.intp]:
    """The group of each row; k given, or the one with the best silhouette."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    def fit(rows: Any, groups: int, starts: int = 3) -> NDArray[np.intp]:
        labels = KMeans(groups, n_init=starts, max_iter=50, random_state=seed).fit_predict(rows)
        return np.asarray(labels, dtype=np.intp)

    if k is None:
        sample, best_score, k = matrix[_even(matrix.shape[0], 1000)], 0.0, 1
        for groups in (g for g in (2, 3, 4, 5, 6, 8, 10, 12) if 2 * g * g <= distinct):
            labels = fit(sample, groups, starts=1)
            if 1 < len(set(labels.tolist())) < sample.shape[0]:
                score = float(silhouette_score(sample, labels))
                k, best_score = (groups, score) if score > best_score else (k, best_score)
    return fit(matrix, k) if k > 1 else np.zeros(matrix.shape[0], dtype=np.intp)


def _cluster(places: Sequence[int], rows: NDArray[np.intp], matrix: Any, names: Sequence[str]) -> Cluster:
    """A group: its members, the one nearest the mean, and the terms that stand out from the mean of all."""
    members = tuple(places[i] for i in rows)
    if matrix is None:
        return Cluster(members, members[0], ())
    mean = np.asarray(matrix[rows].mean(axis=0)).ravel()
    nearest = int(np.argmax(np.asarray(matrix[rows] @ mean).ravel()))
    everywhere = np.asarray(matrix.mean(axis=0)).ravel() if len(rows) < matrix.shape[0] else 0.0
    ahead = mean - everywhere
    order = np.argsort(-ahead, kind="stable")
    return Cluster(members, members[nearest], tuple(_apart(names[j] for j in order if ahead[j] > 0)))


def _apart(terms: Iterable[str], most: int = 6) -> list[str]:
    """The first `most` terms that say something, none of them part of another."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    kept: list[str] = []
    for term in terms:
        if all(len(word) < 2 or word in ENGLISH_STOP_WORDS for word in term.split()):
            continue
        if not any(f" {term} " in f" {other} " or f" {other} " in f" {term} " for other in kept):
            kept.append(term)
        if len(kept) == most:
            break
    return kept
