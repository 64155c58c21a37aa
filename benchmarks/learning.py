"""Which items are worth labelling? Learning curves of a fitted judge, each policy against uniform; and whether the
threshold's promise holds.

    python benchmarks/learning.py [--quick] [--only curves|reward|promise]

Tweets rated by people ($GADFLY_DATA or ../shared/data). Two truths: a majority of raters said hate or offensive (83 %
of tweets), and a majority said hate (5.5 %).

- curves: `gadfly.judges.learning_curves`, 20 seeds, each with a third of the tweets to test on. 50 labels drawn
  uniformly, then rounds of 50 by the policy up to 1,000. Policies marked ! have their insurance off, which is for
  learning only, top- takes what weighs most; the others are as `ask-next` draws.
- reward: the same of a reward model (`train_reward`'s own steps, bagged heads on one embedding), five seeds, 50 to 300
  labels: of 3,000 tweets, and of the 1,192 pairs of hh-harmless, where a label is which of two dialogues people prefer.
- promise: `fit`'s own steps on 100 or 400 labels, drawn 200 times; how often the true recall at the threshold, on every
  tweet not drawn, is at least what was promised (95 % of the draws or more is right). The last cell is the usual way:
  the heads that were checked are replaced by heads fitted on everything.

About half an hour on one free core; `--quick` a quarter of that. Finished curves are kept in the temporary directory.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gadfly.judges import (
    PRICE,
    Curves,
    CurveSettings,
    Items,
    LabelsTo,
    Learner,
    LinearLearner,
    Seen,
    learning_curves,
    policy,
)
from gadfly.judges._acquisition import UNIFORM
from gadfly.judges._calibration import calibrate, promise
from gadfly.judges._embedding import EMBEDDING, embedder
from gadfly.judges._heads import Labelled, choose_strength, committee, fit_heads, folds_of
from gadfly.judges._trunk import Read, trunk
from gadfly.stats import Estimate, proportion
from gadfly.training import RewardLearner, RewardSettings, Row, to_rows
from gadfly.training._reward_learner import turned

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "learning.json"
DATA = Path(os.environ.get("GADFLY_DATA", HERE.parent.parent / "shared" / "data"))
TRUTHS = ("hate or offensive", "hate")
POLICIES = (
    "threshold!",
    "epistemic!",
    "bald!",
    "total!",
    "stratified!",
    "aleatoric!",
    "top-epistemic",
    "top-threshold",
    "threshold",
    "epistemic",
)
START, STEP, END = 50, 50, 1_000
REWARD_POLICIES = ("epistemic!", "top-epistemic", "bald!", "total!", "top-aleatoric")
TWEETS = 3_000
KEPT = Path(tempfile.gettempdir()) / "gadfly-learning-curves.jsonl"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tweets:
    """N tweets: vectors, votes of each truth in [0, 1], and the score of the classifier behind `offensive`."""

    texts: list[str]
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
    return Tweets(texts, vectors(texts, model), votes, np.clip(predict_prob(texts), 0.0, 1.0))


def vectors(texts: Sequence[str], model: str) -> Floats:
    """The texts' vectors, computed once and kept in the temporary directory."""
    found = embedder(model)
    told = hashlib.sha256("\0".join([found.sha256, *texts]).encode(errors="replace")).hexdigest()
    kept = Path(tempfile.gettempdir()) / f"gadfly-learning-{told[:16]}.npy"
    if not kept.is_file():
        started = time.perf_counter()
        part = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(part, found.embed(texts))
        part.replace(kept)
        print(f"embedded {len(texts):,} texts in {time.perf_counter() - started:.0f} s")
    return np.load(kept).astype(np.float64)  # type: ignore[no-any-return]


# --- learning curves


def curves(data: Tweets, seeds: int, jobs: int) -> dict[str, Any]:
    """Each truth's curves. Finished ones are kept in the temporary directory, so an interrupted run goes on."""
    learner = LinearLearner(data.vectors_N_D, np.arange(len(data.cheap_N)))
    settings = CurveSettings(seeds, START, STEP, END, kept=KEPT, jobs=jobs)
    return {truth: measured(truth, learner, Items(data.votes[truth]), POLICIES, settings) for truth in TRUTHS}


