"""`by_turn`: which turn of a dialogue failed, for any judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gadfly.judges._base import Around, Judge
from gadfly.transcripts import Judgement, Transcript

__all__ = ["EARLIER", "ByTurn", "by_turn", "turn_scores"]

EARLIER = "target_earlier"
"""Who says the target's earlier replies while a later one is judged: context, and not what is judged."""


@dataclass(frozen=True)
class ByTurn(Around):
    """See `by_turn`. The spec is the judge's own: a case's score is the same with and without its turns."""

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        whole = await self.inner.judge(transcripts)
        views = [list(_views(transcript)) for transcript in transcripts]
        single = iter(await self.inner.judge([view for dialogue in views for view in dialogue]))
        turns = [[next(single) for _ in dialogue] for dialogue in views]
        return [_with_turns(*one) for one in zip(transcripts, whole, turns, strict=True)]


def by_turn(judge: Judge) -> ByTurn:
    """The judge itself, which in a dialogue also scores each of the target's replies alone; `turn_scores` reads them.

    A reply is judged with all that was said before as context, and nothing after it. The verdict on the case stays the
    judge's on the whole. A dialogue of k replies costs k + 1 judgements, one of a single reply one.
    """
    return ByTurn(judge)


def turn_scores(judgement: Judgement) -> tuple[float | None, ...]:
    """The score of each of the target's replies, None where the judge could not tell; empty when none were scored."""
    return tuple(judgement.metadata.get("turns", ()))


def _views(transcript: Transcript) -> list[Transcript]:
    """The transcript up to each of the target's replies, in which only that one is the target's."""
    replies = [n for n, turn in enumerate(transcript.turns) if turn.speaker == "target"]
    if transcript.outcome != "completed" or len(replies) < 2:
        return []
    before = [
        replace(turn, speaker=EARLIER) if n in replies else turn for n, turn in enumerate(transcript.turns)
    ]
    return [replace(transcript, turns=(*before[:n], transcript.turns[n])) for n in replies]


def _with_turns(transcript: Transcript, judgement: Judgement, turns: Sequence[Judgement]) -> Judgement:
    """The judgement on the whole, which of a single reply is the one on that reply too."""
    if transcript.outcome != "completed" or not transcript.said_by("target"):
        return judgement
    notes = {**judgement.metadata, "turns": [turn.score for turn in turns or (judgement,)]}
    for spent in ("input_tokens", "output_tokens"):
        if spent in notes:
            notes[spent] += sum(turn.metadata.get(spent, 0) for turn in turns)
    return replace(judgement, metadata=notes)
