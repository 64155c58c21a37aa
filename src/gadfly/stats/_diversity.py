"""How varied a set of texts is: self-BLEU, near-duplicates, and how many distinct texts are left.

Texts come from models and may be anything: any script, control characters, megabytes long, half a surrogate
pair. Only the first `LONGEST` characters of each are looked at.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Diversity",
    "distinct",
    "diversity",
    "near_duplicates",
    "normalise_question",
    "self_bleu",
    "words",
]

LONGEST = 2000
ORDER = 4
HASHES = 128
MARGIN = 0.2
"""How far the share of equal hashes (standard deviation ≤ 0.045) may lie under the threshold before a pair
is dropped.
"""

_RANDOM = np.random.default_rng(128)
_MIX = _RANDOM.integers(0, 1 << 63, HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_ADD = _RANDOM.integers(0, 1 << 63, HASHES, dtype=np.uint64)

_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)
"""Letters of scripts written without spaces (Thai, Lao, Burmese, Khmer, kana, Han): each is a word of its
own.
"""


@dataclass(frozen=True, slots=True)
class Diversity:
    """How varied `n` texts are.

    `self_bleu` is in [0, 100] (100: all alike), with its 95 % interval `low` to `high`; None with fewer
    than two texts. It grows with the number of other texts each was compared with, `references`: compare
    only like with like. `distinct` counts texts once near-duplicates are merged.
    """

    self_bleu: float | None
    low: float
    high: float
    references: int
    distinct: int
    n: int


def diversity(
    texts: Sequence[str], *, references: int = 1000, threshold: float = 0.7, seed: int = 0
) -> Diversity:
    """Self-BLEU with its interval, and the number of distinct texts. No text gives None, [0, 100] and 0."""
    scores = self_bleu_scores(texts, references=references, seed=seed)
    low, high = _bootstrap(scores, seed)
    compared = max(len(scores) - 1, 0)
    mean = float(scores.mean()) if len(scores) else None
    return Diversity(mean, low, high, compared, distinct(texts, threshold=threshold), len(texts))


def self_bleu(texts: Sequence[str], *, references: int = 1000, seed: int = 0) -> float | None:
    """Mean BLEU of each text against up to `references` others, in [0, 100]; None with fewer than two
    texts.
    """
    scores = self_bleu_scores(texts, references=references, seed=seed)
    return float(scores.mean()) if len(scores) else None


def self_bleu_scores(texts: Sequence[str], *, references: int = 1000, seed: int = 0) -> NDArray[np.float64]:
    """Sentence BLEU of each text of a sample of `references` + 1 against all the others of that sample.

    The measure of Zhu et al. 2018 (Texygen) as Perez et al. 2022 §3 use it, with 1,000 others. sacrebleu's
    BLEU-4: tokenizer 13a with unspaced scripts split into letters, case kept, exponential smoothing,
    effective order. Every text of the sample is a hypothesis in turn; its references' clipped counts are
    the sample's without its own, for which the two largest counts of each n-gram are kept. So 1,001 texts
    cost one pass, not a million comparisons, and the scores equal `sacrebleu.BLEU.sentence_score` (tested).
    Empty array with fewer than two texts.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.helpers import extract_all_word_ngrams
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    if len(texts) < 2:
        return np.zeros(0)
    tokenize: Callable[[str], str] = Tokenizer13a()  # type: ignore[no-untyped-call]
    grams, lengths = [], []
    for i in _sample(len(texts), references + 1, seed):
        spaced = _UNSPACED.sub(r" \1 ", texts[i][:LONGEST])
        counts, length = extract_all_word_ngrams(tokenize(spaced), 1, ORDER)
        grams.append(counts)
        lengths.append(length)
    most = _two_largest(grams)
    ordered = sorted(lengths)
    scores = np.zeros(len(grams))
    for i, counts in enumerate(grams):
        correct, total = [0] * ORDER, [0] * ORDER
        for gram, count in counts.items():
            first, holder, second = most[gram]
            total[len(gram) - 1] += count
            correct[len(gram) - 1] += min(count, second if holder == i else first)
        reference = _closest_other(ordered, lengths[i])
        bleu = BLEU.compute_bleu(
            correct, total, lengths[i], reference, smooth_method="exp", effective_order=True
        )
        scores[i] = min(bleu.score, 100.0)
    return scores


def distinct(texts: Sequence[str], *, threshold: float = 0.7) -> int:
    """How many texts are left once near-duplicates are counted once; see `near_duplicates`."""
    labels = near_duplicates(texts, threshold=threshold)
    return int(labels.max()) + 1 if len(labels) else 0


