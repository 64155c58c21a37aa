"""Do corrected rates hold the truth, and how much narrower do a few hundred labels become beside a cheap judge?

    python benchmarks/correction.py [--draws 1000]

Real: the rated tweets in $GADFLY_DATA or ../shared/data. The truth is what most raters said (hate or offensive, not
neither), the cheap judge is profanity-check. A redraw takes a run of as many tweets, with replacement, and 300 labels
from it by a policy; the interval should hold the rate of all tweets. Its width is compared with that of 300 labels
alone (Wilson, drawn uniformly) from the same run. The judge comes as its score, as its verdict at a threshold turned
down to 0.05, and as one that knows nothing: asked for *hate*. The confidence sequence is looked at after every label
and should hold the rate of the run's own tweets at all looks at once.

`epistemic` takes its uncertainty from ten linear classifiers, each fitted on a bootstrap of 200 tweets, which are kept
out of the runs.

Learned: a judge fitted on the very labels that correct it.

Made up: worlds with rare failures, good and bad judges, few labels, repeated questions, and raters who err.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gadfly.judges import Seen, choose, policy
from gadfly.judges._calibration import calibrate
from gadfly.judges._embedding import EMBEDDING, embedder
from gadfly.judges._heads import Labelled, choose_strength, committee, folds_of
from gadfly.stats import Draw, RaterError, confidence_sequence, corrected_rate, proportion

Floats = NDArray[np.float64]
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "correction.json"
DATA = Path(os.environ.get("GADFLY_DATA", HERE.parent.parent / "shared" / "data"))
POLICIES = ("uniform", "stratified", "threshold", "epistemic", "uniform:0.5+epistemic:0.25+threshold:0.25")
LABELS, SEEDS, MEMBERS = 300, 200, 10
LOW, HIGH = 0.93, 0.97


@dataclass(frozen=True)
class Setting:
    """What a judge says of every tweet, where it decides, what people say, and how narrow it should get."""

    judge: str
    scores: Floats
    threshold: float
    labels: Floats
    uncertainty: Floats
    at_most: float


@dataclass(frozen=True)
class Cell:
    """One judge and one policy. `width` is relative to labels alone; `sequence` is the share of redraws in which the
    confidence sequence held at every look, `sequence_width` its last width relative to the fixed interval's.
    """

    judge: str
    policy: str
    width: float
    at_most: float
    coverage: float
    sequence: float
    sequence_width: float

    @property
    def reached(self) -> bool:
        return self.width <= self.at_most and LOW <= self.coverage <= HIGH and self.sequence >= 0.95


def tweets() -> tuple[list[str], Floats, Floats]:
    """The texts, whether most raters found one hateful or offensive, and whether most found it hateful."""
    path = DATA / "offensive-tweets.jsonl.gz"
    if not path.is_file():
        sys.exit(
            "The rated tweets are not there; set GADFLY_DATA to the folder of offensive-tweets.jsonl.gz."
        )
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    bad = [row["hate"] + row["offensive"] > row["neither"] for row in rows]
    hate = [2 * row["hate"] > row["raters"] for row in rows]
    return [row["text"] for row in rows], np.array(bad, float), np.array(hate, float)


def settings() -> list[Setting]:
    from profanity_check import predict_prob

    texts, bad, hate = tweets()
    kept = np.random.default_rng(0).permutation(len(texts))
    seeds, rest = kept[:SEEDS], kept[SEEDS:]
    score = np.clip(predict_prob(texts), 0, 1)[rest]
    verdict = (score >= 0.05).astype(float)
    unsure = {name: spread(texts, labels, seeds)[rest] for name, labels in (("bad", bad), ("hate", hate))}
    return [
        Setting("score", score, 0.5, bad[rest], unsure["bad"], 0.55),
        Setting("verdict at 0.05", verdict, 0.05, bad[rest], unsure["bad"], 0.8),
        Setting("score, asked for hate", score, 0.5, hate[rest], unsure["hate"], 1.05),
        Setting("verdict at 0.05, asked for hate", verdict, 0.05, hate[rest], unsure["hate"], 1.05),
    ]


def spread(texts: list[str], labels: Floats, seeds: NDArray[np.intp]) -> Floats:
    """How far ten classifiers, each fitted on its own bootstrap of the seeds, lie apart on every text."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    features = TfidfVectorizer(min_df=5).fit_transform(texts)
    members: list[Floats] = []
    rng = np.random.default_rng(1)
    while len(members) < MEMBERS:
        one = rng.choice(seeds, len(seeds))
        if 0 < labels[one].mean() < 1:
            head = LogisticRegression(C=10.0).fit(features[one], labels[one])
            members.append(head.predict_proba(features)[:, 1])
    return np.asarray(np.std(members, axis=0))


