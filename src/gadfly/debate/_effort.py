"""What a debate takes of those in it and what it earns them: counts, prices, seconds and tokens, by question."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gadfly.debate._judged import JudgedCase
from gadfly.debate._position import Statement
from gadfly.debate._protocol import JUDGE, Protocol
from gadfly.stats import Estimate, bounded_mean, mean
from gadfly.transcripts import Usage
from gadfly.words import word_count

__all__ = ["Effort", "effort_of", "payoffs_of", "question_mean", "share_mean"]


@dataclass(frozen=True, slots=True)
class Effort:
    """What a case takes, on average: counts, not rates, and 0 or more.

    `statements`, `words`, `quotes` (verified) and `unverified` are the players', and so is `paid`, what they spend at
    the protocol's prices, in points of the 100 that a verdict brings. `read` counts the words that the judge hears, its
    document's among them, `questions` those that it asks and `asked` those that it is asked, polls too; `seconds` are a
    person's, None where nobody timed one. `tokens` go in and out, by seat; `cost` in US dollars, for seats whose price
    is known. Both include the calls for the judge's verdict.
    """

    statements: Estimate
    words: Estimate
    quotes: Estimate
    unverified: Estimate
    paid: Estimate
    read: Estimate
    questions: Estimate
    asked: Estimate
    seconds: Estimate | None
    tokens: Mapping[str, Estimate]
    cost: Mapping[str, Estimate]


def effort_of(cases: Sequence[JudgedCase], protocol: Protocol) -> Effort:
    """What completed cases of a protocol took."""

    def count(measure: Callable[[JudgedCase], float]) -> Estimate:
        return question_mean([(one.of, measure(one)) for one in cases], least=0.0)

    def players(measure: Callable[[Statement], int]) -> Estimate:
        return count(lambda one: sum(measure(said) for said in one.position.said if _speaks(said)))

    timed = [(one.of, seconds) for one in cases if (seconds := _seconds(one)) is not None]
    seats = (*protocol.own, JUDGE)
    costs = {seat: _costs(cases, seat) for seat in seats}
    return Effort(
        statements=players(lambda said: 1),
        words=players(lambda said: said.words),
        quotes=players(lambda said: len(said.quotes)),
        unverified=players(lambda said: len(said.unverified)),
        paid=count(lambda one: 100 * sum(_price(one, seat) for seat in one.position.protocol.seats)),
        read=count(_read),
        questions=count(
            lambda one: sum(said.seat == JUDGE and said.does == "ask" for said in one.position.said)
        ),
        asked=count(
            lambda one: sum(
                said.does == "poll" or (said.does == "ask" and JUDGE in said.to) for said in one.position.said
            )
        ),
        seconds=replace(question_mean(timed, least=0.0), missing=len(cases) - len(timed)) if timed else None,
        tokens={seat: count(partial(_tokens, seat)) for seat in seats},
        cost={seat: found for seat, found in costs.items() if found is not None},
    )


def _speaks(said: Statement) -> bool:
    """Whether a statement is a player's words."""
    return said.seat != JUDGE and said.does not in ("poll", "choose")


def _read(one: JudgedCase) -> int:
    """The words that the judge hears and reads."""
    heard = sum(said.words for said in one.position.heard(JUDGE) if said.seat != JUDGE)
    document = one.position.dispute.document if one.position.protocol.document else None
    return heard + (word_count(document.text) if document else 0)


def _price(one: JudgedCase, seat: str) -> float:
    """What a seat has paid, in units of the judge's probability."""
    return float(one.transcript.metadata.get("spent", {}).get(seat, {}).get("price", 0.0))


def _seconds(one: JudgedCase) -> float | None:
    """A person's time: for the verdict, and for what it asked, or did not, or how it leant before, told to one or to
    several who polled it at once. None where there is no verdict of theirs, as in a debate that a rule decided, and
    where any of these was not timed.
    """
    verdict = one.judgement.metadata.get("seconds")
    if verdict is None:
        return None
    before = (said for said in one.position.said if said.seat == JUDGE or said.does == "poll")
    spoke = {said.step: said.seconds for said in before}
    times = [verdict, *spoke.values(), *one.transcript.metadata.get("passed_s", ())]
    return None if None in times else float(sum(times))


