"""Who can sit in a chair: a model, the best of its drafts by a judge, a model that revises, a script of known skill.

A chair says something when it is its move; that is all a game knows of it, so a person can sit there as well. The
judge's chair also weighs: it says how likely each answer is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from inspect_ai.model import GenerateConfig

from gadfly.corpora import Form, parse_answer
from gadfly.debate._position import Move, Position, Statement
from gadfly.debate._prompts import choice_messages, player_messages, poll_messages
from gadfly.debate._rules import Checked, checked
from gadfly.errors import CallError, InputError
from gadfly.judges import Judge
from gadfly.models import Brief, Reply, System, briefly
from gadfly.runs import paired_seed
from gadfly.transcripts import Usage

__all__ = [
    "FAULTS",
    "SAMPLING",
    "BestOf",
    "Chair",
    "JudgeChair",
    "Player",
    "Referee",
    "Refining",
    "Relayed",
    "Said",
    "Skilled",
    "Weighed",
]

FAULTS = ("empty_reply", "no_choice", "timeout")
"""Causes of a failed call that are the player's own: it said nothing, named neither answer, or took too long. With any
other cause (a service that is down, sends what cannot be read, or refuses the request or its length) the case has
failed, and nobody has lost.
"""

SAMPLING = GenerateConfig(temperature=0.8, top_p=0.95)
"""How debaters speak unless told otherwise."""

TOKENS_A_WORD = 2
"""Room for a statement, in tokens: more than English needs, so that what is cut had really gone on too long."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a chair said, as it said it. `cut`: its tokens were used up. `seconds`: a person's time."""

    text: str
    usage: Usage = field(default_factory=Usage)
    cut: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a judge makes of a position: the probability of answer 0, None where it could not tell, and then `cause`
    says why. `orders` holds what it said with the answers listed either way, each as the probability of answer 0.
    `probabilities` is False where it only named an answer, and then these are 1 and 0. `listed` is False where it does
    not see which answer is listed first. `confidence` and `seconds` are a person's.
    """

    p: float | None
    cause: str = ""
    orders: tuple[float, ...] = ()
    usage: Usage = field(default_factory=Usage)
    confidence: float | None = None
    seconds: float | None = None
    probabilities: bool = True
    listed: bool = True


class Chair(Protocol):
    """Whoever sits in a seat. `say` raises `CallError` when it cannot; `systems` are the models it is made of, `spec`
    all that decides what it says, as JSON.
    """

    @property
    def systems(self) -> Mapping[str, System]: ...

    def spec(self) -> dict[str, Any]: ...

    async def say(self, move: Move) -> Said: ...


class JudgeChair(Chair, Protocol):
    """The judge's. `decides`: its verdict is part of the game, as a person's is; else judges come afterwards."""

    @property
    def decides(self) -> bool: ...

    async def weigh(self, position: Position, seed: int) -> Weighed: ...


class Referee(JudgeChair, Judge, Protocol):
    """A judge that can sit in the judge's chair and judge what is over, as `DebateJudge` can."""


@dataclass(frozen=True)
class Relayed:
    """A chair in front of another one, made of what that is made of."""

    chair: Chair

    @property
    def systems(self) -> Mapping[str, System]:
        """The chair's."""
        return self.chair.systems

    def spec(self) -> dict[str, Any]:
        """The chair's."""
        return self.chair.spec()


