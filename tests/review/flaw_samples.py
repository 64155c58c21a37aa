"""Debates that a judge got right or wrong, played by scripts, and what a rater sees of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gadfly.debate import Debating, Move, Position, Said, ScriptedJudge, Skilled, Weighed, protocol
from gadfly.models._blocking import run_blocking
from gadfly.review._debated import debate_payload
from gadfly.runs import Run, Settings, run
from gadfly.transcripts import Transcript

DOCUMENT = (
    "The bird of the island eats seeds in summer. " + "It nests in May. " * 60 + "In winter it eats snails."
)
QUOTED = "eats seeds in summer"


@dataclass(frozen=True)
class Speaker(Skilled):
    """Says so many words for its answer, with a quotation that stands in the document and one that does not."""

    words: str = ""

    async def say(self, move: Move) -> Said:
        said = (
            self.words
            or f"The text says <quote>{QUOTED}</quote>, and <quote>a lie</quote>, so it is {move.mine}."
        )
        return Said(said)


@dataclass(frozen=True)
class Erring(ScriptedJudge):
    """Gives the right answer to questions of an odd number, the wrong one to others."""

    async def weigh(self, position: Position, seed: int) -> Weighed:
        odd = int(position.dispute.question.split()[1]) % 2
        believed = position.dispute.correct if odd else 1 - (position.dispute.correct or 0)
        return Weighed(0.9 if believed == 0 else 0.1)


def debates(directory: Path, questions: int = 4, words: str = "", known: bool = True, **row: Any) -> Run:
    """A run of so many questions, two debates on each, of four statements; even ones the judge got wrong."""
    rules = protocol("debate").rules.model_copy(update={"loses": (), "slack": 10.0})
    game = Debating(
        protocol("debate").changed(opening=(), closing=(), rounds=2, rules=rules),
        {"first": Speaker(0.0, words=words), "second": Speaker(0.0, words=words)},
    )
    asked = [{"question": f"Question {n} about it?", "answers": ["seeds", "snails"], "document": DOCUMENT, **row}
             for n in range(questions)]  # fmt: skip
    cases = [
        {**one, "of": n, "swapped": swapped, **({"correct": 0} if known else {})}
        for n, one in enumerate(asked)
        for swapped in (False, True)
    ]
    settings = Settings(directory, progress=False)
    return run_blocking(run(game, cases, [Erring()], settings=settings))


def transcripts(made: Run) -> Sequence[Transcript]:
    return sorted(made.transcripts(), key=lambda one: one.case.index)


def payloads(directory: Path, questions: int = 1, **options: Any) -> list[Mapping[str, Any]]:
    """What raters see of these debates."""
    return [debate_payload(one) for one in transcripts(debates(directory, questions, **options))]
