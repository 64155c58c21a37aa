"""Inspect's way to a local model: `gadfly/<name>[@dtype][+adapter-directory]`.

`get_model("gadfly/smollm2")` works anywhere in Inspect. The name is a short name, a directory or a hub id, as
`LocalModel.load` takes it. Model arguments: `device`, `dtype`, `adapter`. Weights are found (fetched if need be)
when the model is named, and loaded at its first call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    TopLogprob,
    get_model,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from gadfly.errors import CallError, InputError
from gadfly.models._engine import Engine
from gadfly.models._local import LocalModel
from gadfly.models._names import local_name
from gadfly.models._request import LogitsMask, Request, Sample, TokenLogprob
from gadfly.models._tools import calls_in, inspect_calls, template_row, tool_schema
from gadfly.models._weights import locate

__all__ = ["Call", "LocalProvider", "model_of", "recording"]

MAX_TOKENS = 512
"""What a reply may be long when nobody says: a full answer from a small model, and seconds on a CPU."""

UNSUPPORTED = ("top_k", "frequency_penalty", "presence_penalty", "logit_bias", "response_schema")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a local model: what it was asked, in tokens, and what was sampled."""

    local: LocalModel
    request: Request
    samples: tuple[Sample, ...]


_recorded: ContextVar[list[Call] | None] = ContextVar("gadfly_recorded", default=None)


@contextmanager
def recording() -> Iterator[list[Call]]:
    """Within it, every call of a local model made by this task or its children is noted, in the order of answers.

    For training, which needs the tokens behind the text. An asyncio task started inside notes into the same list.
    """
    calls: list[Call] = []
    token = _recorded.set(calls)
    try:
        yield calls
    finally:
        _recorded.reset(token)


class LocalProvider(ModelAPI):
    """A local model behind Inspect's interface.

    `extra_body={"raw": True}` continues the one message's text as it is, without a chat template. Honours
    temperature, top_p, max_tokens, stop_seqs, seed, logprobs, top_logprobs and num_choices; other sampling
    settings are refused in words rather than ignored. A last assistant message is continued, and the output is
    the continuation. Tools are called by models whose chat template writes `<tool_call>` blocks; the model
    itself decides whether to call one.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (Inspect's own signature)
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._local: LocalModel | None = model_args.pop("local", None)
        self._arguments = model_args
        name = local_name(model_name).base
        unknown = set(model_args) - {"adapter", "device", "dtype"}
        if unknown:
            raise InputError(
                f"gadfly/{name} takes device, dtype and adapter, not {', '.join(sorted(unknown))}."
            )
        if self._local is None:
            locate(name)

    @property
    def local(self) -> LocalModel:
        """The white-box handle; the first use loads the weights."""
        if self._local is None:
            self._local = LocalModel.load(self.model_name, **self._arguments)
        return self._local

    async def _ready(self) -> LocalModel:
        """The model, loaded off the loop the first time and without a thread's hop (and its timing) after."""
        return self._local if self._local is not None else await asyncio.to_thread(lambda: self.local)

    @property
    def weights_sha256(self) -> str:
        """A hash over the weights' files."""
        return self.local.weights_sha256

    def engine(self) -> Engine:
        """The engine for this model on the running event loop."""
        return Engine.of(self.local)

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        if tools and tool_choice not in ("auto", "none"):
            raise CallError(
                "A local model decides itself whether to call a tool: use tool_choice='auto'.",
                "rejected",
                fatal=True,
            )
        local = await self._ready()
        request = request_for(local, input, config, tools)
        started = time.perf_counter()
        samples = await self._sampled(local, request)
        output = output_of(self.model_name, request, samples, time.perf_counter() - started)
        if tools:
            output.choices = [with_calls(choice, input, tools) for choice in output.choices]
            output.completion = output.choices[0].message.text
        return output

    async def sample(
        self,
        messages: list[ChatMessage],
        config: GenerateConfig,
        mask: Callable[[LocalModel], LogitsMask] | None = None,
    ) -> tuple[Request, Sample]:
        """One reply with its tokens' log-probabilities, under a mask made for this model, and what was asked."""
        local = await self._ready()
        request = request_for(local, messages, config.model_copy(update={"logprobs": True, "num_choices": 1}))
        if mask is not None:
            request = replace(request, mask=mask(local))
        return request, (await self._sampled(local, request))[0]

    async def _sampled(self, local: LocalModel, request: Request) -> list[Sample]:
        samples = await Engine.of(local).generate(request)
        if (calls := _recorded.get()) is not None:
            calls.append(Call(local, request, tuple(samples)))
        return samples

    async def count_text_tokens(self, text: str) -> int:
        return len(self.local.encode(text))

    async def tokenize(self, text: str) -> list[int]:
        return self.local.encode(text)

    def max_tokens(self) -> int:
        return MAX_TOKENS

    def max_connections(self) -> int:
        """High, because the engine queues for itself and batches better the more it sees."""
        return 512

    def connection_key(self) -> str:
        return self.model_name


