"""Does a reward model know where it errs? By kind of members, on rated tweets and on pairs of dialogues; and what K
members cost against one.

    python benchmarks/reward.py [--quick] [--only figures|cost] [--data tweets|pairs] [--methods TEXT]

- figures: five seeds, each with its own folds and bootstraps (seeds share the texts, so their intervals are over
  training; the intervals over texts are given beside them). Every figure is out of fold, from members that never saw
  the example: `fit_part` and `joint`, which is what `gadfly train reward` runs. On the tweets the label is the share of
  raters who said hate or offensive, and the error |mean prediction - that share|; on the pairs it is 1, and the error
  one minus the probability of the text that people chose. Spearman(epistemic, error) is set against the highest that
  Gleave & Irving 2022 report, 0.36; beside it stand the same of p(1 - p), which needs no ensemble, and what the
  epistemic part tells with p(1 - p) held fixed. Out of distribution: the chance that a text of another kind has the
  higher epistemic variance than one of the same kind that the members had not seen.
- cost: for each kind, five members and one, each in a process of its own, training on and then scoring the same
  texts: seconds of processor time (which other work on the machine moves less than time on the clock) and peak memory.
  Reading is timed on 64 texts and scaled.

What trunks read is kept under $GADFLY_REWARD_CACHE where that is set; a trunk that cannot be had is left out. About
half an hour on two free cores, most of it reading; `--quick` ten minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy import stats as scipy_stats

from gadfly.errors import GadflyError
from gadfly.judges import Scores
from gadfly.judges._heads import Labelled
from gadfly.judges._trunk import Read, Stems, trunk
from gadfly.stats import partial_spearman, spearman
from gadfly.training import AdapterTraining, RewardSettings, Row, Rows, to_rows
from gadfly.training._reward_card import measured
from gadfly.training._reward_fit import Checked, fit_part, joint
from reward_data import QUICK, Data, Size, load, read  # type: ignore[import-not-found]

RESULTS = Path(__file__).parent / "results" / "reward.json"
SEEDS, MEMBERS, PUBLISHED = 5, 5, 0.36
TIMED = 64
ELSEWHERE = 100

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """A kind of reward model: its settings and the trunks it stands on."""

    settings: RewardSettings
    trunks: tuple[str, ...]


def methods() -> dict[str, Method]:
    heads = RewardSettings(members=MEMBERS)
    bayes = RewardSettings(members=MEMBERS, head="laplace")
    lora = RewardSettings(members=MEMBERS, share="layers", adapters=AdapterTraining())
    three = ("smollm2", "gemma3-270m", "all-minilm-l6-v2")
    return {
        "bagged heads on SmolLM2": Method(heads, three[:1]),
        "bagged heads on MiniLM": Method(heads, three[2:]),
        "bagged heads on Gemma 3": Method(heads, three[1:2]),
        "Laplace on SmolLM2": Method(bayes, three[:1]),
        "Laplace on MiniLM": Method(bayes, three[2:]),
        "bagged LoRA on SmolLM2": Method(lora, three[:1]),
        "one head a trunk, SmolLM2 and MiniLM": Method(replace(heads, members=1), (three[0], three[2])),
        "different trunks, SmolLM2 and MiniLM": Method(heads, (three[0], three[2])),
        "different trunks, all three": Method(heads, three),
    }


# --- figures


def rows_of(data: Data, kind: str) -> Rows:
    texts = [data.texts[n] for n in data.places[kind]]
    if kind == "pairs":
        return to_rows([Row(a, 1.0, b) for a, b in zip(texts[::2], texts[1::2], strict=True)])
    return to_rows([Row(text, float(share)) for text, share in zip(texts, data.votes_N_2[:, 0], strict=True)])


OUTSIDE = {
    "tweets": ("shuffled tweets", "pairs", "passages"),
    "pairs": ("shuffled dialogues", "tweets", "passages"),
}


def reads_of(
    data: Data, rows: Rows, kind: str, method: Method, outside: bool = True
) -> tuple[list[Read], dict[str, list[Read]]]:
    """What each trunk makes of the rows' texts, and of up to 100 texts of each other kind."""
    top = method.settings.adapted
    place = {data.texts[n]: i for i, n in enumerate(data.places[kind])}
    order = [place[text] for text in rows.texts]
    inside = [some(read(one, kept(data, kind), top), order) for one in method.trunks]
    others = {
        other: [read(one, kept(data, other)[:ELSEWHERE], top) for one in method.trunks]
        for other in (OUTSIDE[kind] if outside else ())
    }
    return inside, others


