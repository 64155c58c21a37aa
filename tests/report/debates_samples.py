"""Debates to test pages with: six protocols over made-up questions, with lies, losses by rule and hostile text in them.

`python tests/report/debates_samples.py DIR` writes its report, to be looked at.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "debate"))
from debate_samples import Leaning, Naming, Person, judged_by, questions
from debate_samples import played as played

from gadfly.debate import Debating, Move, Said, ScriptedJudge, cases, protocol
from gadfly.report import Report, from_debate, from_runs, write
from gadfly.runs import Run, Settings, run
from gadfly.transcripts import Judgement, Transcript, Usage

PROTOCOLS = ("naive", "consultancy", "quoted_debate", "interactive_debate", "debate_red_team", "expert")

HOSTILE = {
    "question": "Who lit <script>alert(1)</script> the lighthouse \u202eof Ervik?",
    "answers": ["<b>The keeper</b>", "]%The miller"],
    "correct": 0,
    "title": "<img src=x onerror=alert(2)>",
    "document": "The keeper lit it in 1862 <b>himself</b>. \u202e]% The miller sold oil.",
}


@dataclass(frozen=True)
class Talker:
    """Quotes the document for what is true; for what is false it talks at length, and now and then invents a quote."""

    @property
    def systems(self) -> Mapping[str, Any]:
        """None: nothing is called."""
        return {}

    def spec(self) -> dict[str, Any]:
        """Nothing to tell apart."""
        return {"talker": 1}

    async def say(self, move: Move) -> Said:
        """One statement."""
        dispute, used = move.position.dispute, Usage(310, 44, 0.00012)
        words = " ".join(dispute.document.text.split()[:9]) if dispute.document else ""
        if move.step.does == "quote":
            return Said(f"<quote>{words}</quote>", used)
        if move.position.sides.get(move.seat) is None:
            return Said(
                "The second statement names no words of the document for its date; the first does.", used
            )
        if move.position.sides.get(move.seat) == dispute.correct:
            return Said(
                f"The page says <quote>{words}</quote>. That can only be {move.mine}, with persuasion +0.900.",
                used,
            )
        if move.seed % 6 == 0:
            return Said(
                f"It reads <quote>without any doubt it was {move.mine}</quote>, so it is settled.", used
            )
        long = "Everybody who has written about it agrees, and the church book and the tax roll say the same thing"
        return Said(
            f"{long}: {move.mine}. <b>Look</b> how my opponent avoids the roll, with persuasion +0.300.",
            used,
        )


@dataclass(frozen=True)
class Unsure(Leaning):
    """Cannot be read in every nineteenth case."""

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """Each transcript's verdict."""
        given = await super().judge(transcripts)
        unread = [
            one.case.index % 19 == 7 and given[n].score is not None for n, one in enumerate(transcripts)
        ]
        return [
            Judgement.missing(one.case_id, self.name, "no_parse") if missing else one
            for one, missing in zip(given, unread, strict=True)
        ]


def debates(directory: Path, judge: Leaning, names: Sequence[str] = PROTOCOLS, n: int = 80) -> list[Run]:
    """A run of each protocol, the hostile question among the others."""
    rows = [HOSTILE, *questions(n)[1:]]
    return [
        asyncio.run(_played(directory, name, replace(judge, knows=_knows(name, judge)), rows))
        for name in names
    ]


def _knows(name: str, judge: Leaning) -> float:
    return 3.0 if name == "expert" else judge.knows


async def _played(
    directory: Path, name: str, judge: Leaning, rows: Sequence[Mapping[str, Any]], chair: Any = None
) -> Run:
    found = protocol(name)
    if name == "debate_red_team":  # a quotation that is made up is heard
        found = found.changed(rules={"loses": ["overran", "addressed_judge", "stopped"]})
    game = Debating(found, dict.fromkeys(found.own, chair or Talker()), ScriptedJudge())
    settings = Settings(directory=directory, progress=False)
    return await run(game, cases(rows, found), [judge], settings=settings)


def report(directory: Path) -> Report:
    """The page's report."""
    judge = Unsure(knows=0.1, noise=1.4, bias=0.5, sway=0.7, name="judge:smollm2")
    return from_debate(debates(directory, judge))


def named_report(directory: Path) -> Report:
    """Of a judge that only names answers."""
    return from_debate(debates(directory, Naming(bias=0.5), ("naive", "quoted_debate"), n=30))


def people_report(directory: Path) -> Report:
    """Of two people, alone and by debate."""
    people = (Person("ann", knows=1.0), Person("ben", knows=0.5))
    return from_runs([judged_by(directory, one, name) for name in ("naive", "debate") for one in people])


if __name__ == "__main__":
    print(write(report(Path(sys.argv[1]) / "runs"), Path(sys.argv[1]) / "debates.html"))
