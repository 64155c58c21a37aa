"""One question answered now: samples over the best passages, the surest of them, or a refusal that is worth having."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gadfly.corpora import Passage
from gadfly.errors import CallError, InputError
from gadfly.evidence._choosing import Chosen, pick
from gadfly.evidence._declining import Decline
from gadfly.evidence._prompts import narrowing
from gadfly.evidence._quoting import Quoting
from gadfly.evidence._scorers import sure, unlikely
from gadfly.judges import Judge
from gadfly.models import System
from gadfly.runs import Cases
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Answered", "Asking", "answer"]


@dataclass(frozen=True)
class Asking:
    """How to answer: the game, N `samples` over its K passages, and the judge whose confidence decides.

    With `decline` an answer below its threshold is withheld, and its judge must be `judge`. Before that, up to
    `searches` further rounds look at the next K passages, each as long as its chance of an answer that clears the
    threshold, as the run that set it had it, times what an answer is worth exceeds what a round `costs` (both in units
    of an answer). Without a judge, an answer is chosen by its likelihood where the model tells it. `checks` are judges
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


@dataclass(frozen=True)
class Answered:
    """What came of a question. `chosen` is the surest sample, kept also when it is withheld (`declined`), `why` says
    in words why there is no answer, and `alternative` what there is instead: the passage that comes nearest, and a
    narrower question that it answers. `searched` is how many passages were looked at, `checked` what the checks found.
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


async def answer(question: str, asking: Asking, claim: str | None = None) -> Answered:
    """Answer one question from the corpus, or decline. With `claim`, only its evidence is looked for.

    Raises `InputError` for a question without words and the `CallError` of a call that failed for good.
    """
    if not question.strip():
        raise InputError("There is no question: write one with words.")
    tried: list[Chosen] = []
    depth = asking.game.documents
    looked = asking.game.corpus.search(question, depth * (asking.searches + 1))
    for round_ in range(asking.searches + 1):
        passages = looked[round_ * depth : (round_ + 1) * depth]
        if not passages or (round_ and not _worthwhile(asking, round_)):
            break
        ranks = range(round_ * depth, round_ * depth + len(passages))
        tried += await _samples(question, asking, ranks, claim)
        if asking.decline is None or _clears(asking.decline, tried):
            break
    return await _answered(question, asking, tried, [found.passage for found in looked])


def _worthwhile(asking: Asking, round_: int) -> bool:
    """Whether the chance that a further round of passages holds the answer is worth the round."""
    return asking.decline is not None and asking.decline.chance(round_) > asking.cost


async def _samples(question: str, asking: Asking, ranks: range, claim: str | None) -> list[Chosen]:
    """N samples over the passages of these ranks, judged. A later round is played because the passages
    before it did not do, so its best counts as the best.
    """
    wide = replace(asking.game, documents=ranks.stop)
    given: Mapping[str, str] = {} if claim is None else {"claim": claim}
    places = [n % len(ranks) for n in range(asking.samples)]
    data = [
        {"question": question, **given, "of": 0, "sample": ranks[place], "rank": place + 1, "draw": n}
        for n, place in enumerate(places)
    ]
    told = await asyncio.gather(*map(wide.play, Cases.of(wide, data, asking.seed)))
    failed = [one for one in told if one.outcome == "failed"]
    if len(failed) == len(told):
        raise CallError(f"{wide.answerer.name} could not be asked ({failed[0].cause}).", failed[0].cause)
    judged = await asking.judge.judge(told)
    return [_chosen(one, judgement) for one, judgement in zip(told, judged, strict=True)]


def _chosen(transcript: Transcript, judgement: Judgement) -> Chosen:
    return Chosen(0, transcript, {judgement.judge: judgement}, sure(transcript, judgement))


def _clears(decline: Decline, tried: Sequence[Chosen]) -> bool:
    return not decline.declines(pick(list(tried)).confidence)


async def _answered(
    question: str, asking: Asking, tried: Sequence[Chosen], looked: Sequence[Passage]
) -> Answered:
    """The surest answer, or why there is none and what there is instead."""
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
    best = pick(whole)
    others = tuple(one.transcript for one in whole if one is not best)
    said = Answered(
        question, best.transcript, False, confidence=best.confidence, others=others, searched=searched
    )
    if asking.decline is None or not asking.decline.declines(best.confidence):
        checked = [judgement for check in asking.checks for judgement in await check.judge([best.transcript])]
        return replace(said, checked=tuple(checked))
    why = asking.decline.reason(best.confidence)
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
