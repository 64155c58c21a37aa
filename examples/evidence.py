"""Ask documents with evidence, set a threshold for declining, and count what is right, shown and false.

python examples/evidence.py            a scripted answerer: seconds, no weights
python examples/evidence.py gadfly/smollm2
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Sequence

from gadfly.corpora import Document, in_memory
from gadfly.evidence import Asking, Quoting, answer, cases_of, table_of, tune, unlikely, unquoted, wrong
from gadfly.judges import Judge
from gadfly.judges._base import Finding, PatternJudge
from gadfly.models import System, model, scripted
from gadfly.runs import run
from gadfly.transcripts import Transcript

TOWNS = ("Halden", "Marl", "Ostra", "Velm", "Quarry", "Tarn", "Birk", "Sund", "Loch", "Fenn")
YEARS = {f"{town}{end}": 1800 + 7 * n for n, (town, end) in enumerate((t, e) for e in ("", "ville", "ford", "ham")
                                                                      for t in TOWNS)}  # fmt: skip


def library() -> list[Document]:
    """A page on each town's bridge."""
    return [
        Document(
            town,
            f"{town} Bridge",
            f"The {town} Bridge was opened in {year}. It is {year % 90 + 60} metres long.",
        )
        for town, year in YEARS.items()
    ]


def answerer(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
    """Right three times in four; else it has the wrong year, and quotes the right words all the same."""
    town = messages[-1][1].split(" Bridge", 1)[0].removeprefix("Document: ")
    year = YEARS[town] + (0 if (seed or 0) % 4 else 1)
    return f"%<It was opened in {year}.>%({town} Bridge)%[The {town} Bridge was opened in {YEARS[town]}.]%"


def unsure() -> Judge:
    """A stand-in for a reward model: mostly less sure of false claims."""

    def look(transcript: Transcript) -> Finding:
        right = transcript.metadata["answers"][0] in transcript.metadata["claim"]
        low, high = (0.0, 0.6) if right else (0.4, 1.0)
        return Finding(random.Random(transcript.case.seed).uniform(low, high))

    return PatternJudge("unsure", 0.5, look)


async def main(name: str) -> None:
    system = System(model(name) if name else scripted(answerer))
    game = Quoting(in_memory(library()), system, documents=2)
    judge = unlikely() if system.white_box else unsure()
    questions = [{"question": f"when was the {town} bridge opened", "answers": [str(year)]}
                 for town, year in YEARS.items()]  # fmt: skip
    finished = await run(game, cases_of(questions, 4), [wrong(), unquoted(), judge])
    for line in table_of(finished, ["first", judge.name]).lines:
        print(f"{line.choice:>10} at {line.share:.0%}: right {line.rates['matches']}")
    decline = tune(finished, judge.name, risk=0.2)
    print(decline.promise)
    asked = Asking(game, 4, judge if system.white_box else unquoted(), decline if system.white_box else None)
    answered = await answer("when was the Tarn bridge opened", asked)
    print(answered.chosen.turns[-1].text if answered.chosen else answered.why)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