def kept(data: Data, kind: str) -> list[str]:
    return [data.texts[n] for n in data.places[kind]]


def some(found: Read, picked: Sequence[int]) -> Read:
    places = list(picked)
    return Read(found.features_N_D[places], found.stems[places] if len(found.stems) else Stems())


def figures(data: Data, seeds: int, wanted: argparse.Namespace, found: dict[str, Any]) -> None:
    """The figures of the methods that are wanted, beside those that were found before."""
    for kind in [one for one in ("tweets", "pairs") if wanted.data in ("", one)]:
        rows = rows_of(data, kind)
        before = found.get(kind, {}).get("methods", {}) if found.get(kind, {}).get("n") == len(rows) else {}
        found[kind] = {"n": len(rows), "seeds": seeds, "methods": before}
        for name, method in methods().items():
            if wanted.methods not in name:
                continue
            try:
                inside, others = reads_of(data, rows, kind, method)
            except GadflyError as error:
                print(f"{kind:7} {name}: left out ({error})", flush=True)
                continue
            runs = [one_seed(rows, inside, others, method, seed) for seed in range(seeds)]
            found[kind]["methods"][name] = over_seeds(runs)
            report(kind, name, found[kind]["methods"][name])
            keep("figures", found)


def one_seed(
    rows: Rows, inside: list[Read], others: dict[str, list[Read]], method: Method, seed: int
) -> dict[str, Any]:
    """All figures of one training."""
    settings = replace(method.settings, seed=seed)
    parts = [
        fit_part(found, rows, trunk(name), settings)
        for found, name in zip(inside, method.trunks, strict=True)
    ]
    _, logits_R_K = joint(parts, rows)
    scores, said, _ = measured(logits_R_K, rows)
    error_N, total_N = np.abs(scores.mean_N - said.labels_N), scores.mean_N * (1 - scores.mean_N)
    out: dict[str, Any] = {
        "accuracy": float(((scores.mean_N >= 0.5) == said.flagged).mean()),
        "auroc": area(*sides(scores.mean_N, said, rows)),
        "calibration_error": expected_error(scores.mean_N, said, rows),
        "epistemic_error": rank(scores.epistemic_N, error_N),
        "total_error": rank(total_N, error_N),
        "epistemic_hard_error": rank(scores.epistemic_N, np.abs(scores.mean_N - said.flagged)),
        "checked": len(error_N),
    }
    beyond = partial_spearman(scores.epistemic_N, error_N, total_N) if seed == 0 else None
    out["beyond"] = partial(scores.epistemic_N, error_N, total_N)
    disagreement = said.labels_N * (1 - said.labels_N)
    if disagreement.any():
        out["aleatoric_disagreement"] = rank(scores.aleatoric_N, disagreement)
        out["epistemic_disagreement"] = rank(scores.epistemic_N, disagreement)
    if beyond is not None:
        over_texts = {"epistemic_error": spearman(scores.epistemic_N, error_N), "beyond": beyond}
        out["over_texts"] = {key: [e.point, e.low, e.high] for key, e in over_texts.items()}
    out |= elsewhere(parts, inside, others)
    return out


