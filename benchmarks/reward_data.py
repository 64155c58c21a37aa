"""What benchmarks/reward.py measures on: tweets, pairs and texts from elsewhere, read once by each trunk.

What a trunk read is kept under `$GADFLY_REWARD_CACHE`, or not at all where that is not set: reading everything takes a
quarter of an hour on two cores. Run as a script, it fills that folder: `python benchmarks/reward_data.py smollm2
gemma3-270m all-minilm-l6-v2`.
"""

from __future__ import annotations

import gzip
import hashlib
import inspect
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gadfly.judges import _trunk
from gadfly.judges._trunk import Read, Stems, trunk

HERE = Path(__file__).parent
DATA = Path(os.environ.get("GADFLY_DATA", HERE.parent.parent / "shared" / "data"))
FILES = ("hh-harmless.jsonl.gz", "offensive-tweets.jsonl.gz", "nq-oracle.jsonl.gz")
ADAPTED = ("smollm2",)
"""Trunks of which the stems are kept as well, for members that adapt the top layer."""
CHUNK = 50

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """How many tweets, how many pairs, and how many texts of each other kind."""

    tweets: int = 1_500
    pairs: int = 300
    elsewhere: int = 100


QUICK = Size(600, 200, 60)


@dataclass(frozen=True)
class Data:
    """All texts in one list, and where in it each kind begins. `votes_N_2` holds, for each tweet, the share of its
    raters who called it hateful or offensive, and how many raters there were. Pairs lie as chosen, rejected, chosen...
    """

    texts: tuple[str, ...]
    votes_N_2: Floats
    places: dict[str, range]


def load(size: Size) -> Data | None:
    """The data, or None where it is not there."""
    if not all((DATA / name).is_file() for name in FILES):
        print("reward: skipped, the data are not there; set GADFLY_DATA to their folder.")
        return None
    pairs, tweets, passages = (rows(name) for name in FILES)
    rng = np.random.default_rng(0)
    tweets = [tweets[i] for i in rng.permutation(len(tweets))[: size.tweets]]
    pairs = [pairs[i] for i in rng.permutation(len(pairs))[: size.pairs]]
    passages = [passages[i] for i in rng.permutation(len(passages))[: size.elsewhere]]
    said = [row[side].strip() for row in pairs for side in ("chosen", "rejected")]
    kinds = {
        "tweets": [row["text"] for row in tweets],
        "pairs": said,
        "passages": [passage(row) for row in passages],
        "shuffled tweets": [shuffled(row["text"], n) for n, row in enumerate(tweets[: size.elsewhere])],
        "shuffled dialogues": [shuffled(text, n) for n, text in enumerate(said[: 2 * size.elsewhere : 2])],
    }
    places, start = {}, 0
    for kind, texts in kinds.items():
        places[kind] = range(start, start + len(texts))
        start += len(texts)
    flagged = [[(row["hate"] + row["offensive"]) / row["raters"], row["raters"]] for row in tweets]
    return Data(tuple(text for texts in kinds.values() for text in texts), np.array(flagged, float), places)


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def passage(row: dict[str, Any]) -> str:
    """The Wikipedia passage, cut to about the length of a dialogue."""
    return str(row["passage"])[:600]


def shuffled(text: str, seed: int) -> str:
    return " ".join(np.random.default_rng(seed).permutation(text.split()))


READER = inspect.getsource(_trunk)
"""How trunks read: what was read otherwise is not used again."""


def read(name: str, texts: Sequence[str], top: int = 0) -> Read:
    """What a trunk makes of the texts, from the cache where there is one; it is filled a chunk at a time."""
    kept = os.environ.get("GADFLY_REWARD_CACHE")
    used = trunk(name)
    if not kept:
        return used.read(texts, top)
    parts = []
    for start in range(0, len(texts), CHUNK):
        piece = texts[start : start + CHUNK]
        told = "\0".join((used.sha256, READER, *piece)).encode(errors="replace")
        files = [
            Path(kept) / f"{name}-{deep}-{hashlib.sha256(told).hexdigest()[:16]}.npz" for deep in (top, 1)
        ]
        if not any(file.is_file() for file in files):
            save(used.read(piece, top), files[0])
        found = load_read(next(file for file in files if file.is_file()))
        parts.append(found if top else Read(found.features_N_D))  # reading deeper changes no feature
    stems = Stems(
        tuple(one for part in parts for one in part.stems.states),
        tuple(one for part in parts for one in part.stems.keys_values),
    )
    return Read(np.vstack([part.features_N_D for part in parts]), stems)


def save(found: Read, file: Path) -> None:
    import torch

    arrays: dict[str, Any] = {"features": found.features_N_D}
    if len(found.stems):
        flat = [kv.flatten(0, 2).transpose(0, 1) for kv in found.stems.keys_values]  # (T, ...)
        arrays["states"] = torch.stack(found.stems.states).numpy()
        arrays["shape"] = np.array(found.stems.keys_values[0].shape)
        arrays["counts"] = np.array([len(one) for one in flat])
        arrays["keys_values"] = torch.cat(flat).to(torch.bfloat16).contiguous().view(torch.int16).numpy()
    part = file.with_suffix(f".{os.getpid()}.npz")
    np.savez(part, **arrays)
    part.replace(file)


def load_read(file: Path) -> Read:
    import torch

    with np.load(file) as kept:
        features = kept["features"]
        if "states" not in kept:
            return Read(features)
        layers, two, heads, _, width = kept["shape"].tolist()
        states = tuple(torch.from_numpy(kept["states"]))
        flat: Any = torch.from_numpy(kept["keys_values"]).view(torch.bfloat16)
        flat = torch.split(flat, kept["counts"].tolist())
        stems = tuple(one.transpose(0, 1).reshape(layers, two, heads, -1, width) for one in flat)
    return Read(features, Stems(states, stems))


def everything(name: str, data: Data) -> Read:
    """What a trunk makes of all texts, kind by kind."""
    parts = [
        read(name, [data.texts[n] for n in place], int(name in ADAPTED)) for place in data.places.values()
    ]
    stems = Stems(
        tuple(one for part in parts for one in part.stems.states),
        tuple(one for part in parts for one in part.stems.keys_values),
    )
    return Read(np.vstack([part.features_N_D for part in parts]), stems)


if __name__ == "__main__":
    for size in (QUICK, Size()):
        if data := load(size):
            for name in sys.argv[1:]:
                started = time.perf_counter()
                everything(name, data)
                print(
                    f"{name} read {len(data.texts):,} texts in {time.perf_counter() - started:.0f} s",
                    flush=True,
                )
