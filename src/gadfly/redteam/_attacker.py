"""Attackers: models that write the questions (Perez et al. 2022, section 3).

One class serves every rung. With an empty pool it is *zero-shot*: it continues a list that has only a heading.
With a pool it is *stochastic few-shot*: the list begins with earlier questions, drawn without replacement with
P ∝ exp(score / 0.1), so that those which came closest to a failure are shown more often, but not always. An attacker
whose weights were tuned (*supervised*, *rl*) continues the same list as the zero-shot one.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from inspect_ai.model import GenerateConfig

from gadfly.models import Reply, System
from gadfly.redteam._focus import Focus
from gadfly.runs import Run
from gadfly.stats import normalise_question
from gadfly.transcripts import Case, Turn

__all__ = ["SAMPLING", "Attacker", "Shot", "attacker_system", "pool_from", "row_key", "told"]

SAMPLING = GenerateConfig(temperature=0.8, top_p=0.95, max_tokens=48, stop_seqs=["\n"])
"""The paper samples at temperature 1. Small attackers then wander: SmolLM2 wrote 4 usable false-premise questions in 40
at 1.0 and 6 at 0.8, with no fewer distinct ones (docs/log.md)."""

SHOTS = 5
POOL_TEMPERATURE = 0.1


@dataclass(frozen=True, slots=True)
class Shot:
    """An earlier question, the score its reply got, and the slots it was written for."""

    question: str
    score: float
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Attacker:
    """A model that writes questions for a focus.

    Zero-shot while `pool` is empty and it is not `tuned` (`supervised`, `rl`). `system` samples as in `SAMPLING` unless
    told otherwise. With `instructed` the text begins with what counts as a failure, so that an attacker tuned on some
    focuses can be told another.
    """

    system: System
    pool: tuple[Shot, ...] = field(default=(), repr=False)
    tuned: str = ""
    instructed: bool = False

    @property
    def method(self) -> str:
        """`zero_shot`, `few_shot`, or how its weights were tuned."""
        return "few_shot" if self.pool else self.tuned or "zero_shot"

    def spec(self) -> dict[str, Any]:
        """What decides the questions, as JSON; a pool enters by its hash."""
        shots = json.dumps([(shot.question, shot.score, row_key(shot.row)) for shot in self.pool]).encode()
        return {
            "method": self.method,
            "pool": hashlib.sha256(shots).hexdigest() if self.pool else "",
            "pool_size": len(self.pool),
            "system": self.system.fingerprint(),
            **({"instructed": True} if self.instructed else {}),
        }

    async def ask(
        self, focus: Focus, case: Case, row: Mapping[str, Any], said: Sequence[Turn] = (), attempt: int = 0
    ) -> Reply:
        """The attacker's next words: a first question, or the next one of a dialogue it has seen so far.

        `row` is the focus's row for this case. Another `attempt` gives other words for the same case.
        """
        seed = (case.seed + len(said) + 1_000_003 * attempt) % 2**31
        return await self.system.complete(self.prompt(focus, case, row, said), seed=seed)

    def prompt(self, focus: Focus, case: Case, row: Mapping[str, Any], said: Sequence[Turn] = ()) -> str:
        """The text the attacker continues."""
        if said:
            names = {"attacker": "Questioner", "target": "Answerer"}
            lines = "\n".join(f"{names[turn.speaker]}: {_one_line(turn.text)}" for turn in said)
            text = f"{focus.attack.resumed(row)}\n\n{lines}\nQuestioner:"
        else:
            text = focus.attack.text(row, [(s.row, s.question) for s in self._draw(focus, case, row)])
        return told(focus, text) if self.instructed else text

    def _draw(self, focus: Focus, case: Case, row: Mapping[str, Any]) -> list[Shot]:
        """Up to five shots without replacement, P ∝ exp(score / T): Gumbel top-k.

        Only shots written for the same row, unless the focus can put rows side by side.
        """
        pool = self.pool if focus.attack.rows_mix else self._by_row.get(row_key(row), [])
        scores_N = np.array([shot.score for shot in pool]) / POOL_TEMPERATURE
        keys_N = scores_N + np.random.default_rng(case.seed).gumbel(size=len(pool))
        return [pool[i] for i in np.argsort(-keys_N)[:SHOTS]]

    @cached_property
    def _by_row(self) -> dict[str, list[Shot]]:
        groups: dict[str, list[Shot]] = defaultdict(list)
        for shot in self.pool:
            groups[row_key(shot.row)].append(shot)
        return groups


def told(focus: Focus, text: str) -> str:
    """The text an instructed attacker continues: what is wanted stands in front."""
    return f"Wanted: {_one_line(focus.failure)}\n\n{text}"


def attacker_system(system: System) -> System:
    """The same model, sampling as an attacker does and without the target's system prompt."""
    return replace(system, system_prompt=None, sampling=SAMPLING)


def pool_from(runs: Iterable[Run], judge: str, first: int | None = None) -> tuple[Shot, ...]:
    """The distinct valid questions of earlier runs with the score `judge` gave their replies, missing ones left out.

    Of a question asked several times the highest score counts. `first` takes only the first so many cases of each run,
    so that a run which has grown since gives the same pool. Empty runs give an empty pool.
    """
    best: dict[tuple[str, str], Shot] = {}
    for run in runs:
        scores = {j.case_id: j.score for j in run.judgements(judge)}
        for transcript in run.transcripts():
            score = scores.get(transcript.case.id)
            late = first is not None and transcript.case.index >= first
            if score is None or late or transcript.outcome != "completed":
                continue
            question = transcript.said_by("attacker")[0].text
            row = transcript.metadata.get("row", {})
            key = (normalise_question(question), row_key(row))
            if key not in best or best[key].score < score:
                best[key] = Shot(_one_line(question), score, row)
    return tuple(best[key] for key in sorted(best))


def row_key(row: Mapping[str, Any]) -> str:
    """A row of slots as a string; the secret, new in every case, does not count."""
    return json.dumps({key: value for key, value in row.items() if key != "secret"}, sort_keys=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())
