"""Which items are worth labelling? Learning curves of a fitted judge, each policy against uniform; and whether the
threshold's promise holds.

    python benchmarks/learning.py [--quick] [--only curves|promise]

Tweets rated by people ($GADFLY_DATA or ../shared/data). Two truths: a majority of raters said hate or offensive (83 %
of tweets), and a majority said hate (5.5 %).

- curves: 20 seeds, each with its own pool of 8,000 and test set of 4,000. 50 labels drawn uniformly, then rounds of 25
  by the policy, from what the last round's judge thinks of the pool, up to 1,000. AUROC on the test set after each
  round; labels needed to reach 95 % and 99 % of the final AUROC that uniform drawing comes to, and the mean over
  the curve, each as a difference from uniform on the same seed with a t-interval over seeds. Policies marked ! have
  their insurance off, which is for learning only; the others are as `ask-next` draws. One head on all labels is what
  is measured; ten bootstrap heads give the epistemic uncertainty.
- promise: `fit`'s own steps on 100 or 400 labels, drawn 200 times; how often the true recall at the threshold, on every
  tweet not drawn, is at least what was promised (95 % of the draws or more is right). The last cell is the usual way:
  the heads that were checked are replaced by heads fitted on everything.

About twelve minutes on one core; `--quick` three.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from threadpoolctl import threadpool_limits

from gadfly.judges import PRICE, Seen, choose, policy
from gadfly.judges._calibration import Platt, calibrate, promise
from gadfly.judges._embedding import EMBEDDING, embedder
from gadfly.judges._heads import Labelled, choose_strength, committee, fit_heads, folds_of, one_head
from gadfly.stats import proportion

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "learning.json"
DATA = Path(os.environ.get("GADFLY_DATA", HERE.parent.parent / "shared" / "data"))
TRUTHS = ("hate or offensive", "hate")
POLICIES = (
    "uniform",
    "stratified!",
    "threshold!",
    "epistemic!",
    "uniform:0.5+epistemic:0.5!",
    "threshold",
    "epistemic",
)
START, STEP, END, MEMBERS, STRENGTH = 50, 25, 1_000, 10, 1.0
POOL, TEST = 8_000, 4_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tweets:
    """N tweets: vectors, votes of each truth in [0, 1], and the score of the classifier behind `offensive`."""

    vectors_N_D: Floats
    votes: dict[str, Floats]
    cheap_N: Floats


def tweets(model: str) -> Tweets | None:
    path = DATA / "offensive-tweets.jsonl.gz"
    if not path.is_file():
        print("learning: skipped, the rated tweets are not there; set GADFLY_DATA to their folder.")
        return None
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    from profanity_check import predict_prob

    raters = np.array([row["raters"] for row in rows], dtype=float)
    hate, offensive = (np.array([row[key] for row in rows], dtype=float) for key in ("hate", "offensive"))
    votes = {TRUTHS[0]: (hate + offensive) / raters, TRUTHS[1]: hate / raters}
    texts = [row["text"] for row in rows]
    return Tweets(vectors(texts, model), votes, np.clip(predict_prob(texts), 0.0, 1.0))


def vectors(texts: Sequence[str], model: str) -> Floats:
    """The texts' vectors, computed once and kept in the temporary directory."""
    found = embedder(model)
    kept = Path(tempfile.gettempdir()) / f"gadfly-learning-{found.sha256[:12]}-{len(texts)}.npy"
    if not kept.is_file():
        started = time.perf_counter()
        part = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(part, found.embed(texts))
        part.replace(kept)
        print(f"embedded {len(texts):,} tweets in {time.perf_counter() - started:.0f} s")
    return np.load(kept).astype(np.float64)  # type: ignore[no-any-return]


def area(scores_N: Floats, flagged_N: NDArray[np.bool_]) -> float:
    """AUROC by ranks."""
    yes = int(flagged_N.sum())
    ranks = scipy_stats.rankdata(scores_N)[flagged_N].sum()
    return float((ranks - yes * (yes + 1) / 2) / (yes * (len(scores_N) - yes)))


# --- learning curves


@dataclass(frozen=True)
class Split:
    """One seed's pool and test set."""

    pool_N_D: Floats
    votes_N: Floats
    test_N_D: Floats
    flagged: NDArray[np.bool_]
    seed: int