def measured(job: tuple[Setting, str, int]) -> Cell:
    setting, name, draws = job
    rng, truth = np.random.default_rng(2), float(setting.labels.mean())
    widths, alone, held, always, last = [], [], 0, 0, []
    for redraw in range(draws):
        run = rng.integers(len(setting.labels), size=len(setting.labels))
        scores, labels = setting.scores[run], setting.labels[run]
        seen = Seen(scores, setting.uncertainty[run], setting.threshold)
        drawn = asked(seen, name, labels, redraw)
        found = corrected_rate(scores, drawn)  # type: ignore[arg-type]
        held += found.low <= truth <= found.high
        widths.append(found.high - found.low)
        plain = proportion(int(rng.choice(labels, LABELS, replace=False).sum()), LABELS)
        alone.append(plain.high - plain.low)
        looks = confidence_sequence(scores, drawn)  # type: ignore[arg-type]
        always += bool((looks.low <= labels.mean()).all() and (looks.high >= labels.mean()).all())
        last.append(looks.high[-1] - looks.low[-1])
    narrow = float(np.mean(widths))
    return Cell(
        setting.judge,
        name,
        narrow / float(np.mean(alone)),
        setting.at_most,
        held / draws,
        always / draws,
        float(np.mean(last)) / narrow,
    )


def asked(seen: Seen, name: str, labels: Floats, seed: int) -> list[Draw]:
    chosen = choose(seen, policy(name), LABELS, seed=seed)
    return [Draw(c.index, c.probability, float(labels[c.index]), c.lowest) for c in chosen]


# --- made-up worlds


@dataclass(frozen=True)
class World:
    """`cases` in a run, of which a share `rate` fails; the judge misses `miss` of them and flags `alarm` of the rest;
    each question comes `times` times with one truth; a rater errs at `errors` (miss, false alarm).
    """

    cases: int
    rate: float
    miss: float
    alarm: float
    labels: int
    times: int = 1
    errors: tuple[float, float] = (0.0, 0.0)


def worlds() -> Iterator[World]:
    for rate, miss, alarm in (
        (0.01, 0.1, 0.002),
        (0.03, 0.2, 0.02),
        (0.05, 0.0, 0.0),
        (0.3, 0.02, 0.01),
        (0.01, 1.0, 0.0),
        (0.1, 0.3, 0.1),
    ):
        for labels in (50, 100, 300):
            yield World(2_000, rate, miss, alarm, labels)
    yield World(300, 0.1, 0.2, 0.05, 150)
    yield World(300, 0.1, 0.2, 0.05, 300)
    yield World(2_000, 0.2, 0.1, 0.05, 300, times=10)
    yield World(2_000, 0.1, 0.2, 0.05, 300, errors=(0.15, 0.05))
    yield World(2_000, 0.3, 0.1, 0.1, 300, errors=(0.1, 0.1))