def elsewhere(parts: list[Checked], inside: list[Read], others: dict[str, list[Read]]) -> dict[str, float]:
    """AUROC of the epistemic variance, and of p(1 - p), between unseen texts of the same kind and each other kind."""
    home = parts[0].unseen.tolist()
    within = members(parts, [some(found, home) for found in inside])
    found = {}
    for kind, reads in others.items():
        beyond = members(parts, reads)
        labels = np.repeat([False, True], [len(home), len(beyond.mean_N)])
        for name in ("epistemic_N", "mean_N"):
            values = [getattr(scores, name) for scores in (within, beyond)]
            values = [v * (1 - v) if name == "mean_N" else v for v in values]
            found[f"{'epistemic' if name == 'epistemic_N' else 'total'}_on_{kind}"] = area(
                np.concatenate(values), labels
            )
    return found


def members(parts: list[Checked], reads: list[Read]) -> Scores:
    """What the members of the first fold say."""
    logits = [one.first.logits(found) for one, found in zip(parts, reads, strict=True)]
    return Scores(special.expit(np.hstack(logits)))


def rank(x_N: Floats, y_N: Floats) -> float:
    if np.ptp(x_N) == 0 or np.ptp(y_N) == 0:
        return float("nan")
    return float(scipy_stats.spearmanr(x_N, y_N).statistic)


def partial(x_N: Floats, y_N: Floats, held_N: Floats) -> float:
    xy, xh, yh = rank(x_N, y_N), rank(x_N, held_N), rank(y_N, held_N)
    return (xy - xh * yh) / math.sqrt(max((1 - xh**2) * (1 - yh**2), 1e-12))


