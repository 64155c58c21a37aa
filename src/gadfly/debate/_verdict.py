"""The judge of a debate: how likely each answer is, from a model's probabilities, whichever answer is listed first.

A model leans towards a letter. It is therefore asked twice, with the answers, and whatever was said at once, the other
way round, and the two log-odds are averaged: a leaning that adds to the log-odds cancels exactly, and half their
difference is the leaning, which is kept. A debate lost by rule is decided without asking.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scipy import special

from gadfly.debate._chairs import Said, Weighed, at_once, prefers_second
from gadfly.debate._payoff import LEARNED_FROM, losers
from gadfly.debate._position import Dispute, Move, Position
from gadfly.debate._prompts import asking_messages, judge_messages, question_messages
from gadfly.errors import CallError, InputError
from gadfly.judges import question_key
from gadfly.judges._base import all_at_once
from gadfly.models import Brief, Reply, System, briefly
from gadfly.stats import preferred
from gadfly.transcripts import Judgement, Transcript, Usage

__all__ = ["DebateJudge", "Decided", "ScriptedJudge", "letters", "settled", "unlearned", "verdict_of"]

LEAST_MASS = 0.05
"""Of the first word's probability on A and B together; below, the model is not answering."""

MOST = 12.0
"""Log-odds beyond which a probability is not believed: a token's log-probability of 0 is a rounded one."""

_LETTER = re.compile(r"[\s\u2581\u0120\"'*_.,:(\[]*([AB])[\s\"'*_.,:)\]]*")
_WORDS = re.compile(
    r"\W*(?:(?i:(?:the )?(?:right |correct )?answer(?: is)?)\W{0,4})?([ABab])\b"
    r"(?=\W*$|\s*\n|[^\S\n]*[.!?,;:)\]}*_\"'’”/&+|=]|[^\S\n]+[-–—(]|[^\S\n]+(?:is|because|as|since|or|and)\b)"
    r"(?!['’]\w|\.\s?[A-Z]\.)"
)
"""A letter at the start; not the article of "A quotation shows …" or "A British ship", and no initial of a name."""

_TAKEN_BACK = re.compile(
    r"(?i:[^\w\n]{0,4}(?:(?:is|was|seems|looks)(?:n['’]t| not)?[^\w\n]+)?"
    r"(?:not?|wrong|incorrect|false|unlikely|untrue)\b)"
    r"|(?i:[^\w\n]{0,4}(?:is|was)(?:n['’]t| not)\b)"
    r"|[^\S\n]*(?:[/,&+|]|or\b|and\b)[^\S\n]*\(?[AB]\b"
)
"""What follows a letter that is not the verdict: "A is wrong", "A: no", "A or B"."""


def letters(reply: Reply) -> float | None:
    """P(A) in [0, 1], from the first token's probabilities where there are any, else 1 or 0 from the text; None where
    neither says.
    """
    p = _probability(reply)
    if p is not None:
        return p
    said = _WORDS.match(reply.text)
    if said is None or _TAKEN_BACK.match(reply.text, said.end()):
        return None
    return float(said[1].upper() == "A")


def _probability(reply: Reply) -> float | None:
    mass = {"A": 0.0, "B": 0.0}
    for token, logprob in reply.first_token.items():
        if found := _LETTER.fullmatch(token):
            mass[found[1]] += math.exp(min(0.0, logprob))
    total = mass["A"] + mass["B"]
    return mass["A"] / total if total >= LEAST_MASS else None