def in_world(job: tuple[World, int]) -> dict[str, Any]:
    """Coverage of the truth in a made-up world; with erring raters also without carrying their error."""
    world, draws = job
    rng, held, naive = np.random.default_rng(3), 0, 0
    for redraw in range(draws):
        fails = np.repeat(rng.random(world.cases // world.times) < world.rate, world.times)
        flags = np.where(fails, rng.random(len(fails)) >= world.miss, rng.random(len(fails)) < world.alarm)
        seen = Seen.of(flags.astype(float), [None] * len(flags), 0.5)
        says = np.where(
            fails, rng.random(len(fails)) >= world.errors[0], rng.random(len(fails)) < world.errors[1]
        )
        chosen = choose(seen, policy("uniform"), world.labels, seed=redraw)
        drawn = [Draw(c.index, c.probability, float(says[c.index]), c.lowest) for c in chosen]
        names = [i // world.times for i in range(len(fails))] if world.times > 1 else None
        scores = list(flags.astype(float))
        plain = corrected_rate(scores, drawn, names)
        naive += plain.low <= world.rate <= plain.high
        if any(world.errors):
            plain = corrected_rate(scores, drawn, names, error=estimated_error(world, rng))
        held += plain.low <= world.rate <= plain.high
    return {**asdict(world), "coverage": held / draws, "without_rater_error": naive / draws}


def estimated_error(world: World, rng: np.random.Generator, gold: int = 60) -> RaterError:
    """What sixty gold items of each kind tell about the raters: two binomials, half an error added to each."""
    rates = [(rng.binomial(gold, error) + 0.5) / (gold + 1) for error in world.errors]
    variances = [rate * (1 - rate) / gold for rate in rates]
    return RaterError(rates[0], rates[1], ((variances[0], 0.0), (0.0, variances[1])), 2 * gold)


# --- a judge that learned from the same labels


def learned_from(job: tuple[Floats, Floats, int]) -> dict[str, Any]:
    """A judge fitted on 200 labels of a run of 2,000 tweets, and the run's rate corrected by the same 200 labels: with
    the scores of heads that had not seen them (`crossed`, as `gadfly rate` does), and with the judge's own (`naive`).
    """
    vectors, labels, draws = job
    truth, held, widths = float(labels.mean()), {"crossed": 0, "naive": 0}, {"crossed": 0.0, "naive": 0.0}
    for redraw in range(draws):
        run = np.random.default_rng([4, redraw]).permutation(len(labels))[:2_000]
        seen = Seen.of([0.5] * len(run), [None] * len(run), 0.5)
        drawn = asked(seen, "uniform", labels[run], redraw)[:200]
        index = np.array([draw.index for draw in drawn])
        data = Labelled(vectors[run][index], labels[run][index], np.ones(len(index)), np.arange(len(index)))
        folds = folds_of(data, 0)
        heads, apart = committee(data, folds, choose_strength(data, folds), 40, 0)
        calibration = calibrate(apart, data)
        naive = calibration.members(heads.logits(vectors[run])).mean(1)
        crossed = naive.copy()
        crossed[index] = calibration.members(apart).mean(1)
        for name, scores in (("crossed", crossed), ("naive", naive)):
            found = corrected_rate(list(scores), drawn)
            held[name] += found.low <= truth <= found.high
            widths[name] += (found.high - found.low) / draws
    return {"coverage": {name: count / draws for name, count in held.items()}, "width": widths}


def learned(draws: int) -> dict[str, Any]:
    """`learned_from` on 4,000 tweets; their vectors take most of a minute."""
    texts, bad, _ = tweets()
    kept = np.random.default_rng(0).permutation(len(texts))[:4_000]
    vectors = embedder(EMBEDDING).embed([texts[i] for i in kept]).astype(float)
    return learned_from((vectors, bad[kept], draws))


# --- the whole


def spread_out(work: Callable[[Any], Any], jobs: list[Any]) -> Iterator[Any]:
    """Over the cores, in order, one finished job a line on the terminal."""
    with ProcessPoolExecutor(max(1, (os.cpu_count() or 2))) as pool:
        for done in pool.map(work, jobs):
            print(done, flush=True)
            yield done


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1_000)
    draws, began = parser.parse_args().draws, time.monotonic()
    made_up = list(spread_out(in_world, [(world, draws) for world in worlds()]))
    cells = list(spread_out(measured, [(s, name, draws) for s in settings() for name in POLICIES]))
    fitted = learned(max(50, draws // 3))
    print(fitted)
    outside = sum(not LOW <= world["coverage"] <= HIGH for world in made_up)
    print(f"tweets: {sum(cell.reached for cell in cells)} of {len(cells)} cells reached what they must")
    print(f"made up: {len(made_up) - outside} of {len(made_up)} worlds covered in 93-97 %")
    found = {
        "draws": draws,
        "labels": LABELS,
        "seconds": round(time.monotonic() - began),
        "tweets": [asdict(cell) | {"reached": cell.reached} for cell in cells],
        "made_up": made_up,
        "learned_from_the_same_labels": fitted,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {RESULTS}")


if __name__ == "__main__":
    main()