def split(data: Tweets, truth: str, seed: int) -> Split:
    order = np.random.default_rng(seed).permutation(len(data.cheap_N))
    pool, test, votes = order[:POOL], order[POOL : POOL + TEST], data.votes[truth]
    return Split(data.vectors_N_D[pool], votes[pool], data.vectors_N_D[test], votes[test] >= 0.5, seed)


def learning_curve(at: Split, name: str) -> list[float]:
    """AUROC on the test set after each round. A trailing ! takes the policy's insurance off."""
    by, price = policy(name.rstrip("!")), math.inf if name.endswith("!") else PRICE
    taken = np.random.default_rng(1_000 + at.seed).permutation(POOL)[:START].tolist()
    flagged = at.votes_N >= 0.5
    if flagged[taken].all() or not flagged[taken].any():  # as a person would: go on until both are there
        taken[-1] = int(np.flatnonzero(flagged != flagged[taken[0]])[0])
    areas = []
    while True:
        count = len(taken)
        known = Labelled(at.pool_N_D[taken], at.votes_N[taken], np.ones(count), np.arange(count))
        head = one_head(known, np.ones(count), STRENGTH)
        areas.append(area(head.logits(at.test_N_D)[:, 0], at.flagged))
        if count >= END:
            return areas
        scores = Platt(1.0, 0.0).members(head.logits(at.pool_N_D))[:, 0]
        unsure = spread(at, known) if "epistemic" in name else np.full(POOL, np.nan)
        seen = Seen(scores, unsure, cut(scores[taken], known.flagged))
        chosen = choose(
            seen, by, min(STEP, END - count), seed=at.seed * 1_000 + count, taken=taken, price=price
        )
        taken += [choice.index for choice in chosen]


def spread(at: Split, known: Labelled) -> Floats:
    """The standard deviation of ten bootstrap heads' probabilities over the pool."""
    heads = fit_heads(known, STRENGTH, MEMBERS, at.seed)
    logits = at.pool_N_D @ heads.coefficients_M_D.T + heads.intercepts_M
    return np.asarray(Platt(1.0, 0.0).members(logits).std(1))


def cut(scores: Floats, flagged: NDArray[np.bool_]) -> float:
    """The threshold in force while labelling: where scores divide as the labels do."""
    return float(np.quantile(scores, 1 - flagged.mean()))


def labels_to(areas: Sequence[float], goal: float) -> int:
    """Labels after which the curve first reaches the goal; one step past the end if it never does."""
    reached = next((i for i, value in enumerate(areas) if value >= goal), len(areas))
    return START + STEP * reached


def against(ours: Sequence[float], uniform: Sequence[float]) -> dict[str, float]:
    """Mean paired difference over seeds with its 95 % t-interval."""
    gaps = np.array(ours) - np.array(uniform)
    half = float(scipy_stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / math.sqrt(len(gaps)))
    return {"mean": float(gaps.mean()), "low": float(gaps.mean()) - half, "high": float(gaps.mean()) + half}


