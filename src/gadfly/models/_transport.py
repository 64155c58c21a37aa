"""How a call reaches a model, and what comes back.

Three ways, one protocol. `InspectTransport` goes through `Model.generate`, so that inside an Inspect sample
its limits, events and logs work; it serves every provider. `ProviderTransport` calls the provider itself,
for models in this very process, where nothing can be rate-limited. `_http.HttpTransport` is our own client
for OpenAI-compatible services. `System` chooses; nobody else needs to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    Model,
    ModelOutput,
)
from inspect_ai.tool import ToolInfo

from gadfly.errors import CallError
from gadfly.models._failures import PASSING, call_error
from gadfly.models._tools import ToolCall, call_from
from gadfly.transcripts import Usage

__all__ = [
    "CONTINUE",
    "FIRST_CONTACT",
    "InspectTransport",
    "Message",
    "ProviderTransport",
    "Reply",
    "Retry",
    "Transport",
]

Message = tuple[str, str]
"""(role, text); the role is "system", "user" or "assistant"."""

CONTINUE = "Continue this text. Write only the continuation, without repeating or commenting on it.\n\n"
"""Asked of a chat model where a raw completion is wanted and cannot be had."""

FIRST_CONTACT = 2
"""Attempts to reach a model that has never answered."""

LOCAL = ("gadfly", "scripted", "mockllm")
"""Providers that answer from within this process."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system said. `stop` is as in `Turn`. `logprob` is the sum over tokens in nats, None where
    unknown.

    `first_token` maps the alternatives for the first token to their log-probabilities (empty where
    unknown): it is what turns a judge's "yes" into a probability. `calls` are the tools it asked for, and
    `reasoning` what it thought before it spoke, as far as the service shows that; neither is part of `text`.
    """

    text: str
    stop: str = "stop"
    usage: Usage = field(default_factory=Usage)
    logprob: float | None = None
    first_token: dict[str, float] = field(default_factory=dict)
    calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to try one call, and how long to wait in between.

    Waits double from `first_delay` to at most `max_delay` seconds, each shortened at random by up to half
    so that callers who failed together do not come back together; a service's own `Retry-After` is waited
    out instead. `timeout` bounds one attempt in seconds.
    """

    attempts: int = 6
    first_delay: float = 1.0
    max_delay: float = 30.0
    timeout: float = 600.0


class Transport(Protocol):
    """One model with one set of sampling settings. Raises `CallError` once its retries are exhausted."""

    async def chat(self, messages: Sequence[Message], seed: int | None) -> Reply: ...

    async def complete(self, prompt: str, seed: int | None, stop: Sequence[str]) -> Reply: ...


class InspectTransport:
    """Through `Model.generate`. Retrying is Inspect's, bounded by `retry.attempts` unless the user bounded
    it.

    Inspect's waits begin at three seconds and double, so that six attempts take two minutes. A model that has never
    answered is therefore tried twice; if it cannot even be reached, waiting for it would be in vain.
    """

    def __init__(self, model: Model, sampling: GenerateConfig, retry: Retry) -> None:
        self.model = model
        self.is_local = provider_of(model) in LOCAL
        bounded = sampling.max_retries is not None or model.config.max_retries is not None
        limits = {} if bounded else {"max_retries": retry.attempts - 1}
        self.config = sampling.model_copy(update=limits)
        self.is_known_to_answer = bounded or self.is_local or retry.attempts <= FIRST_CONTACT

    async def chat(self, messages: Sequence[Message], seed: int | None) -> Reply:
        return await self.act(chat_messages(messages), (), seed)

    async def act(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], seed: int | None
    ) -> Reply:
        """The next message, which may call `tools`."""
        return await self._call(messages, {} if seed is None else {"seed": seed}, tools)

    async def complete(self, prompt: str, seed: int | None, stop: Sequence[str]) -> Reply:
        """Raw where the model is local, which is the only place where Inspect can ask for it; else by
        instruction.
        """
        update: dict[str, Any] = {} if seed is None else {"seed": seed}
        if stop:
            update["stop_seqs"] = list(stop)
        if self.is_local:
            update["extra_body"] = {**(self.config.extra_body or {}), "raw": True}
        asked = chat_messages([("user", prompt if self.is_local else CONTINUE + prompt)])
        return await self._call(asked, update)

    async def _call(
        self, messages: Sequence[ChatMessage], update: dict[str, Any], tools: Sequence[ToolInfo] = ()
    ) -> Reply:
        config = self.config.model_copy(update=update) if update else self.config
        if not self.is_known_to_answer:
            try:
                brief = config.model_copy(update={"max_retries": FIRST_CONTACT - 1})
                return await self._once(messages, tools, brief)
            except CallError as error:
                if error.fatal or error.cause not in PASSING:
                    raise
        return await self._once(messages, tools, config)

    async def _once(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], config: GenerateConfig
    ) -> Reply:
        try:
            output = await self._generate(list(messages), list(tools), config)
        except Exception as failure:
            raise call_error(failure, self.model, in_process=self.is_local) from failure
        self.is_known_to_answer = True
        return reply_from(output)

    async def _generate(
        self, messages: list[ChatMessage], tools: list[ToolInfo], config: GenerateConfig
    ) -> ModelOutput:
        return await self.model.generate(messages, tools, config=config)


