"""How likely given words are as a reply: read off the weights in one pass each, nothing is sampled.

Conversations that begin alike are read once as far as they are alike, so that a prompt with one sentence changed costs
what comes after the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gadfly.errors import CallError, InputError

if TYPE_CHECKING:
    from gadfly.models._local import LocalModel
    from gadfly.models._system import System
    from gadfly.models._transport import Message

__all__ = ["likelihoods", "reply_logprobs"]


async def likelihoods(
    system: System, conversations: Sequence[Sequence[Message]], reply: str
) -> list[tuple[float, ...]]:
    """The log-probability of each token of `reply` (nats) after each conversation, unmasked, at temperature 1.

    A last assistant message is gone on from, as in `System.reply`. Raises `CallError` for a system whose weights we do
    not hold (`rejected`) and where a conversation and the reply together are longer than the model holds
    (`context_overflow`), `InputError` for a reply without a token.
    """
    if not system.white_box:
        raise CallError(
            f"{system.name} runs elsewhere, so the likelihood of given words cannot be read off it; use a local model "
            "(gadfly/…).",
            "rejected",
            fatal=True,
        )
    api: Any = system.model.api

    def read() -> list[tuple[float, ...]]:
        local: LocalModel = api.local
        rows = [
            [{"role": role, "content": text} for role, text in system._conversation(one)]
            for one in conversations
        ]
        tokens = list(local.tokenizer(reply, add_special_tokens=False)["input_ids"])
        return reply_logprobs(local, [local.encode_chat(row) for row in rows], tokens)

    return await asyncio.to_thread(read)


def reply_logprobs(
    local: LocalModel, prompts: Sequence[Sequence[int]], reply: Sequence[int]
) -> list[tuple[float, ...]]:
    """The same of token ids, in the order of `prompts`. The first prompt is the one others share a beginning with."""
    if not reply:
        raise InputError("A reply without a token has no likelihood.")
    longest = max(map(len, prompts), default=0) + len(reply)
    if longest > local.context:
        raise CallError(
            f"Prompt and reply have {longest:,} tokens and {local.name} holds {local.context:,}; show it less.",
            "context_overflow",
        )
    if not prompts:
        return []
    whole = [*prompts[0], *reply]
    shared = [min(_alike(whole, prompt), len(prompt) - 1) for prompt in prompts]
    found: dict[int, tuple[float, ...]] = {}
    cache = _Cache(local)
    for row in sorted(range(len(prompts)), key=lambda row: (row > 0, -shared[row])):
        cache.keep(shared[row] if row else 0)
        found[row] = cache.read([*prompts[row], *reply][cache.length :], reply)
    return [found[row] for row in range(len(prompts))]


class _Cache:
    """The keys and values of a beginning; all layers keep all of it, so that it can be cut."""

    def __init__(self, local: LocalModel) -> None:
        from transformers import DynamicCache

        self.local = local
        self.states: Any = DynamicCache()

    @property
    def length(self) -> int:
        return int(self.states.get_seq_length())

    def keep(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        for layer in self.states.layers:
            layer.keys, layer.values = layer.keys[..., :length, :], layer.values[..., :length, :]

    def read(self, rest: Sequence[int], reply: Sequence[int]) -> tuple[float, ...]:
        """Log-probabilities (nats) of `reply`, with which `rest` ends."""
        import torch

        from gadfly.models._logits import OutputLayer

        output = OutputLayer(self.local.weights)
        row = torch.tensor([list(rest)], device=self.local.device)
        with torch.inference_mode(), output.noting():
            out = self.local.weights(
                input_ids=row, past_key_values=self.states, use_cache=True, logits_to_keep=len(reply) + 1
            )
            logprobs_T_V = output.exact(out.logits[0])[:-1].log_softmax(-1)
            chosen = torch.tensor(list(reply), device=self.local.device).unsqueeze(1)
            return tuple(logprobs_T_V.gather(1, chosen).squeeze(1).tolist())


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
