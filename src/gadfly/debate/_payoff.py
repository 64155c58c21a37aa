"""What a debate was worth to one of its seats: what players are trained on, and what a match between two counts.

The judge's probabilities of the two answers add up to 1, so what one side gains the other loses, but for prices and for
a debate that both sides lost by rule.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from gadfly.transcripts import Judgement, Transcript

T = TypeVar("T")

__all__ = ["LEARNED_FROM", "belief", "brier", "first_believed", "losers", "payoff", "whole"]

LEARNED_FROM = "learned_from"
"""Why the verdict of a judge that learned from the same question is missing: how it decides there says nothing of
others. Its probability is kept all the same, for players that learn to convince it.
"""


def payoff(transcript: Transcript, judgement: Judgement, seat: str) -> float | None:
    """The judge's probability, in [0, 1], of the answer that `seat` argued for, less what the seat and its copies spent
    on questions to the judge, polls, quotes and words, and at least 0, so that nothing is worse than to lose by rule.

    A side that lost by rule has 0 and the other one 1 less its prices; where both lost, both have 0. Who estimates how
    likely an answer is gets 1 less the square of its error (Brier 1950), whatever the judge makes of it, and 0 for an
    estimate without a percentage, or of which nothing was heard. None where nobody can tell: the case failed, the judge
    could not say, or the seat has no part in either. The probability is the judgement's `p`, of answer 0, or for a
    judge without one follows from its score, that of the wrong answer.
    """
    worth, missed = belief(transcript, judgement, seat), brier(transcript, seat)
    if worth is None and _estimates(transcript, seat):
        worth = 0.0 if missed is None else 1 - missed
    if worth is None:
        return None
    if transcript.metadata["lost"] and missed is None and worth < 1.0:
        return 0.0  # one half where both lost, which is worth nothing to either
    return max(0.0, worth - _price(transcript, seat))


def _price(transcript: Transcript, seat: str) -> float:
    """What a seat and its copies paid."""
    seats = transcript.metadata["protocol"]["seats"]
    spent = transcript.metadata["spent"].items()
    return sum(
        float(one["price"]) for name, one in spent if seat in (name, seats.get(name, {}).get("copy_of"))
    )


def brier(transcript: Transcript, seat: str) -> float | None:
    """The squared error of the last estimate of a seat that argues for nothing; None where there is none, it named no
    percentage, or nobody knows which answer is right.
    """
    leans = _estimates(transcript, seat)
    if not leans or leans[-1] is None:
        return None
    return float((leans[-1] - (transcript.metadata["correct"] == 0)) ** 2)


def _estimates(transcript: Transcript, seat: str) -> list[float | None]:
    """The estimates of a seat, of answer 0: None for one without a percentage, and for one that was due and of which
    nothing was heard. Empty where nobody knows which answer is right, or the case failed.
    """
    facts = transcript.metadata
    if transcript.outcome != "completed" or facts.get("correct") is None:
        return []
    found = [one["lean"] for one in facts["moves"] if one["seat"] == seat and one["does"] == "estimate"]
    steps = (step for part in ("opening", "round", "closing") for step in facts["protocol"][part])
    due = any(step["does"] == "estimate" and seat in step["who"] for step in steps)
    return found or [None] * (due and not facts["lost"])


def belief(transcript: Transcript, judgement: Judgement, seat: str) -> float | None:
    """As `payoff`, but before prices, and 0.5 where both sides lost by rule: neither is preferred."""
    if transcript.outcome != "completed":
        return None
    side = transcript.metadata["sides"].get(seat)
    if side is None:
        return None
    if out := losers(transcript):
        return 0.5 if len(out) > 1 or None in out else float(side not in out)
    p = first_believed(transcript, judgement)
    return None if p is None else p if side == 0 else 1 - p


def losers(transcript: Transcript) -> set[int | None]:
    """The numbers of the answers whose sides lost by rule; None stands for a seat that argues for none, whose loss
    decides nothing. Empty where no rule was broken, or nothing was played.
    """
    sides = transcript.metadata.get("sides", {})
    return {sides.get(one["seat"]) for one in transcript.metadata.get("lost", ())}


def first_believed(transcript: Transcript, judgement: Judgement) -> float | None:
    """The judge's probability of answer 0; None where nobody can tell."""
    p = judgement.metadata.get("p")
    if p is not None:
        return float(p)
    correct = transcript.metadata.get("correct")
    if judgement.score is None or correct is None:
        return None
    return 1 - judgement.score if correct == 0 else judgement.score


def whole(debates: Iterable[T], lacks: Callable[[T], object], question: Callable[[T], Hashable]) -> list[T]:
    """The debates that lack nothing, nor does another one of the same `question`: one who breaks rules, or fails, for
    the false answer alone would else be left with the debates in which it argued for the true one.
    """
    every = list(debates)
    lacking = {question(one) for one in every if lacks(one)}
    return [one for one in every if question(one) not in lacking]
