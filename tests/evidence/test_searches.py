"""Searching further before declining: it happens where it is worth its cost, and the stated risk holds all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evidence_samples import quoting

from gadfly.corpora import Document, in_memory
from gadfly.evidence import Asking, Chosen, answer, cases_of, tune, wrong
from gadfly.evidence._declining import _Promise, _Questions, _thresholds
from gadfly.evidence._setting import Setting
from gadfly.judges._base import Finding, PatternJudge
from gadfly.runs import Settings, run
from gadfly.transcripts import Case, Judgement, Transcript

RISK, SEARCHES = 0.2, 2
RUN: Any = SimpleNamespace(info={"judges": {"wrong": {"threshold": 0.5}}})
ONE = Setting({"documents": 1}, 1, {})


def drawn(n: int, seed: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and losses of n questions, (search, question): the surer the fewer.

    Three questions in ten are hard, with more losses in every search; `contrary`: with more in the first and fewer in
    the further ones; `blind`: confidence in the further searches knows nothing, and they lose a little more than RISK.
    """
    rng = np.random.default_rng(seed)
    sure, hard = rng.random((SEARCHES + 1, n)), 0.1 * (rng.random(n) < 0.3)
    chance = 0.6 * (1 - sure) ** 2 + np.array([[0.0], [0.02], [0.04]])
    chance[0] += hard
    chance[1:] += -hard if kind == "contrary" else hard
    if kind == "blind":
        chance[1:] = RISK + 0.005
    depth = np.array([[1.0], [25.0], [81.0]])  # a passage's rank, squared
    return sure / depth, rng.random(chance.shape) < chance.clip(0, 1)


def asked(sure: np.ndarray, lost: np.ndarray) -> _Questions:
    """The same as a run's questions with one passage and one sample a search."""

    def one(question: int, search: int) -> Chosen:
        told = Transcript(Case("c", 0, 0), (), metadata={"rank": search + 1})
        judged = {"wrong": Judgement("c", "wrong", float(lost[search, question]))}
        return Chosen(question, told, judged, float(sure[search, question]))

    return _Questions([[one(q, s) for s in range(len(sure))] for q in range(sure.shape[1])], 3, 0, 0)


def risks(thresholds: list[float], sure: np.ndarray, lost: np.ndarray) -> list[float]:
    """The rate of losses among the answers given, after each search."""
    left, answered, faults, found = np.ones(sure.shape[1], bool), 0, 0, []
    for search, threshold in enumerate(thresholds):
        given = left & (sure[search] >= threshold)
        answered, faults, left = answered + given.sum(), faults + lost[search][given].sum(), left & ~given
        found.append(faults / answered)
    return found


@pytest.mark.parametrize(("kind", "most"), [("alike", 1.0), ("contrary", 1.0), ("blind", 0.1)])
def test_the_stated_risk_holds_wherever_one_stops_searching(kind, most):
    world, broken, further, draws = drawn(200_000, 10_000, kind), 0, 0, 150
    for seed in range(draws):
        questions = asked(*drawn(500, seed, kind))
        found = _thresholds(RUN, questions, ONE, _Promise("wrong", RISK, 0.95, SEARCHES))
        values = [one.value for one in found if one.value is not None]
        broken += any(risk > RISK for risk in risks(values, *world))
        further += len(values) > 1
    assert broken <= 0.05 * draws
    assert (0.3 if most == 1.0 else 0.0) * draws <= further <= most * draws


TOWNS = [
    f"{a}{b}"
    for a in ("hal", "mar", "os", "vel", "quar", "tar", "bir", "sun")
    for b in ("den", "lo", "tra", "mo")
]


def library():
    """Two documents on each town's bridge: of every other town the first that is found does not say when."""
    for number, town in enumerate(TOWNS):
        says, other = f"It was opened in {1800 + number}.", "Nobody knows its age."
        near = f"When was the {town} bridge opened? The {town} bridge, when opened."
        first, second = (other, says) if number % 2 else (says, other)
        yield Document(f"{town}1", f"{town} 1", f"{near} {first}")
        yield Document(f"{town}2", f"{town} 2", f"The {town} bridge. {second}")


def say(messages, seed):
    shown = messages[-1][1].rpartition("\n\nQuestion:")[0]
    year = next((word for word in shown.replace(".", " ").split() if word.startswith("18")), "nobody knows")
    title = shown.removeprefix("Document: ").split("\n")[0]
    quote = f"It was opened in {year}." if year != "nobody knows" else "Nobody knows its age."
    return f"%<{year}>%({title})%[{quote}]%"


def knows() -> PatternJudge:
    return PatternJudge("knows", 0.5, lambda one: Finding(0.9 if "nobody" in one.metadata["claim"] else 0.1))


@pytest.fixture
def asking(tmp_path):
    """A threshold set on a run over two passages, for one search after the first, and what asks by it."""
    game = replace(quoting(say, documents=2, retries=0), corpus=in_memory(list(library())))
    rows = [
        {"question": f"when was the {town} bridge opened", "answers": [str(1800 + number)]}
        for number, town in enumerate(TOWNS)
    ]
    settings = Settings(directory=tmp_path, progress=False)
    made = asyncio.run(run(game, cases_of(rows, 2), [wrong(), knows()], settings=settings))
    decline = tune(made, "knows", 0.3, assurance=0.8, searches=1)
    return Asking(replace(game, documents=1), 1, knows(), decline)


def test_a_question_whose_answer_is_further_down_is_answered_by_a_further_search(asking):
    assert [one.n for one in asking.decline.rounds] == [32, 16]
    assert asking.decline.chance(1) == 1.0
    near, far = (asyncio.run(answer(f"when was the {town} bridge opened", asking)) for town in TOWNS[:2])
    assert (near.declined, near.chosen.metadata["claim"], near.searched) == (False, "1800", 1)
    assert (far.declined, far.chosen.metadata["claim"], far.searched) == (False, "1801", 2)
    assert (far.chosen.metadata["rank"], far.unpromised) == (2, "")
    assert far.confidence == pytest.approx(0.9 / 4)


def test_no_search_is_made_that_costs_more_than_its_chance(asking):
    for frugal in (replace(asking, cost=1.0), replace(asking, searches=0)):
        far = asyncio.run(answer(f"when was the {TOWNS[1]} bridge opened", frugal))
        assert (far.declined, far.searched) == (True, 1)


def test_an_answer_in_another_setting_says_that_its_risk_is_not_promised(asking):
    told = asyncio.run(answer(f"when was the {TOWNS[0]} bridge opened", replace(asking, samples=2)))
    assert "number of answers 1 (now 2)" in told.unpromised
    given = asyncio.run(answer(f"when was the {TOWNS[0]} bridge opened", asking, "It was in 1800."))
    assert "claims of the model's own" in given.unpromised
