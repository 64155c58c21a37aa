"""Asking judges that cost much only about the answers that count."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.evidence._table import picks
from gadfly.judges import Judge
from gadfly.judges._base import Around
from gadfly.runs import Run, rejudge
from gadfly.transcripts import Judgement, Transcript

__all__ = ["NOT_CHOSEN", "judge_chosen"]

NOT_CHOSEN = "not_chosen"
"""Why a judge that was only asked about what is chosen says nothing of another sample."""


@dataclass(frozen=True)
class Sparing(Around):
    """`inner`, asked only about the samples in `cases`. With other samples it is another judge of the same name."""

    cases: frozenset[str]

    def spec(self) -> dict[str, Any]:
        which = hashlib.sha256("\n".join(sorted(self.cases)).encode()).hexdigest()[:32]
        return {**super().spec(), "only": which}

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        asked = [one for one in transcripts if one.case.id in self.cases]
        told = iter(await self.inner.judge(asked) if asked else ())
        return [
            next(told) if one.case.id in self.cases else Judgement.missing(one.case.id, self.name, NOT_CHOSEN)
            for one in transcripts
        ]


async def judge_chosen(
    run: Run, judges: Sequence[Judge], choices: Sequence[str], *, progress: bool = True
) -> Run:
    """Have a run of questions and quotes judged further, but only what one of the `choices` (as of `picks`) picks: of
    eight samples to a question at most as many as there are choices.

    As `gadfly.runs.rejudge` otherwise: one that was stopped goes on. With other choices everything is judged anew.
    Raises `InputError` for a choice whose judge has not judged the run.
    """
    cases = frozenset(one.transcript.case.id for choice in choices for one in picks(run, choice))
    return await rejudge(run, [Sparing(judge, cases) for judge in judges], progress=progress)