def reward(data: Tweets, seeds: int, jobs: int) -> dict[str, Any]:
    """The curves of a reward model on labelled texts and on pairs."""
    settings = CurveSettings(seeds, 50, 50, 300, kept=KEPT, jobs=jobs)
    made_of = RewardSettings(trunks=(EMBEDDING,))
    few = np.random.default_rng(0).permutation(len(data.texts))[:TWEETS]
    told = [Row(data.texts[i], float(data.votes[TRUTHS[0]][i]), group=str(i)) for i in few]
    tweets_read = dict(zip(data.texts, data.vectors_N_D, strict=True))
    found = {}
    for name, rows in (("tweets", told), ("pairs", pairs())):
        arrays = turned(to_rows(rows))
        read = vectors(arrays.texts, EMBEDDING) if name == "pairs" else [tweets_read[t] for t in arrays.texts]
        features = Read(np.array(read, dtype=np.float32))
        learner = RewardLearner(arrays, (trunk(EMBEDDING),), (features,), made_of)
        items = Items(arrays.target_R, arrays.groups_R)
        found[name] = measured(f"reward, {name}", learner, items, REWARD_POLICIES, settings)
    return found


def pairs() -> list[Row]:
    with gzip.open(DATA / "hh-harmless.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Row(row["chosen"].strip(), 1.0, row["rejected"].strip()) for row in rows]


def measured(
    name: str, learner: Learner, items: Items, policies: Sequence[str], settings: CurveSettings
) -> dict[str, Any]:
    drawn = learning_curves(learner, items, policies, settings, progress(name))
    tell(name, drawn)
    return summary(drawn)


def progress(truth: str) -> Callable[[int, int], None]:
    def on_curve(done: int, of: int) -> None:
        if done % 20 == 0:
            print(f"{truth}: {done} of {of} curves", flush=True)

    return on_curve


def summary(drawn: Curves) -> dict[str, Any]:
    """Each metric's curves, and every policy less uniform with its interval."""
    figures = {
        metric.name: {
            "curves": {
                name: [round(at.point or 0.0, 4) for at in drawn.along(name, metric)]
                for name in drawn.policies
            },
            "less uniform": {
                one.policy: {
                    "over the curve": interval(one.over_curve),
                    "p": round(one.p, 4),
                    "last": interval(one.last),
                    **{f"labels to {to.goal:.0%}": labels(to) for to in one.labels},
                }
                for one in drawn.compared(metric)
            },
        }
        for metric in drawn.metrics
    }
    return {"seeds": drawn.seeds, "counts": drawn.setup.counts, **figures}


def interval(estimate: Estimate) -> list[float]:
    """[point, low, high]"""
    return [round(value, 5) for value in (estimate.point or 0.0, estimate.low, estimate.high)]


def labels(to: LabelsTo) -> dict[str, Any]:
    short = (
        {"seeds that never got there": {"policy": to.short[0], "uniform": to.short[1]}}
        if any(to.short)
        else {}
    )
    return {"policy": to.labels, "uniform": to.uniform, "difference": interval(to.difference), **short}


def tell(truth: str, drawn: Curves) -> None:
    for metric in drawn.metrics:
        ends = drawn.along(UNIFORM, metric)
        print(f"{truth}, {metric.name}: uniform from {ends[0].point:.4f} to {ends[-1].point:.4f}")
        for one in drawn.compared(metric):
            gain = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*interval(one.over_curve))
            to = "; ".join(
                "{:.0%}: {:.0f} labels for {:.0f} ({:+.0f} [{:+.0f}, {:+.0f}])".format(
                    to.goal, to.labels, to.uniform, *interval(to.difference)
                )
                for to in one.labels
            )
            print(f"  {one.policy:27} {gain}, p = {one.p:.3f}; {to}", flush=True)


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
    parser.add_argument("--only", choices=("curves", "reward", "promise"))
    parser.add_argument("--embedding", default=EMBEDDING, help="an embedding model's name or directory")
    parser.add_argument("--seeds", type=int, default=0, help="of the curves of a fitted judge")
    parser.add_argument("--jobs", type=int, default=1, help="curves drawn at once")
    options = parser.parse_args()
    data = tweets(options.embedding)
    if data is None:
        return
    seeds, draws = (5, 50) if options.quick else (20, 200)
    seeds = options.seeds or seeds
    found = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    if options.only in (None, "curves"):
        found["curves"] = curves(data, seeds, options.jobs)
    if options.only in (None, "reward"):
        found["reward"] = reward(data, 2 if options.quick else 5, options.jobs)
    if options.only in (None, "promise"):
        with threadpool_limits(1):
            found["promise"] = promises(data, draws)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {RESULTS}")


if __name__ == "__main__":
    main()