def near_duplicates(texts: Sequence[str], *, threshold: float = 0.7) -> NDArray[np.intp]:
    """A label for each text, the same for texts that are alike: 0, 1, … in order of first appearance.

    A text joins the earliest kept text whose set of character 4-grams overlaps its own by Jaccard ≥
    `threshold` (in (0, 1]; texts are normalised first), or else is kept as the first of a new group. So
    everyone in a group resembles its first member, and no chain of small steps joins two unlike texts, as
    single linkage would. Candidates come from MinHash bands (Broder 1997; Leskovec, Rajaraman & Ullman,
    Mining of Massive Datasets, §3.4), set so that a pair at the threshold is found with probability ≥ 0.99,
    and are then checked exactly. Time grows with the number of texts, memory with the number kept.
    Deterministic. Texts that normalise to the same are alike whatever the threshold.
    """
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"a similarity threshold lies in (0, 1], got {threshold!r}")
    first_seen: dict[str, int] = {}
    which = [first_seen.setdefault(normalise_question(text), len(first_seen)) for text in texts]
    labels = _lead(first_seen, threshold)
    return np.asarray([labels[i] for i in which], dtype=np.intp)


def normalise_question(text: str) -> str:
    """The text as its letters and digits alone: what makes two questions the same question.

    NFKC, case folded, everything but letters, digits and their marks taken for a space, spaces run
    together. The name of the cluster a case belongs to, for `gadfly.stats`. A text with no letter or digit
    (emoji, punctuation) is its own stripped NFKC form, so that such questions are not all one.
    """
    text = text[:LONGEST]
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded)
    return " ".join(kept.split()) or " ".join(folded.split())


def words(text: str) -> list[str]:
    """The words of a normalised text; a letter of an unspaced script is one word."""
    return _UNSPACED.sub(r" \1 ", normalise_question(text)).split()


def _sample(n: int, most: int, seed: int) -> list[int]:
    if n <= most:
        return list(range(n))
    return sorted(np.random.default_rng(seed).choice(n, most, replace=False).tolist())


def _two_largest(grams: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """For each n-gram: its largest count in one text, which text that is, and the largest count in any
    other.
    """
    most: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for i, counts in enumerate(grams):
        for gram, count in counts.items():
            first, holder, second = most.get(gram, (0, -1, 0))
            most[gram] = (count, i, first) if count > first else (first, holder, max(second, count))
    return most


def _closest_other(ordered: Sequence[int], length: int) -> int:
    """The length nearest to `length` once one text of that length is taken out; the shorter of a tie, as
    BLEU does.
    """
    at = bisect_left(ordered, length)
    others = [*ordered[max(at - 1, 0) : at], *ordered[at + 1 : at + 2]]
    return min(others, key=lambda other: (abs(other - length), other))


def _bootstrap(scores: NDArray[np.float64], seed: int, resamples: int = 1000) -> tuple[float, float]:
    """95 % percentile interval of the mean over hypotheses, the references held fixed; [0, 100] for no
    score.
    """
    if not len(scores):
        return 0.0, 100.0
    rng = np.random.default_rng(seed)
    means = [scores[rng.integers(0, len(scores), len(scores))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _shingles(text: str) -> NDArray[np.uint64]:
    """The distinct character 4-grams of a text, hashed to 64 bits; a shorter text is padded to one."""
    padded = f" {text} ".ljust(4).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(padded, dtype="<u4").astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(points, 4)
    return np.unique((windows * _MIX[:4]).sum(axis=1, dtype=np.uint64))


def _bands(threshold: float) -> list[slice]:
    """The longest bands of hashes that still find a pair at the threshold with probability ≥ 0.99."""
    found = [r for r in range(1, HASHES) if 1 - (1 - threshold**r) ** (HASHES // r) >= 0.99]
    rows = max(found, default=1)
    return [slice(start, start + rows) for start in range(0, HASHES - rows + 1, rows)]


def _lead(normalised: Iterable[str], threshold: float) -> list[int]:
    """Leader clustering: the label of each text."""
    bands = _bands(threshold)
    buckets: dict[tuple[int, bytes], list[int]] = {}
    leaders: list[frozenset[int]] = []
    signatures = np.zeros((1024, HASHES), dtype=np.uint32)
    labels = []
    for text in normalised:
        shingles = _shingles(text)
        signature = ((shingles[:, None] * _MIX + _ADD) >> np.uint64(32)).min(axis=0).astype(np.uint32)
        keys = [(band.start, signature[band].tobytes()) for band in bands]
        near = np.unique([leader for key in keys for leader in buckets.get(key, ())]).astype(np.intp)
        likely = near[(signatures[near] == signature).mean(axis=1) >= threshold - MARGIN]
        members = frozenset(shingles.tolist())
        alike = (int(i) for i in likely if _jaccard(leaders[i], members) >= threshold)
        label = next(alike, len(leaders))
        if label == len(leaders):
            leaders.append(members)
            if label == len(signatures):
                signatures = np.concatenate([signatures, np.zeros_like(signatures)])
            signatures[label] = signature
            for key in keys:
                buckets.setdefault(key, []).append(label)
        labels.append(label)
    return labels


def _jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)