def model_of(local: LocalModel) -> Model:
    """A model in memory as Inspect's `Model`, under its own name: what a game's player needs."""
    return get_model(f"gadfly/{local.name}", memoize=False, local=local)


def request_for(
    local: LocalModel, messages: list[ChatMessage], config: GenerateConfig, tools: Sequence[ToolInfo] = ()
) -> Request:
    """Inspect's messages and settings as a request; `CallError` for what the engine or the model does not do."""
    refused = [name for name in UNSUPPORTED if getattr(config, name)]
    if refused:
        raise CallError(
            f"A local model does not do {', '.join(refused)}; leave it out.", "rejected", fatal=True
        )
    body = config.extra_body or {}
    if body.get("raw"):
        prompt = local.encode(messages[-1].text)
    else:
        rows = [template_row(message) for message in messages]
        prompt = local.encode_chat(rows, [tool_schema(tool) for tool in tools])
    return Request(
        prompt=tuple(prompt),
        n=config.num_choices or 1,
        max_tokens=config.max_tokens or MAX_TOKENS,
        temperature=1.0 if config.temperature is None else config.temperature,
        top_p=1.0 if config.top_p is None else config.top_p,
        stop=tuple(config.stop_seqs or ()),
        seed=config.seed,
        logprobs=(config.top_logprobs or 0) if config.logprobs or config.top_logprobs else None,
    )


def output_of(name: str, request: Request, samples: list[Sample], seconds: float) -> ModelOutput:
    """The samples as Inspect's output. A prompt is counted once however many samples were drawn from it."""
    written = sum(len(sample.tokens) for sample in samples)
    read = len(request.prompt)
    return ModelOutput(
        model=name,
        choices=[choice_of(name, request, sample) for sample in samples],
        usage=ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written),
        time=seconds,
    )


def choice_of(name: str, request: Request, sample: Sample) -> ChatCompletionChoice:
    wanted = request.logprobs is not None
    return ChatCompletionChoice(
        message=ChatMessageAssistant(content=sample.text, model=name, source="generate"),
        stop_reason="max_tokens" if sample.finish == "length" else "stop",
        logprobs=Logprobs(content=[logprob_of(token) for token in sample.logprobs]) if wanted else None,
    )


def with_calls(
    choice: ChatCompletionChoice, history: Sequence[ChatMessage], tools: Sequence[ToolInfo]
) -> ChatCompletionChoice:
    """The same choice with the tool calls in its text taken out of it."""
    text, calls = calls_in(choice.message.text, {tool.name for tool in tools})
    message = choice.message.model_copy(update={"content": text, "tool_calls": inspect_calls(calls, history)})
    ended = "tool_calls" if calls and choice.stop_reason == "stop" else choice.stop_reason
    return choice.model_copy(update={"message": message, "stop_reason": ended})


def logprob_of(token: TokenLogprob) -> Logprob:
    return Logprob(
        token=token.text,
        logprob=token.logprob,
        bytes=None if token.bytes is None else list(token.bytes),
        top_logprobs=[TopLogprob(token=text, logprob=value) for _, text, value in token.top],
    )