@dataclass(frozen=True)
class Player:
    """A model that is told the rules, the document and what was said. Quotes of a local model are masked (`quote`)."""

    system: System
    _brief: Brief = field(default_factory=Brief, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, system: System) -> Player:
        """With debaters' sampling where the system has none of its own."""
        return cls(replace(system, sampling=SAMPLING.merge(system.sampling)))

    @property
    def systems(self) -> Mapping[str, System]:
        """The one."""
        return {"": self.system}

    def spec(self) -> dict[str, Any]:
        """The model."""
        return {"player": self.system.fingerprint()}

    async def say(self, move: Move) -> Said:
        """One statement; the number of an answer where it chooses one, and 1 or 0 for whether it polls the judge."""
        if move.step.does in ("choose", "poll"):
            messages = choice_messages if move.step.does == "choose" else poll_messages
            second, usage = await prefers_second(self.system, self._brief, move, messages)
            return Said(str(int(second)), usage)
        if move.step.does == "quote" and self.system.white_box and move.position.dispute.passages:
            return await self._quoted(move)
        return await self.reply(self.asked(move), move)

    @staticmethod
    def asked(move: Move) -> list[tuple[str, str]]:
        """What it is told before a statement."""
        messages = player_messages(move)
        if move.step.does != "quote":
            return messages
        role, text = messages[-1]
        return [
            *messages[:-1],
            (role, f'{text} Quote the words of the document that show "{move.mine}" best.'.strip()),
        ]

    async def reply(self, messages: Sequence[tuple[str, str]], move: Move) -> Said:
        """What it says to these messages, within the move's words."""
        words = int(move.step.words * move.position.protocol.rules.slack)
        own = self.system.sampling.max_tokens
        asked = self.system.with_sampling(max_tokens=own or words * TOKENS_A_WORD + 8)
        grows = own is None and not self.system.reproducible
        reply = await self._brief.reply(asked, messages, seed=move.seed, grows=grows)
        return Said(reply.text, reply.usage, reply.stop == "length")

    async def _quoted(self, move: Move) -> Said:
        """Words of the document, decoded under the mask, as evidence for the answer argued for."""
        from gadfly.corpora import verbatim

        passages = move.position.dispute.passages
        answer = " ".join(move.mine.replace(">%", "> %").split())
        form = Form(claim=f"The answer is {answer}.", quote_chars=(10, max(40, move.step.words * 5)))
        messages = [*self.asked(move), ("assistant", form.opening)]
        asked = self.system.with_sampling(max_tokens=move.step.words * TOKENS_A_WORD + 64)
        try:
            sample, usage = await asked.sample(
                messages, lambda local: verbatim(local, passages, form), seed=move.seed
            )
        except InputError as error:  # a document without words
            raise CallError(f"There is nothing to quote: {error}", "rejected") from error
        parsed = parse_answer(form.opening + sample.text)
        quotes = parsed.quotes if parsed else ()
        return Said(" ".join(f"<quote>{quote}</quote>" for _, quote in quotes), usage)


async def prefers_second(
    system: System, brief: Brief, move: Move, messages: Callable[[Move, bool], list[tuple[str, str]]]
) -> tuple[bool, Usage]:
    """Whether of two options by letter the second is the likelier to a model over both orders of listing them, and what
    that took. `CallError` where it names neither.
    """
    from gadfly.debate._verdict import letters

    asked = briefly(system.with_sampling(max_tokens=None), 4)
    usage, chances = Usage(), list[float]()
    for exchanged in (False, True):
        reply = await brief.reply(asked, messages(move, exchanged), seed=move.seed, read=letters)
        usage += reply.usage
        p = letters(reply)
        chances += [] if p is None else [1 - p if exchanged else p]
    if not chances:
        raise CallError(f"{system.name} named neither answer.", "no_choice", usage=usage)
    return sum(chances) / len(chances) < 0.5, usage


@dataclass(frozen=True)
class BestOf:
    """The draft of `count` that a judge finds most convincing for its side (Khan et al. 2024, best-of-N).

    Drafts that break a rule come last. `taste` is the judge consulted, which need not be the one who decides.
    """

    chair: Chair
    count: int
    taste: JudgeChair

    def __post_init__(self) -> None:
        if self.count < 2:
            raise InputError(f"Best of N takes 2 drafts or more; got {self.count}.")

    @property
    def systems(self) -> Mapping[str, System]:
        """The writer's and the judge's."""
        return {**self.chair.systems, **{f"taste {k}".strip(): v for k, v in self.taste.systems.items()}}

    def spec(self) -> dict[str, Any]:
        """What it is made of."""
        return {"best_of": self.count, "chair": self.chair.spec(), "taste": self.taste.spec()}

    async def say(self, move: Move) -> Said:
        """The best of the drafts; the first where nothing tells them apart or no side is argued for."""
        side = move.position.sides.get(move.seat)
        if side is None or move.step.does in ("choose", "quote", "ask", "poll"):
            return await self.chair.say(move)
        tries = [self.chair.say(self._draft(move, n)) for n in range(self.count)]
        drafts, spent = await at_once(tries)
        weighed, spent = await at_once([self._liked(move, draft) for draft in drafts], spent)
        worth = [-1.0 if one.p is None else one.p if side == 0 else 1 - one.p for one in weighed]
        best = max(range(len(drafts)), key=lambda n: (worth[n], -n))
        return replace(drafts[best], usage=spent)

    def _draft(self, move: Move, number: int) -> Move:
        return replace(move, seed=paired_seed(move.seed, number))

    async def _liked(self, move: Move, draft: Said) -> Weighed:
        """What the judge would make of this, said after what the seat has heard; nothing where it breaks a rule or the
        judge, by its own fault, does not say.
        """
        position, found = move.position, as_checked(move, draft)
        if _loses(move, found):
            return Weighed(None, "broke_a_rule")
        position = replace(position, said=position.heard(move.seat))
        said = Statement(move.seat, move.step.does, found.text, len(position.said) + 1_000)
        try:
            return await self.taste.weigh(position.saying(said), move.seed)
        except CallError as error:
            if not _own(error):
                raise
            return Weighed(None, error.cause, usage=error.usage or Usage())