@dataclass(frozen=True)
class DebateJudge:
    """A model that judges debates; it can also sit in the judge's chair, ask and lean.

    `orders` 2 asks with the answers listed both ways, 1 as they are. `system` answers greedily, with log-probabilities
    where its service has them, and in a few tokens, or more where its answer does not fit; a `max_tokens` of its own is
    kept to. `slope` is what its log-odds are multiplied by (`gadfly.debate.scale_of`), and `learned` the keys of the
    questions that it was learned from. As a `Judge` its score is the probability it puts on the *wrong* answer.
    """

    system: System
    name: str = "debate_judge"
    orders: int = 2
    threshold: float = 0.5
    slope: float = 1.0
    learned: frozenset[str] = frozenset()
    _brief: Brief = field(default_factory=Brief, init=False, repr=False, compare=False)

    decides = False
    tie = 0.5

    def __post_init__(self) -> None:
        if self.orders not in (1, 2):
            raise InputError(
                f"A judge is asked in one order of the answers or in both: 1 or 2; got {self.orders}."
            )

    @classmethod
    def of(cls, system: System, orders: int = 2) -> DebateJudge:
        """Named after its model, and after how it is asked where that is in one order alone."""
        return cls(system, f"judge:{system.slug}{'-once' * (orders == 1)}", orders)

    @property
    def systems(self) -> Mapping[str, System]:
        """The one."""
        return {"": self.system}

    @property
    def players(self) -> Mapping[str, System]:
        """The same, as a game names its players."""
        return {"judge": self.system}

    def spec(self) -> dict[str, Any]:
        """The model and how it is asked."""
        told: dict[str, Any] = {"judge": self.system.fingerprint(), "orders": self.orders}
        if self.learned:
            told["learned"] = hashlib.sha256("".join(sorted(self.learned)).encode()).hexdigest()[:16]
        return told if self.slope == 1.0 else {**told, "slope": self.slope}

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """How likely answer 0 is as things stand. `CallError` where the model cannot be asked."""
        views = [position, position.exchanged()][: self.orders]
        replies, usage = await at_once((self._asked(view, seed) for view in views), least=len(views))
        said = [letters(reply) for reply in replies]
        if any(p is None for p in said):
            return Weighed(None, "no_parse", usage=usage)
        orders = tuple(1 - p if n else p for n, p in enumerate(said) if p is not None)
        told = all(_probability(reply) is not None for reply in replies)
        if not told:  # what was only named must not outweigh a probability
            orders = tuple(map(preferred, orders))
        slope = self.slope if told else 1.0
        p = float(special.expit(slope * sum(map(_odds, orders)) / len(orders)))
        return Weighed(0.5 if preferred(p) == 0.5 else p, orders=orders, usage=usage, probabilities=told)

    async def _asked(self, view: Position, seed: int) -> Reply:
        asked = briefly(self.system, 1 if self.system.white_box else 4)
        grows = self.system.sampling.max_tokens is None
        return await self._brief.reply(asked, judge_messages(view), seed=seed, read=letters, grows=grows)

    async def say(self, move: Move) -> Said:
        """The question it asks, nothing where it would rather ask none, or its answer."""
        usage = Usage()
        if move.step.does == "ask":
            wants, usage = await self._asks(move)
            if not wants:
                return Said("", usage)
        asked = self.system.with_sampling(temperature=0.0, max_tokens=move.step.words * 3)
        reply = await self._brief.reply(asked, question_messages(move), seed=move.seed)
        text = reply.text.strip()
        asks = move.step.does == "ask" and "?" in text
        return Said(text[: text.find("?") + 1] if asks else text, usage + reply.usage)

    async def _asks(self, move: Move) -> tuple[bool, Usage]:
        """Whether it wants to ask something; who cannot say asks nothing."""
        try:
            return await prefers_second(self.system, self._brief, move, asking_messages)
        except CallError as error:
            if error.fatal or error.cause != "no_choice":
                raise
            return False, error.usage or Usage()

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """Each transcript's verdict, `unlearned`. A failed call is a missing judgement, a fatal one is raised."""
        return await all_at_once(transcripts, self._one)

    async def _one(self, transcript: Transcript) -> Judgement:
        over = settled(transcript, self.name)
        if over is not None:
            return unlearned(over, transcript, self.learned)
        try:
            weighed = await self.weigh(Position.of(transcript), transcript.case.seed)
        except CallError as failure:
            if failure.fatal:
                raise
            return Judgement.missing(transcript.case.id, self.name, f"call_failed:{failure.cause}")
        return unlearned(verdict_of(transcript, self.name, weighed), transcript, self.learned)


@dataclass(frozen=True)
class Decided:
    """The verdict that was given in the game itself, as a person's is."""

    name: str = "verdict"
    threshold: float = 0.5

    tie = 0.5

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """What stands in each transcript; missing where nobody decided."""
        return [self._one(transcript) for transcript in transcripts]

    def _one(self, transcript: Transcript) -> Judgement:
        over = settled(transcript, self.name)
        if over is not None:
            return over
        given = transcript.metadata.get("verdict")
        if given is None:
            return Judgement.missing(transcript.case.id, self.name, "no_verdict")
        facts = {key: given.get(key) for key in ("p", "confidence", "seconds")}
        return verdict_of(transcript, self.name, Weighed(**facts, cause=given.get("cause") or ""))


