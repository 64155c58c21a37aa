"""Texts as the tokens that a policy is trained on: a prompt, and ways to go on with it."""

from __future__ import annotations

from gadfly.errors import InputError
from gadfly.models import LocalModel

__all__ = ["tokens"]


def tokens(policy: LocalModel, prompt: str, *completions: str) -> tuple[list[int], list[list[int]]]:
    """Token ids of the prompt and of each completion, which is read by itself and gets no end-of-text token.

    Where both together are longer than the policy's context, the prompt loses its beginning: as much as the longest
    completion asks for. Raises `InputError` for a completion that leaves no room for a prompt, or has no token.
    """
    read = [list(policy.tokenizer(one, add_special_tokens=False)["input_ids"]) for one in completions]
    if not all(read):
        raise InputError("A text to learn is empty; leave that example out.")
    room = policy.context - max(map(len, read))
    if room < 1:
        raise InputError(
            f"A text to learn has {policy.context - room:,} tokens and {policy.name} holds {policy.context:,}, its "
            "prompt included; shorten it."
        )
    return policy.encode(prompt)[-room:], read