class ProviderTransport(InspectTransport):
    """Straight to the provider: no events, no limits, no retries."""

    def __init__(self, model: Model, sampling: GenerateConfig, retry: Retry) -> None:
        super().__init__(model, sampling, retry)
        self.config = model.config.merge(self.config)

    async def _generate(
        self, messages: list[ChatMessage], tools: list[ToolInfo], config: GenerateConfig
    ) -> ModelOutput:
        result = await self.model.api.generate(messages, tools, "auto" if tools else "none", config)
        output = result[0] if isinstance(result, tuple) else result
        if isinstance(output, Exception):
            raise output
        return output


def provider_of(model: Model) -> str:
    """`openai` of `openai/gpt-4.1-mini`."""
    return str(model).split("/", 1)[0]


_MESSAGE_TYPES = {"user": ChatMessageUser, "assistant": ChatMessageAssistant, "system": ChatMessageSystem}


def chat_messages(messages: Sequence[Message]) -> list[ChatMessage]:
    """Inspect's message objects."""
    return [_MESSAGE_TYPES[role](content=text) for role, text in messages]


def reply_from(output: ModelOutput) -> Reply:
    """What gadfly keeps of Inspect's output: the first choice.

    Inspect reports a prompt that does not fit as an output that stopped for "model_length" and used no
    tokens.
    """
    if output.empty:
        raise CallError("The model's reply holds no choices.", "bad_reply")
    used = output.usage
    if output.stop_reason == "model_length" and not (used and used.output_tokens):
        raise CallError(
            f"The prompt does not fit the model's context: {output.completion[:200]}", "context_overflow"
        )
    choice = output.choices[0]
    tokens = choice.logprobs.content if choice.logprobs else []
    top = tokens[0].top_logprobs if tokens else None
    return Reply(
        output.completion,
        _STOPS.get(choice.stop_reason, "stop"),
        _usage(output),
        sum(token.logprob for token in tokens) if tokens else None,
        {alternative.token: alternative.logprob for alternative in top or ()},
        tuple(call_from(call) for call in choice.message.tool_calls or ()),
        _reasoning(choice.message),
    )


def _reasoning(message: ChatMessageAssistant) -> str:
    """The model's reasoning; where its words are withheld, the summary of them if there is one."""
    if isinstance(message.content, str):
        return ""
    blocks = [block for block in message.content if isinstance(block, ContentReasoning)]
    said = [(block.summary or "") if block.redacted else block.reasoning for block in blocks]
    return "\n\n".join(filter(None, said))


_STOPS = {"max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}


def _usage(output: ModelOutput) -> Usage:
    used = output.usage
    if used is None:
        return Usage()
    cached = (used.input_tokens_cache_read or 0) + (used.input_tokens_cache_write or 0)
    return Usage(used.input_tokens + cached, used.output_tokens, used.total_cost)