@dataclass(frozen=True)
class ScriptedJudge:
    """A judge that believes each `Skilled` debater as much as it is skilled: log-odds of answer 0 are the difference of
    the persuasions heard for either, plus `bias` towards the one listed first and `truth` for the right answer.
    """

    bias: float = 0.0
    truth: float = 0.0
    name: str = "scripted_judge"
    threshold: float = 0.5
    systems: Mapping[str, System] = field(default_factory=dict)

    decides = False
    tie = 0.5

    def spec(self) -> dict[str, Any]:
        """Its two numbers."""
        return {"bias": self.bias, "truth": self.truth}

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """As the class says."""
        odds = self.bias
        if position.dispute.correct is not None:
            odds += self.truth if position.dispute.correct == 0 else -self.truth
        for side, sign in ((0, 1), (1, -1)):
            heard = [_persuasion(one.text) for one in position.said if position.sides.get(one.seat) == side]
            odds += sign * (sum(heard) / len(heard) if heard else 0.0)
        p = 1 / (1 + math.exp(-odds))
        return Weighed(p, orders=(p,))

    async def say(self, move: Move) -> Said:
        """A question."""
        return Said("Which words of the document show it?")

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """Each transcript's verdict."""
        found = []
        for transcript in transcripts:
            over = settled(transcript, self.name)
            weighed = Weighed(None) if over else await self.weigh(Position.of(transcript), 0)
            found.append(over or verdict_of(transcript, self.name, weighed))
        return found


def _persuasion(text: str) -> float:
    found = re.search(r"persuasion ([+-]\d+\.\d+)", text)
    return float(found[1]) if found else 0.0


# --- from probabilities to judgements


def verdict_of(
    transcript: Transcript, judge: str, weighed: Weighed, uncertainty: float | None = None
) -> Judgement:
    """A judgement whose score is the probability of the wrong answer; missing where nobody knows which that is.

    Metadata: `p`, the probability of answer 0 as the case lists them; `answer`, the letter decided for; `orders`, what
    was said each way round; `bias`, the log-odds by which whatever is listed first is preferred; `probabilities`, False
    where the judge gave none, so that `p` is only its decision and there is no `bias`; `listed`, False where it cannot
    see what is listed first; the call's tokens and, where its price is known, `cost`; a person's confidence and
    seconds.
    """
    facts: dict[str, Any] = {"p": weighed.p, "orders": list(weighed.orders), "by_rule": False}
    facts["answer"] = _named(weighed.p)
    facts["probabilities"] = weighed.probabilities
    facts |= {} if weighed.listed else {"listed": False}
    if len(weighed.orders) == 2 and weighed.probabilities:
        first, second = (_odds(p) for p in weighed.orders)
        facts["bias"] = (first - second) / 2
    facts |= {"input_tokens": weighed.usage.input_tokens, "output_tokens": weighed.usage.output_tokens}
    spent = {"cost": weighed.usage.cost, "confidence": weighed.confidence, "seconds": weighed.seconds}
    facts |= {key: value for key, value in spent.items() if value is not None}
    found = _judgement(transcript, judge, weighed.p, weighed.cause or "no_verdict", facts)
    return found if uncertainty is None or found.score is None else replace(found, uncertainty=uncertainty)


def unlearned(verdict: Judgement, transcript: Transcript, learned: Container[str]) -> Judgement:
    """The verdict, missing (`learned_from`) on a question whose key its judge learned from: how it decides there says
    nothing of others, nor do the rules alone. Its metadata, with `p`, stays.
    """
    if question_key(transcript.case.data["question"]) not in learned:
        return verdict
    return replace(verdict, score=None, cause=LEARNED_FROM)


def settled(transcript: Transcript, judge: str) -> Judgement | None:
    """The judgement where there is nothing to ask: a case that was not played, or a debate lost by rule."""
    if transcript.outcome != "completed":
        return Judgement.missing(transcript.case.id, judge, "not_valid")
    out, lost = losers(transcript), transcript.metadata["lost"]
    if not out:
        return None
    if None in out or len(out) != 1:
        cause = "both_lost" if len(out) > 1 else "no_side_lost"
        return Judgement(transcript.case.id, judge, None, cause, metadata={"by_rule": True, "lost": lost})
    p = float(out == {1})
    facts = {"p": p, "answer": _named(p), "orders": [], "by_rule": True, "lost": lost}
    return _judgement(transcript, judge, p, "", facts)


def _named(p: float | None) -> str:
    """The letter of the answer that is decided for; "neither" for a tie, empty where nobody could tell."""
    return "" if p is None else {1.0: "A", 0.0: "B", 0.5: "neither"}[preferred(p)]


def _judgement(
    transcript: Transcript, judge: str, p: float | None, cause: str, facts: Mapping[str, Any]
) -> Judgement:
    case = transcript.case
    correct = Dispute.of(case).correct
    if p is None or correct is None:
        why = cause if p is None else "no_known_answer"
        return Judgement(case.id, judge, None, why, metadata=facts)
    return Judgement(case.id, judge, p if correct == 1 else 1 - p, metadata=facts)


def _odds(p: float) -> float:
    return max(-MOST, min(MOST, math.log(p / (1 - p)) if 0 < p < 1 else math.copysign(MOST, p - 0.5)))
