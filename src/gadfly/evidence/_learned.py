"""Questions that a judge learned from: how sure it is of answers to them says nothing of answers to others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from gadfly.errors import GadflyError
from gadfly.evidence._choosing import Chosen
from gadfly.evidence._repeats import asked
from gadfly.judges import fitted_names, question_key, questions_learned
from gadfly.runs import Run
from gadfly.transcripts import Judgement

__all__ = ["LEARNED_FROM", "OTHERS", "fresh", "learned", "without"]

LEARNED_FROM = "learned_from"
"""Why a judge says nothing of an answer to a question that it learned from."""

OTHERS = "ask others with gadfly evidence eval --questions OTHERS.jsonl --choose {choose}"
"""What to do where a judge learned from all the questions there are."""


def learned(run: Run, judge: str) -> frozenset[str] | None:
    """The keys of the questions that a judge of this run learned from, in the round that judged it; none for a judge
    that does not learn. None where it learned and its card is not here.
    """
    told = run.info["judges"].get(judge, {}).get("spec", {})
    if judge not in fitted_names():
        return None if "heads" in told else frozenset()
    rounds = (one.metadata["round"] for one in run.judgements(judge) if "round" in one.metadata)
    try:
        return questions_learned(judge, next(rounds, None))
    except GadflyError:
        return None


def fresh(picked: Sequence[Chosen], keys: Collection[str]) -> list[Chosen]:
    """The answers to questions other than these."""
    return [one for one in picked if question_key(asked(one.transcript)) not in keys]


def without(one: Chosen, judge: str, keys: Collection[str]) -> Chosen:
    """The answer, of which the judge could not tell where it learned from its question."""
    if judge not in one.judgements or fresh([one], keys):
        return one
    missing = Judgement.missing(one.transcript.case.id, judge, LEARNED_FROM)
    return replace(one, judgements={**one.judgements, judge: missing})