def _tokens(seat: str, one: JudgedCase) -> int:
    used = _used(seat, one)
    return used.input_tokens + used.output_tokens


def _used(seat: str, one: JudgedCase) -> Usage:
    """What a seat's calls consumed, the judge's for its verdict included."""
    used = one.transcript.usage.get(seat, Usage())
    if seat != JUDGE:
        return used
    facts = one.judgement.metadata
    into, out = (int(facts.get(key) or 0) for key in ("input_tokens", "output_tokens"))
    return used + Usage(into, out, facts.get("cost"))


def _costs(cases: Sequence[JudgedCase], seat: str) -> Estimate | None:
    """Of a case, 0 where nothing was called; None where no price is known."""
    spent = [(one.of, _used(seat, one)) for one in cases]
    if all(used.cost is None for _, used in spent):
        return None
    unknown = [used.cost is None and used.input_tokens + used.output_tokens > 0 for _, used in spent]
    known = [(of, used.cost or 0.0) for (of, used), not_ in zip(spent, unknown, strict=True) if not not_]
    return replace(question_mean(known, least=0.0), missing=sum(unknown))


def payoffs_of(cases: Sequence[JudgedCase], protocol: Protocol) -> dict[str, Estimate]:
    """What cases with a verdict earned `honest`, `false` and, where its questions cost, the `judge`, whose mean may be
    below 0; empty where nothing has a price.
    """
    if not any(protocol.prices.model_dump().values()):
        return {}
    found: dict[str, list[tuple[int, float]]] = {"honest": [], "false": [], JUDGE: []}
    unknown = 0
    for one in cases:
        score, correct = one.judgement.score, one.correct
        ruined = one.judgement.cause in ("both_lost", "no_side_lost")  # nobody has anything
        if correct is None or (score is None and not ruined):
            unknown += 1
            continue
        right, wrong = (0.0, 0.0) if score is None else (1 - score, score)
        for name, side, given in (("honest", correct, right), ("false", 1 - correct, wrong)):
            if side in one.argued:
                found[name].append((one.of, max(0.0, given - _paid(one, side))))
        if protocol.prices.question and score is not None:
            found[JUDGE].append((one.of, right - _price(one, JUDGE)))
    asks = sum(step.does == "ask" and JUDGE in step.who for step in protocol.steps)
    least = {"honest": 0.0, "false": 0.0, JUDGE: -protocol.prices.question * asks}
    told = {name: share_mean(values, least[name]) for name, values in found.items() if values}
    return {name: replace(one, missing=unknown) for name, one in told.items()}


def _paid(one: JudgedCase, side: int) -> float:
    """What the seats of a side have paid."""
    return sum(_price(one, seat) for seat, its in one.position.sides.items() if its == side)


def share_mean(values: Sequence[tuple[int, float | None]], least: float = 0.0) -> Estimate:
    """`question_mean` of values in [least, 1], rounding apart, with `gadfly.stats.bounded_mean`'s interval; None is
    missing.

    For shares of which those of one question are not independent: questions are, so nothing is assumed of how the
    values of one go together, alike or opposed. Where a judge goes by the answer and a player argues for both, it wins
    one debate of two, and the mean over questions is far surer than as many debates apart.
    """
    known = [(of, value) for of, value in values if value is not None]
    means = np.clip(_by_question(known), least, 1.0)
    return replace(bounded_mean(means, least, 1.0), n=len(known), missing=len(values) - len(known))


def question_mean(values: Sequence[tuple[int, float]], least: float = -math.inf) -> Estimate:
    """The mean over questions of each question's own mean, of (question, value) pairs, in the values' unit; with one
    question the interval is unbounded above, and below down to `least`.
    """
    means = _by_question(values)
    if len(means) < 2:
        return Estimate(means[0] if means else None, least, math.inf, len(values), len(means))
    found = mean(means)
    return replace(found, low=max(found.low, least), n=len(values))


def _by_question(values: Sequence[tuple[int, float]]) -> list[float]:
    groups: dict[int, list[float]] = {}
    for of, value in values:
        groups.setdefault(of, []).append(value)
    return [float(np.mean(group)) for group in groups.values()]
