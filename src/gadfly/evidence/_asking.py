"""One question answered now: samples over the best passages, the surest of them, or a refusal that is worth having."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gadfly.corpora import Passage
from gadfly.errors import CallError, InputError
from gadfly.evidence._choosing import Chosen, pick
from gadfly.evidence._declining import Decline, round_of
from gadfly.evidence._prompts import narrowing
from gadfly.evidence._quoting import Quoting
from gadfly.evidence._scorers import sure, unlikely
from gadfly.evidence._setting import Setting
from gadfly.judges import Judge
from gadfly.models import System
from gadfly.runs import Cases
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Answered", "Asking", "answer"]


@dataclass(frozen=True)
class Asking:
    """How to answer: the game, N `samples` over its K passages, and the judge whose confidence decides.

    With `decline` an answer below its threshold is withheld, and its judge must be `judge`. Before that, at most
    `searches` further rounds look at the next K passages, of those that it has a threshold for, and each only where its
    chance of an answer that clears that, as the run that set it had it, is worth more than the round's `cost`, in units
    of an answer. Without a judge, an answer is chosen by its likelihood where the model tells it. `checks` are judges
    that look at the chosen answer alone, such as `contradicted` and `unused`.
    """

    game: Quoting
    samples: int = 8
    judge: Judge = field(default_factory=unlikely)
    decline: Decline | None = None
    searches: int = 2
    cost: float = 0.05
    checks: tuple[Judge, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1 or self.searches < 0:
            raise InputError(
                f"There is at least one sample and no fewer than 0 searches; got {self.samples}, {self.searches}."
            )
        if self.decline is not None and self.decline.judge != self.judge.name:
            raise InputError(
                f"The threshold was set for judge {self.decline.judge!r} and answers are judged by "
                f"{self.judge.name!r}; take the same."
            )

    @property
    def rounds(self) -> int:
        """How many searches there may be, the first included."""
        return 1 if self.decline is None else 1 + min(self.searches, len(self.decline.rounds) - 1)

    @property
    def whole(self) -> tuple[Quoting, int]:
        """The game over the passages of all searches that its threshold was set for, and the samples of all."""
        parts = 1 if self.decline is None else 1 + self.decline.searches
        return replace(self.game, documents=self.game.documents * parts), self.samples * parts


@dataclass(frozen=True)
class Answered:
    """What came of a question. `chosen` is the surest sample, kept also when it is withheld (`declined`), `why` says
    in words why there is no answer, and `alternative` what there is instead: the passage that comes nearest, and a
    narrower question that it answers. `searched` is how many passages were looked at, `checked` what the checks found.
    `unpromised` says why the risk that declining was set for is not promised here, if it is not.
    """

    question: str
    chosen: Transcript | None
    declined: bool
    why: str = ""
    alternative: str = ""
    nearest: Passage | None = None
    confidence: float | None = None
    others: tuple[Transcript, ...] = ()
    searched: int = 0
    checked: tuple[Judgement, ...] = ()
    unpromised: str = ""


async def answer(question: str, asking: Asking, claim: str | None = None) -> Answered:
    """Answer one question from the corpus, or decline. With `claim`, only its evidence is looked for.

    Raises `InputError` for a question without words and the `CallError` of a call that failed for good.
    """
    if not question.strip():
        raise InputError("There is no question: write one with words.")
    tried: list[Chosen] = []
    cleared: Chosen | None = None
    game, _ = asking.whole
    looked = [found.passage for found in game.corpus.search(question, game.documents)]
    for round_ in range(asking.rounds):
        numbers = _numbers(asking, round_, len(looked))
        if not numbers or (round_ and not _worthwhile(asking, round_)):
            break
        now = await _samples(question, asking, numbers, claim)
        tried += now
        if asking.decline is not None and not asking.decline.declines(pick(now).confidence, round_):
            cleared = pick(now)
            break
    answered = await _answered(question, asking, tried, looked, cleared)
    return replace(answered, unpromised=_unpromised(asking, claim))


def _worthwhile(asking: Asking, round_: int) -> bool:
    """Whether the chance that a further round of passages holds the answer is worth the round."""
    return asking.decline is not None and asking.decline.chance(round_) > asking.cost


def _unpromised(asking: Asking, claim: str | None) -> str:
    if asking.decline is None:
        return ""
    judge: Mapping[str, Any] = getattr(asking.judge, "spec", dict)()
    now = Setting.of(asking.game.spec(), asking.samples, judge)
    return asking.decline.unpromised(now, *(["claims of the model's own"] if claim is not None else []))


def _numbers(asking: Asking, round_: int, found: int) -> list[int]:
    """Which samples a search draws: those that a run over the passages of all searches, as the one that set the
    threshold, has of its K passages; N at most.
    """
    depth = asking.game.documents
    ranks = range(found)[round_ * depth : (round_ + 1) * depth]
    return [n for n in range(asking.whole[1]) if ranks and n % found in ranks][: asking.samples]


async def _samples(question: str, asking: Asking, numbers: Sequence[int], claim: str | None) -> list[Chosen]:
    """The samples of these numbers, judged."""
    game, _ = asking.whole
    given: Mapping[str, str] = {} if claim is None else {"claim": claim}
    data = [{"question": question, **given, "of": 0, "sample": n} for n in numbers]
    told = await asyncio.gather(*map(game.play, Cases.of(game, data, asking.seed)))
    failed = [one for one in told if one.outcome == "failed"]
    if len(failed) == len(told):
        raise CallError(f"{game.answerer.name} could not be asked ({failed[0].cause}).", failed[0].cause)
    judged = await asking.judge.judge(told)
    return [_chosen(one, judgement) for one, judgement in zip(told, judged, strict=True)]


def _chosen(transcript: Transcript, judgement: Judgement) -> Chosen:
    return Chosen(0, transcript, {judgement.judge: judgement}, sure(transcript, judgement))


async def _answered(
    question: str,
    asking: Asking,
    tried: Sequence[Chosen],
    looked: Sequence[Passage],
    cleared: Chosen | None,
) -> Answered:
    """The answer that `cleared` its threshold or, without one, the surest; or why there is none, and what instead."""
    nearest = looked[0] if looked else None
    whole = [one for one in tried if one.transcript.outcome == "completed"]
    searched = len({Passage(**p).id for one in tried for p in one.transcript.metadata["shown"]})
    if not whole:
        why = (
            "Nothing in the documents shares a word with the question."
            if nearest is None
            else ("None of the answers could be read." if tried else "Nothing was found.")
        )
        return Answered(question, None, True, why, nearest=nearest, searched=searched)
    best = cleared or pick(whole)
    others = tuple(one.transcript for one in whole if one is not best)
    said = Answered(
        question, best.transcript, False, confidence=best.confidence, others=others, searched=searched
    )
    if asking.decline is None or cleared is not None:
        checked = [judgement for check in asking.checks for judgement in await check.judge([best.transcript])]
        return replace(said, checked=tuple(checked))
    rounds = [round_of(one.transcript, asking.game.documents) for one in (best, *tried)]
    why = asking.decline.reason(best.confidence, rounds[0], max(rounds))
    instead = await _narrower(question, asking.game.answerer, nearest) if nearest else ""
    return replace(said, declined=True, why=why, alternative=instead, nearest=nearest)


async def _narrower(question: str, answerer: System, nearest: Passage) -> str:
    """A question that the nearest passage does answer, as the model proposes it; empty where it proposes none."""
    try:
        asked = answerer.with_sampling(max_tokens=40, temperature=0.0)
        reply = await asked.reply(narrowing(question, nearest))
    except CallError:
        return ""
    line = next((line.strip(" -*\"'“”") for line in reply.text.splitlines() if "?" in line), "")
    return line[: line.find("?") + 1][:200]
