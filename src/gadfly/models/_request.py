"""What is asked of the local engine and what it gives back: frozen data that knows nothing of batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from gadfly.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["Allowed", "Delta", "LogitsMask", "Request", "Sample", "TokenLogprob"]

Allowed = Callable[[Sequence[int]], "torch.Tensor | None"]
"""From the tokens sampled so far (none at first) to what may come next: a bool tensor (V), or the ids of the tokens in
a tensor of integers (A), ascending and each once, which costs less where they are few. None: anything."""


class LogitsMask(Protocol):
    """What a sample may say. `start` is called once per sample, so that each may keep state of its own.

    What it returns runs on the engine's thread. An exception in either fails that request alone.
    """

    def start(self) -> Allowed: ...


@dataclass(frozen=True)
class Request:
    """One prompt, in token ids, and how to continue it `n` times.

    `temperature` 0 is greedy. `top_p` keeps the fewest likeliest tokens whose mass reaches it. `stop` strings
    end a sample and are not part of its text. `seed` None means fresh entropy. `logprobs` None: none; k: those of the
    chosen token and of the k likeliest. A prompt shorter than the model's limit may ask for more tokens than
    remain; the sample then ends with finish "length" at the limit.
    """

    prompt: tuple[int, ...]
    n: int = 1
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = None
    mask: LogitsMask | None = None

    def __post_init__(self) -> None:
        checks = (
            ("prompt", len(self.prompt) > 0, "at least one token"),
            ("n", self.n >= 1, "at least 1"),
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", 0 <= self.temperature < float("inf"), "a finite number from 0 on"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("stop", all(self.stop), "free of empty strings"),
            ("logprobs", self.logprobs is None or self.logprobs >= 0, "None or at least 0"),
        )
        for name, holds, rule in checks:
            if not holds:
                raise InputError(f"{name} must be {rule}, got {getattr(self, name)!r}.")


@dataclass(frozen=True)
class TokenLogprob:
    """One sampled token under the model's own distribution: temperature 1, before mask and top_p, in nats.

    `top` holds (id, text, logprob) of the likeliest tokens. `bytes` is None where the tokenizer does not tell.
    """

    token: int
    text: str
    bytes: bytes | None
    logprob: float
    top: tuple[tuple[int, str, float], ...] = ()


@dataclass(frozen=True)
class Sample:
    """One continuation. `tokens` are all that were sampled, without the one that ends a reply.

    `finish` is "length" when cut at max_tokens or at the model's limit. After a stop string `text` ends before
    it while `tokens` and `logprobs` still cover it. `end` is the token that ended it, where one did.
    """

    text: str
    tokens: tuple[int, ...]
    finish: Literal["stop", "length"]
    logprobs: tuple[TokenLogprob, ...] = ()
    end: int | None = None


@dataclass(frozen=True)
class Delta:
    """A piece of one of the n samples of a stream; `finish` is set on its last one."""

    index: int
    text: str
    finish: Literal["stop", "length"] | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