def sides(means_N: Floats, said: Labelled, rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
    """Predictions and classes; each pair in both orders."""
    if not rows.pairs.any():
        return means_N, said.flagged
    return np.concatenate([means_N, 1 - means_N]), np.concatenate([said.flagged, ~said.flagged])


def area(scores_N: Floats, flagged_N: NDArray[np.bool_]) -> float:
    """AUROC by ranks."""
    yes = int(flagged_N.sum())
    ranks = scipy_stats.rankdata(scores_N)[flagged_N].sum()
    return float((ranks - yes * (yes + 1) / 2) / (yes * (len(scores_N) - yes)))


def expected_error(means_N: Floats, said: Labelled, rows: Rows) -> float:
    """Expected calibration error over ten bins of as many predictions each."""
    labels_N = said.labels_N
    if rows.pairs.any():
        means_N, labels_N = np.concatenate([means_N, 1 - means_N]), np.concatenate([labels_N, 1 - labels_N])
    bins = np.array_split(np.argsort(means_N, kind="stable"), 10)
    return float(sum(len(b) * abs(means_N[b].mean() - labels_N[b].mean()) for b in bins) / len(means_N))


def over_seeds(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and 95 % t-interval over seeds of each figure."""
    found: dict[str, Any] = {}
    for key, value in runs[0].items():
        if not isinstance(value, float):
            found[key] = value
            continue
        values = np.array([run[key] for run in runs])
        half = 0.0
        if len(values) > 1:
            half = float(
                scipy_stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
            )
        mean = float(values.mean())
        found[key] = {"mean": mean, "low": mean - half, "high": mean + half}
    found["reaches_published"] = bool(found["epistemic_error"]["low"] > PUBLISHED)
    return found


def report(kind: str, name: str, row: dict[str, Any]) -> None:
    def shown(key: str) -> str:
        one = row[key]
        return f"{one['mean']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"

    words = [
        f"AUROC {shown('auroc')}",
        f"off by {shown('calibration_error')}",
        f"epistemic~error {shown('epistemic_error')}",
        f"p(1-p)~error {shown('total_error')}",
        f"beyond it {shown('beyond')}",
    ]
    if "aleatoric_disagreement" in row:
        words.append(f"aleatoric~disagreement {shown('aleatoric_disagreement')}")
    words += [
        f"on {key.removeprefix('epistemic_on_')} {shown(key)}"
        for key in row
        if key.startswith("epistemic_on_")
    ]
    print(f"{kind:7} {name}: {'; '.join(words)}", flush=True)


# --- cost

COSTED = ("bagged heads on SmolLM2", "Laplace on SmolLM2", "bagged LoRA on SmolLM2")


def cost(size: Size, wanted: argparse.Namespace, found: dict[str, Any]) -> None:
    """Five members against one for each kind, in processes of their own, in turn.

    Reading is the same work for both, so its time, measured in each process, is averaged.
    """
    for kind in [one for one in ("tweets", "pairs") if wanted.data in ("", one)]:
        for name in [one for one in COSTED if wanted.methods in one]:
            many, one = (measured_apart(kind, name, count, size) for count in (MEMBERS, 1))
            read_s = (many["read_s"] + one["read_s"]) / 2
            ratios = {
                "train_time": (read_s + many["fit_s"]) / (read_s + one["fit_s"]),
                "score_time": (read_s + many["above_s"]) / (read_s + one["above_s"]),
                "peak_memory": many["peak_bytes"] / one["peak_bytes"],
            }
            found[f"{name}, {kind}"] = {"five": many, "one": one, "ratio": ratios}
            keep("cost", found)
            words = ", ".join(f"{key} {ratio:.3f}" for key, ratio in ratios.items())
            print(f"cost of five against one, {kind}, {name}: {words}", flush=True)


def measured_apart(kind: str, name: str, count: int, size: Size) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", kind, name, str(count), str(size.tweets)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def measure(kind: str, name: str, count: int, size: Size) -> dict[str, float]:
    """Processor seconds of reading, fitting and scoring above the trunk, and the most memory that was held."""
    data = load(size)
    assert data is not None
    rows, method = rows_of(data, kind), methods()[name]
    head = "bagged" if count == 1 else method.settings.head
    settings = replace(method.settings, members=count, head=head)
    base, top = trunk(method.trunks[0]), method.settings.adapted
    longest = sorted(rows.texts, key=len)[-8:]
    base.read(longest, top)  # what is done once a process is not counted, and the batch that holds the most
    sample = rows.texts[:: max(1, len(rows.texts) // TIMED)]
    read_s = seconds(lambda: base.read(sample, top)) * len(rows.texts) / len(sample)
    found, _ = reads_of(data, rows, kind, method, outside=False)
    begun = time.process_time()
    part = fit_part(found[0], rows, base, settings).part
    fit_s = time.process_time() - begun
    above_s = seconds(lambda: part.logits(found[0]))
    return {
        "texts": len(rows.texts),
        "read_s": read_s,
        "fit_s": fit_s,
        "above_s": above_s,
        "peak_bytes": peak_bytes(),
    }


def seconds(work: Callable[[], Any]) -> float:
    """Processor seconds of some work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def peak_bytes() -> int:
    """The most memory this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# ---


def kept_before(stage: str) -> dict[str, Any]:
    return dict(json.loads(RESULTS.read_text("utf-8")).get(stage, {})) if RESULTS.is_file() else {}


def keep(stage: str, values: dict[str, Any]) -> None:
    """Write what has been found so far: a method takes minutes."""
    found = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps(found | {stage: values}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer texts and two seeds")
    parser.add_argument("--only", choices=("figures", "cost"))
    parser.add_argument("--data", choices=("tweets", "pairs"), default="", help="only these")
    parser.add_argument("--methods", default="", help="only those whose name holds this")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        kind, name, count, tweets = options.measure
        size = next(one for one in (QUICK, Size()) if one.tweets == int(tweets))
        print(json.dumps(measure(kind, name, int(count), size)))
        return
    size = QUICK if options.quick else Size()
    data = load(size)
    if data is None:
        return
    if options.only != "cost":
        figures(data, 2 if options.quick else SEEDS, options, kept_before("figures"))
    if options.only != "figures":
        cost(size, options, kept_before("cost"))
    print(f"Written to {RESULTS}")


if __name__ == "__main__":
    main()
