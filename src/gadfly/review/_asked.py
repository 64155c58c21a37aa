"""A person asks, a model answers from documents, and the person says what the answer is worth.

A question is answered in the background, one at a time for each person; what came of it is kept in memory, and for
good once it is judged: as an item with its label in one queue for each kind (`NAME-asked-supported`), where others can
judge it too. Nobody drew these items, so no rate is estimated from them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gadfly.errors import GadflyError, InputError
from gadfly.review._quoted import Claim, claim_payload, claim_view
from gadfly.review._records import EVIDENCE, Answer, NewItem, QueueSpec, Rater, RefusedError
from gadfly.review._store import Store

if TYPE_CHECKING:
    from gadfly.evidence import Answered
    from gadfly.transcripts import Transcript

__all__ = ["ASKED_RUN", "Ask", "Asked", "Asks", "asked_queue"]

Ask = Callable[[str], "Awaitable[Answered]"]
"""A question -> what came of it."""

ASKED_RUN = "asked"
"""What items that somebody asked for name as their run."""

LONGEST_QUESTION = 1_000
AT_ONCE, WAITING, KEPT = 4, 32, 256
"""Questions answered at once, questions that may wait for that, and those that are kept."""

_log = logging.getLogger(__name__)


@dataclass
class Asked:
    """A question that was asked. `judged` is what its asker said of the answer, by kind."""

    id: str
    rater: int
    question: str
    task: asyncio.Task[Answered]
    judged: dict[str, str] = field(default_factory=dict)

    @property
    def answered(self) -> Answered | None:
        """What came of it; None while it is being answered and when that failed."""
        done = self.task.done() and not self.task.cancelled() and self.task.exception() is None
        return self.task.result() if done else None

    @property
    def failure(self) -> str:
        """Why there is no answer, as a sentence; empty while there may be one."""
        if not self.task.done() or self.answered is not None:
            return ""
        error = None if self.task.cancelled() else self.task.exception()
        return str(error) if isinstance(error, GadflyError) else _BROKE

    @property
    def claim(self) -> Claim | None:
        """The answer as the page shows it."""
        chosen = self.answered and self.answered.chosen
        return claim_of(chosen) if chosen else None

    @property
    def others(self) -> list[Claim]:
        """The answers that were not chosen."""
        return [claim_of(one) for one in self.answered.others] if self.answered else []


_BROKE = "The question could not be answered, because something broke on the server: ask it again."


def claim_of(transcript: Transcript) -> Claim:
    """A transcript of an answer as the page shows it."""
    return claim_view(claim_payload(transcript), "answer")


def asked_queue(queue: str, kind: str) -> str:
    """The queue that holds what people said of the answers they asked for on the page of `queue`."""
    return f"{queue}-asked-{kind}"


class Asks:
    """The questions asked on one queue's page; makes the queues for their labels. `begin` needs a running loop."""

    def __init__(self, store: Store, queue: str, ask: Ask) -> None:
        self._store, self._queue, self._ask = store, queue, ask
        self._kept: dict[str, Asked] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        there = store.queues()
        for kind in EVIDENCE:
            name = asked_queue(queue, kind)
            if name not in there:
                store.create(QueueSpec(name, kind, double_share=0.0, gold_share=0.0))

    def begin(self, rater: Rater, question: str) -> Asked:
        """Have a question answered. Raises `InputError` for one that is empty or too long, `RefusedError` while the
        rater's last one, or too many others, are being answered.
        """
        if not question:
            raise InputError("There is no question: write one, then ask.")
        if len(question) > LONGEST_QUESTION:
            raise InputError(f"A question may have {LONGEST_QUESTION:,} characters; got {len(question):,}.")
        open_ = [asked for asked in self._kept.values() if not asked.task.done()]
        if any(asked.rater == rater.id for asked in open_):
            raise RefusedError("Your last question is still being answered: wait for it, then ask the next.")
        if len(open_) >= WAITING:
            raise RefusedError("Too many questions wait for an answer: ask again in a minute.")
        asked = Asked(
            secrets.token_urlsafe(9), rater.id, question, asyncio.create_task(self._answer(question))
        )
        self._kept[asked.id] = asked
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)))
        return asked

    async def _answer(self, question: str) -> Answered:
        async with self._room:
            try:
                return await self._ask(question)
            except GadflyError:
                raise
            except Exception:
                _log.warning("a question could not be answered", exc_info=True)
                raise

    def of(self, rater: Rater) -> list[Asked]:
        """A rater's questions, the last first."""
        return [asked for asked in reversed(self._kept.values()) if asked.rater == rater.id]

    def get(self, id_: str, rater: Rater) -> Asked:
        """One of a rater's own questions. Raises `RefusedError` for one that is gone or another's."""
        asked = self._kept.get(id_)
        if asked is None or asked.rater != rater.id:
            raise RefusedError("That question is not kept here (any more): ask it again.")
        return asked

    def judge(self, asked: Asked, rater: Rater, said: Mapping[str, Answer]) -> None:
        """Keep what a rater says of an answer, by kind. Raises `RefusedError` where they said it before."""
        chosen = asked.answered and asked.answered.chosen
        if not chosen:
            raise RefusedError("There is no answer to judge.")
        shown = claim_payload(chosen)
        case = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]
        for kind, answer in said.items():
            self._store.volunteer(
                asked_queue(self._queue, kind), NewItem(ASKED_RUN, case, shown), rater, answer
            )
            asked.judged[kind] = answer.value

    def close(self) -> None:
        """Give up what is being answered."""
        for asked in self._kept.values():
            asked.task.cancel()
