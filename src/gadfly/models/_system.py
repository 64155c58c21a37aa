"""A system: a model together with its system prompt and sampling settings, which is what an audit is about.

Weights are not what people meet. Two systems on one model have different fingerprints and different rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inspect_ai.model import GenerateConfig, Model

from gadfly.transcripts import Turn, Usage

__all__ = ["Reply", "System", "Transport"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system said. `stop` is as in `Turn`. `logprob` is the sum over tokens in nats, None where unknown.

    `first_token` maps the alternatives for the first token to their log-probabilities (empty where unknown): it is
    what turns a judge's "yes" into a probability.
    """

    text: str
    stop: str = "stop"
    usage: Usage = field(default_factory=Usage)
    logprob: float | None = None
    first_token: dict[str, float] = field(default_factory=dict)


class Transport(Protocol):
    """How a call reaches a model. Raises `CallError` once its retries are exhausted."""

    async def chat(self, messages: Sequence[tuple[str, str]], config: GenerateConfig) -> Reply: ...

    async def complete(self, prompt: str, config: GenerateConfig) -> Reply: ...