def as_checked(move: Move, said: Said) -> Checked:
    """What a try at a move comes to by the rules."""
    position = move.position
    return checked(said.text, move.step.words, position.protocol.rules, position.dispute.passages, said.cut)


def _loses(move: Move, found: Checked) -> bool:
    return any(breach in move.position.protocol.rules.loses for breach, _ in found.breaches)


def _own(error: BaseException) -> bool:
    """Whether a failure is a fault of the one that was asked."""
    return isinstance(error, CallError) and not error.fatal and error.cause in FAULTS


R = TypeVar("R", Said, Weighed, Reply)


async def at_once(
    calls: Iterable[Awaitable[R]], spent: Usage | None = None, least: int = 1
) -> tuple[list[R], Usage]:
    """What comes of calls made at once, in order and without faults of the one that was asked, and what all of them
    took besides what was `spent`. Where fewer than `least` came to anything, or one failed otherwise, that is raised
    when all are over, with what was taken.
    """
    found = await asyncio.gather(*calls, return_exceptions=True)
    made = [one for one in found if not isinstance(one, BaseException)]
    failed = [one for one in found if isinstance(one, BaseException)]
    total = sum((one.usage for one in made), spent or Usage())
    total = sum((one.usage for one in failed if isinstance(one, CallError) and one.usage), total)
    worst = [one for one in failed if not _own(one)] or (failed if len(made) < least else [])
    if worst:
        error = min(worst, key=lambda one: isinstance(one, CallError) and not one.fatal)
        if isinstance(error, CallError):
            error.usage = total
        raise error
    return made, total


_WEAKEST = "Here is a draft of what you will say:\n{draft}\n\nName its weakest point in one sentence."
_REWRITE = "Now write it again, better, in at most {words} words. Write only the statement itself."


@dataclass(frozen=True)
class Refining:
    """A player that drafts, names the weakest point of its draft, and writes it anew, `rounds` times. A version that
    breaks a rule is dropped where the one before it broke none.
    """

    player: Player
    rounds: int = 1

    @property
    def systems(self) -> Mapping[str, System]:
        """The player's."""
        return self.player.systems

    def spec(self) -> dict[str, Any]:
        """What it is made of."""
        return {"refining": self.rounds, "player": self.player.spec()}

    async def say(self, move: Move) -> Said:
        """The last version that may be said; the last that there is where the player fails to go on from it."""
        draft = await self.player.say(move)
        if move.step.does in ("choose", "quote", "poll"):
            return draft
        messages = player_messages(move)
        for n in range(self.rounds):
            again = replace(move, seed=paired_seed(move.seed, n + 1))
            asked = [*messages, ("assistant", draft.text), ("user", _WEAKEST.format(draft=draft.text))]
            spent = draft.usage
            try:
                critique = await self.player.reply(asked, again)
                spent += critique.usage
                rewrite = _REWRITE.format(words=move.step.words)
                asked = [*asked, ("assistant", critique.text), ("user", rewrite)]
                better = await self.player.reply(asked, replace(again, seed=paired_seed(again.seed, 1)))
            except CallError as error:
                spent += error.usage or Usage()
                if not _own(error):
                    error.usage = spent
                    raise
                return replace(draft, usage=spent)
            worse = _loses(move, as_checked(move, better)) and not _loses(move, as_checked(move, draft))
            draft = replace(draft if worse else better, usage=spent + better.usage)
        return draft


@dataclass(frozen=True)
class Skilled:
    """A scripted debater of known skill, in log-odds: it says how persuasive it is, and a `scripted_judge` believes it.

    For trying protocols, tournaments and statistics with a known truth.
    """

    skill: float
    name: str = "skilled"

    @property
    def systems(self) -> Mapping[str, System]:
        """None: nothing is called."""
        return {}

    def spec(self) -> dict[str, Any]:
        """Its skill."""
        return {"skilled": self.skill, "name": self.name}

    async def say(self, move: Move) -> Said:
        """A short statement that carries the skill."""
        if move.step.does == "choose":
            return Said(str(move.position.dispute.correct or 0))
        if move.step.does == "poll":
            return Said("0")  # no lean would change what it says
        if move.step.does == "quote" and move.position.dispute.document is not None:
            words = move.position.dispute.document.text.split()[:5]
            return Said(f"<quote>{' '.join(words)}</quote>")
        return Said(f"I hold that it is {move.mine}, with persuasion {self.skill:+.3f}.")