def curves(data: Tweets, seeds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for truth in TRUTHS:
        splits = [split(data, truth, seed) for seed in range(seeds)]
        areas = {name: [learning_curve(at, name) for at in splits] for name in POLICIES}
        found[truth] = summary(areas)
        for name, row in found[truth].items():
            gap = row.get("labels_to_95_less_uniform", {"mean": 0.0, "low": 0.0, "high": 0.0})
            area_gap = row.get("mean_auroc_less_uniform", {"mean": 0.0, "low": 0.0, "high": 0.0})
            print(
                f"{truth:18} {name:27} 95 %: {row['labels_to_95']:5.0f} labels ({gap['mean']:+.0f} "
                f"[{gap['low']:+.0f}, {gap['high']:+.0f}]); 99 %: {row['labels_to_99']:5.0f}; mean AUROC "
                f"{row['mean_auroc']:.4f} ({area_gap['mean']:+.4f} [{area_gap['low']:+.4f}, {area_gap['high']:+.4f}]); "
                f"final {row['final_auroc']:.4f}",
                flush=True,
            )
    return found


def summary(areas: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Each policy's figures, and their differences from uniform, seed by seed. Goals are uniform's on that seed."""
    finals = [curve[-1] for curve in areas["uniform"]]
    figures = {
        name: {
            "labels_to_95": [float(labels_to(c, 0.95 * f)) for c, f in zip(rows, finals, strict=True)],
            "labels_to_99": [float(labels_to(c, 0.99 * f)) for c, f in zip(rows, finals, strict=True)],
            "mean_auroc": [float(np.mean(c)) for c in rows],
            "final_auroc": [c[-1] for c in rows],
        }
        for name, rows in areas.items()
    }
    found: dict[str, Any] = {}
    for name, row in figures.items():
        found[name] = {key: float(np.mean(values)) for key, values in row.items()}
        if name != "uniform":
            found[name] |= {f"{k}_less_uniform": against(v, figures["uniform"][k]) for k, v in row.items()}
        found[name]["curve"] = [round(float(value), 4) for value in np.mean(areas[name], axis=0)]
    return found


# --- the promise


@dataclass(frozen=True)
class Draw:
    """How labels are drawn in one cell: `price` is the policy's insurance, inf for none."""

    truth: str
    n: int
    by: str = "uniform"
    price: float = PRICE
    committee: bool = True


CELLS = (
    Draw(TRUTHS[0], 100),
    Draw(TRUTHS[0], 400),
    Draw(TRUTHS[0], 400, "threshold"),
    Draw(TRUTHS[0], 400, "threshold", 1.5),
    Draw(TRUTHS[1], 400),
    Draw(TRUTHS[0], 400, committee=False),
)


def redraw(data: Tweets, cell: Draw, seed: int) -> tuple[float, float, float] | None:
    """(true recall, promised recall, false alarms) of one draw; None when it holds too few of one class.

    Draws with probability proportional to the policy's weights, by the cheap judge's scores; the inverse of those
    weights is what `fit` is told.
    """
    seen = Seen(data.cheap_N, np.full(len(data.cheap_N), np.nan), 0.2)
    weights = policy(cell.by).weights(seen, cell.price)
    chosen = np.argsort(-(np.log(weights) + np.random.default_rng(seed).gumbel(size=len(weights))))[: cell.n]
    votes, inverse = data.votes[cell.truth], 1 / weights[chosen]
    known = Labelled(data.vectors_N_D[chosen], votes[chosen], inverse / inverse.mean(), np.arange(cell.n))
    if min(known.flagged.sum(), (~known.flagged).sum()) < 2:
        return None
    folds = folds_of(known, seed)
    strength = choose_strength(known, folds)
    heads, logits = committee(known, folds, strength, 20, seed)
    calibration = calibrate(logits, known)
    kept = promise(calibration.members(logits).mean(1), known, 0.95, 0.95)
    if not cell.committee:
        heads = fit_heads(known, strength, 20, seed)
    rest = np.setdiff1d(np.arange(len(votes)), chosen)
    scores = calibration.members(data.vectors_N_D[rest] @ heads.coefficients_M_D.T + heads.intercepts_M).mean(
        1
    )
    flagged, caught = votes[rest] >= 0.5, scores >= kept.threshold
    return float(caught[flagged].mean()), kept.recall, float(caught[~flagged].mean())


def promises(data: Tweets, draws: int) -> list[dict[str, Any]]:
    found = []
    for cell in CELLS:
        rows = [row for seed in range(draws) if (row := redraw(data, cell, seed)) is not None]
        recall, promised, alarms = np.array(rows).T
        held = proportion(int((recall >= promised).sum()), len(rows), method="exact")
        found.append(
            {
                **cell.__dict__,
                "price": cell.price if math.isfinite(cell.price) else "none",
                "held": held.point,
                "held_low": held.low,
                "held_high": held.high,
                "draws": len(rows),
                "promised_recall": float(promised.mean()),
                "full_promise": float((promised >= 0.95).mean()),
                "true_recall": float(recall.mean()),
                "false_alarms": float(alarms.mean()),
            }
        )
        name = f"{cell.truth:18} {cell.n} labels, {cell.by} at {cell.price:g}"
        print(
            f"{name}{'' if cell.committee else ', refitted'}: held in {held}; promised {promised.mean():.3f}, true "
            f"recall {recall.mean():.3f}, false alarms {alarms.mean():.3f}",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a quarter of the seeds and draws")
    parser.add_argument("--only", choices=("curves", "promise"))
    parser.add_argument("--embedding", default=EMBEDDING, help="an embedding model's name or directory")
    options = parser.parse_args()
    data = tweets(options.embedding)
    if data is None:
        return
    seeds, draws = (5, 50) if options.quick else (20, 200)
    found = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    with threadpool_limits(1):
        if options.only != "promise":
            found["curves"] = curves(data, seeds)
        if options.only != "curves":
            found["promise"] = promises(data, draws)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {RESULTS}")


if __name__ == "__main__":
    main()
