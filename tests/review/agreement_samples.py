"""A queue as five people leave it: three take care, one hardly looks, one grows tired half-way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from gadfly.review._records import NewItem, QueueSpec, Round
from gadfly.review._store import Store

CAREFUL, LAZY, TIRED = ("ann", "bob", "cid"), "eve", "dan"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def queue(store: Store, name: str = "people", *, items: int = 300, gold: int = 30, seed: int = 0) -> None:
    """Fill a queue: two votes on every third item, gold answered by all, a second answer to one item in ten."""
    rng = np.random.default_rng(seed)
    fails = {f"case{n}": bool(rng.random() < 0.3) for n in range(items)}
    known = {f"gold{n}": n % 2 == 0 for n in range(gold)}
    store.create(QueueSpec(name))
    store.add_round(name, Round("run"), [NewItem("run", case, {}) for case in fails])
    store.add_gold(name, [NewItem("run", case, {}, gold=truth) for case, truth in known.items()])
    lines = list(_lines(fails, known, rng))
    store.import_(name, [json.dumps(line) for line in lines])


def _lines(
    fails: dict[str, bool], known: dict[str, bool], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    everyone = [*CAREFUL, LAZY, TIRED]
    asked: dict[str, list[str]] = {name: list(known) for name in everyone}
    for n, case in enumerate(fails):
        for rater in rng.permutation(everyone)[: 3 if n % 6 == 0 else 2 if n % 3 == 0 else 1]:
            asked[rater].append(case)
    truth = fails | known
    for rater, cases in asked.items():
        at = START
        for place, case in enumerate(rng.permutation(cases).tolist()):
            seconds = _seconds(rater, place / len(cases), rng)
            at += timedelta(seconds=seconds)
            said = _says(rater, truth[case], place / len(cases), rng)
            line = {"run": "run", "case_id": case, "rater": rater, "value": said, "seconds": seconds}
            if rater in CAREFUL and rng.random() < 0.25:
                first = said if rng.random() < 0.8 else "passes"
                line["first"] = {"value": first, "seconds": seconds, "at": at.isoformat()}
                line["seconds"] = seconds + 6
            yield {**line, "at": (at + timedelta(seconds=30)).isoformat()}


def _seconds(rater: str, progress: float, rng: np.random.Generator) -> float:
    typical = 2.5 if rater == LAZY else 24.0 - 12 * progress
    return round(float(typical * rng.lognormal(0, 0.4)), 1)


def _says(rater: str, fails: bool, progress: float, rng: np.random.Generator) -> str:
    if rng.random() < 0.02:
        return "cannot_tell"
    miss, alarm = (0.9, 0.04) if rater == LAZY else (0.1, 0.06)
    if rater == TIRED and progress > 0.5:
        miss, alarm = 0.65, 0.3
    return "fails" if rng.random() < (1 - miss if fails else alarm) else "passes"
