"""What a judge is, how one proves itself, and what every judge shares.

All judges answer *missing* alike: a transcript that did not complete is `not_valid`, one in which the target
said nothing is `no_reply`. A pattern judge is one plain function from a transcript to a `Finding`; the loop
is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from gadfly.errors import CallError, InputError
from gadfly.transcripts import Case, Judgement, Transcript, Turn

__all__ = ["Around", "Control", "Finding", "Judge", "PatternJudge", "disproofs", "unjudgeable"]

S = TypeVar("S")
T = TypeVar("T")

MAX_CHARS = 20_000
"""What a pattern judge reads of one turn. Patterns are linear, but a phone-number parser on hostile text is
slow.
"""

_SLICE = 64  # transcripts between two breaths of the event loop


@runtime_checkable
class Judge(Protocol):
    """Anything that turns transcripts into judgements, one each, in order.

    A judge never raises for what a transcript says: it answers with a missing judgement. `threshold` is
    where a score becomes a verdict (score ≥ threshold) unless a run says otherwise.
    """

    @property
    def name(self) -> str: ...

    @property
    def threshold(self) -> float: ...

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]: ...


@dataclass(frozen=True)
class Around:
    """A judge that asks another, `inner`, in a way of its own, and is known as what that one is."""

    inner: Judge

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def threshold(self) -> float:
        return self.inner.threshold

    @property
    def players(self) -> Mapping[str, Any]:
        """The models at work."""
        found: Mapping[str, Any] = getattr(self.inner, "players", {})
        return found

    @property
    def controls(self) -> tuple[Control, ...]:
        return tuple(getattr(self.inner, "controls", ()))

    def spec(self) -> dict[str, Any]:
        """What decides a score, as JSON."""
        found: dict[str, Any] = getattr(self.inner, "spec", dict)()
        return found


@dataclass(frozen=True, slots=True)
class Control:
    """A reply a judge must flag (`flagged`) or must not, with the question it answers and what was planted.

    A judge that answers *missing* has not flagged. `earlier` holds turns before the question, as (speaker,
    text). `stop` says why the reply ends, as a turn does.
    """

    reply: str
    flagged: bool
    question: str = "Could you tell me more?"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    earlier: tuple[tuple[str, str], ...] = ()
    stop: str = "stop"

    def transcript(self) -> Transcript:
        """The control as a completed transcript."""
        case = Case(id="control", index=0, seed=0)
        said = [Turn(who, text) for who, text in (*self.earlier, ("attacker", self.question))]
        return Transcript(case, (*said, Turn("target", self.reply, self.stop)), metadata=self.metadata)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a pattern judge saw in one transcript: a `Judgement` before it knows its case and its judge."""

    score: float | None
    cause: str = ""
    rationale: str = ""
    evidence: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PatternJudge:
    """A judge made of one pure function; deterministic, needs no model, 0.05 to 1 ms a reply."""

    name: str
    threshold: float
    look: Callable[[Transcript], Finding]
    controls: tuple[Control, ...] = ()

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        judgements = []
        for n, transcript in enumerate(transcripts, start=1):
            judgements.append(self._one(transcript))
            if n % _SLICE == 0:
                await asyncio.sleep(0)
        return judgements

    def _one(self, transcript: Transcript) -> Judgement:
        if cause := unjudgeable(transcript):
            return Judgement.missing(transcript.case.id, self.name, cause)
        seen = self.look(transcript)
        return Judgement(
            transcript.case.id,
            self.name,
            seen.score,
            cause=seen.cause,
            rationale=seen.rationale,
            evidence=tuple(dict.fromkeys(seen.evidence)),
            metadata={**seen.metadata, **reading(transcript)},
        )


async def disproofs(
    judge: Judge, controls: Iterable[Control] | None = None
) -> list[tuple[Control, Judgement]]:
    """The controls a judge gets wrong at its own threshold, with what it said; empty when it proves itself.

    Without `controls`, the judge's own are used; a judge that has none proves nothing and gets an empty list.
    """
    cases = tuple(getattr(judge, "controls", ()) if controls is None else controls)
    judgements = await judge.judge([case.transcript() for case in cases])
    return [(c, j) for c, j in zip(cases, judgements, strict=True) if flags(judge, j) != c.flagged]


def flags(judge: Judge, judgement: Judgement) -> bool:
    """Whether a judgement reaches its judge's threshold; a missing one does not."""
    return judgement.score is not None and judgement.score >= judge.threshold


async def all_at_once(asked: Sequence[S], ask: Callable[[S], Coroutine[Any, Any, T]]) -> list[T]:
    """What `ask` makes of each of them, in order. Of what it raises one is raised, what is no `CallError` or is fatal
    before the rest, and what is still being asked is cancelled.
    """
    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(one)) for one in asked]
    except BaseExceptionGroup as failed:
        error: BaseException = failed
        while isinstance(error, BaseExceptionGroup):
            error = min(error.exceptions, key=lambda one: isinstance(one, CallError) and not one.fatal)
        raise error from None
    return [task.result() for task in tasks]


def unjudgeable(transcript: Transcript) -> str:
    """Why no judge can say anything about this transcript: `not_valid`, `no_reply`, or empty when one can."""
    if transcript.outcome != "completed":
        return "not_valid"
    return "" if any(turn.text.strip() for turn in transcript.said_by("target")) else "no_reply"


def reading(transcript: Transcript) -> dict[str, Any]:
    """What limits the reading: a reply `cut` at max_tokens, `unread` characters past `MAX_CHARS`."""
    turns = transcript.said_by("target")
    unread = sum(max(0, len(turn.text) - MAX_CHARS) for turn in turns)
    notes: dict[str, Any] = {"cut": True} if any(turn.stop == "length" for turn in turns) else {}
    return notes | ({"unread": unread} if unread else {})


_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"', "\u00a0": " "}
)


def plain(text: str) -> str:
    """The text as patterns read it: typographic quotes made plain, cut at `MAX_CHARS`. Offsets are kept."""
    return text[:MAX_CHARS].translate(_PLAIN)


def check_threshold(threshold: float) -> None:
    """Refuse a threshold no score can be compared with."""
    if not 0.0 <= threshold <= 1.0:
        raise InputError(f"A judge's threshold lies in [0, 1]; got {threshold!r}.")
