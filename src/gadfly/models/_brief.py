"""A system asked for a word or a few, with the probabilities of the first token where the service has them.

Services differ. Some reject log-probabilities, some a temperature, and a model that reasons first says nothing within a
few tokens. `Brief` finds out what a service takes, and asks it so from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gadfly.errors import CallError
from gadfly.models._system import System
from gadfly.models._transport import Message, Reply
from gadfly.transcripts import Usage

__all__ = ["Brief", "briefly"]

_OPTIONAL = ({"logprobs": None, "top_logprobs": None}, {"temperature": None, "top_p": None})
"""Settings that services are known to reject, in the order in which they are left out."""

_ROOM = (64, 1_024, 8_192)
"""Tokens that are tried where fewer were used up before the word was said: a sentence, reasoning, long reasoning."""


def briefly(system: System, tokens: int) -> System:
    """The system as it is asked for a word: greedily, with log-probabilities, in `tokens` unless it has a limit."""
    limit = system.sampling.max_tokens or tokens
    return system.with_sampling(temperature=0.0, max_tokens=limit, logprobs=True, top_logprobs=20)


@dataclass(eq=False)
class Brief:
    """What one service has been found to take: how many of `_OPTIONAL` it rejects, and which `_ROOM` it needs.

    Only what has led to a reply is kept, so a prompt that is rejected for its words changes nothing for the next.
    """

    refused: int = 0
    room: int = 0

    async def reply(
        self,
        system: System,
        messages: Sequence[Message],
        *,
        seed: int | None = None,
        read: Callable[[Reply], float | None] | None = None,
        grows: bool = True,
    ) -> Reply:
        """One reply, without what the service rejects. Where `grows`, with more tokens where it was cut before it said
        anything or, for a service without log-probabilities, before `read` finds its answer; its usage counts those
        tries. Raises `CallError`.
        """
        refused, room = self.refused, self.room if grows else 0
        spent = Usage()
        while True:
            more = grows and room < len(_ROOM)
            try:
                reply = await _asked(system, refused, room).reply(messages, seed=seed)
            except CallError as failure:
                if failure.cause == "rejected" and not failure.fatal and refused < len(_OPTIONAL):
                    refused += 1
                elif failure.cut and more:
                    room += 1
                    spent += failure.usage or Usage()
                else:
                    raise
                continue
            spent += reply.usage
            if more and read and reply.stop == "length" and not reply.first_token and read(reply) is None:
                room += 1
                continue
            self.refused, self.room = max(self.refused, refused), max(self.room, room)
            return replace(reply, usage=spent)


def _asked(system: System, refused: int, room: int) -> System:
    left_out = {name: None for tier in _OPTIONAL[:refused] for name in tier}
    wider = {"max_tokens": max(system.sampling.max_tokens or 0, _ROOM[room - 1])} if room else {}
    return system.with_sampling(**left_out, **wider) if left_out or wider else system
