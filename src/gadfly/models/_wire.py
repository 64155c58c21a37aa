"""OpenAI's protocol as data: what a client may ask, and the shapes in which it is answered."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, StrictInt

from gadfly.errors import InputError
from gadfly.models._local import LocalModel
from gadfly.models._request import Request, TokenLogprob
from gadfly.models._tools import ToolCall, calls_in

__all__ = ["Ask", "ChatAsk", "CompletionAsk"]

UNSUPPORTED = (
    "tools",
    "functions",
    "logit_bias",
    "response_format",
    "presence_penalty",
    "frequency_penalty",
    "echo",
    "suffix",
)
NOTHING: tuple[Any, ...] = (None, 0, False, [], {}, "", {"type": "text"})
"""Values by which a client says that it does not want what it names."""

Tokens = Sequence[TokenLogprob] | None


class StreamOptions(BaseModel):
    include_usage: bool = False


class Ask(BaseModel, extra="allow"):
    """What both kinds of request share. Each kind says for itself what the prompts are and what a choice
    looks like.
    """

    object_name: ClassVar[str]
    chunk_name: ClassVar[str]
    id_prefix: ClassVar[str]

    model: str
    n: int = Field(1, ge=1, le=128)
    seed: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = Field(None, ge=0, le=10)
    top_p: float | None = Field(None, gt=0, le=1)
    stream: bool = False
    stream_options: StreamOptions | None = None

    def requests(self, local: LocalModel) -> list[Request]:
        """One request to the engine for each prompt, each of `n` samples."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return [
            Request(
                tuple(prompt),
                n=self.n,
                max_tokens=self.limit(),
                temperature=1.0 if self.temperature is None else self.temperature,
                top_p=1.0 if self.top_p is None else self.top_p,
                stop=stop,
                seed=self.seed,
                logprobs=self.alternatives(),
            )
            for prompt in self.prompts(local)
        ]

    def check_supported(self) -> None:
        """Raises `InputError` naming the first parameter that the engine cannot honour."""
        given = self.model_extra or {}
        for name in UNSUPPORTED:
            if given.get(name) not in NOTHING:
                raise InputError(f"This server does not support {name!r}: leave it out.")

    def envelope(self, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> dict[str, Any]:
        return {
            "id": f"{self.id_prefix}-{uuid.uuid4().hex}",
            "object": self.object_name,
            "created": int(time.time()),
            "model": self.model,
            "choices": choices,
            "usage": usage,
        }

    def prompts(self, local: LocalModel) -> list[Sequence[int]]:
        raise NotImplementedError

    def limit(self) -> int:
        raise NotImplementedError

    def alternatives(self) -> int | None:
        """How many alternatives to each token to report: 0 is the chosen token alone, None no logprobs."""
        raise NotImplementedError

    def choice(self, index: int, text: str, finish: str | None, tokens: Tokens) -> dict[str, Any]:
        raise NotImplementedError

    def chunk(self, index: int, text: str, finish: str | None, tokens: Tokens) -> dict[str, Any]:
        """A piece of a choice, as it is streamed."""
        raise NotImplementedError


class Function(BaseModel, extra="allow"):
    name: str


class Tool(BaseModel):
    """A tool on offer."""

    type: Literal["function"]
    function: Function


class CalledFunction(BaseModel):
    name: str
    arguments: str


class Called(BaseModel):
    """A tool that was called earlier."""

    function: CalledFunction

    def as_row(self) -> dict[str, Any]:
        try:
            arguments = json.loads(self.function.arguments)
        except (ValueError, RecursionError) as error:
            raise InputError(f"The arguments of an earlier tool call are not JSON ({error}).") from error
        return {"type": "function", "function": {"name": self.function.name, "arguments": arguments}}


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[Called] | None = None

    def as_turn(self) -> dict[str, Any]:
        turn = {"role": "system" if self.role == "developer" else self.role, "content": self._text()}
        return turn | ({"tool_calls": [call.as_row() for call in self.tool_calls]} if self.tool_calls else {})

    def _text(self) -> str:
        content = self.content or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if any(part.get("type") != "text" for part in parts):
            raise InputError("This server reads text only: leave out images and other parts.")
        return "\n".join(str(part.get("text", "")) for part in parts)


class ChatAsk(Ask):
    object_name = "chat.completion"
    chunk_name = "chat.completion.chunk"
    id_prefix = "chatcmpl"

    messages: list[ChatMessage] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    tools: list[Tool] | None = None
    tool_choice: Literal["auto", "none"] | None = None

    def check_supported(self) -> None:
        super().check_supported()
        if self.stream and self._offered():
            raise InputError("This server does not stream tool calls: leave out stream, or the tools.")

    def prompts(self, local: LocalModel) -> list[Sequence[int]]:
        turns = [message.as_turn() for message in self.messages]
        return [local.encode_chat(turns, [tool.model_dump() for tool in self._offered()])]

    def limit(self) -> int:
        return self.max_completion_tokens or self.max_tokens or 256

    def alternatives(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None

    def choice(self, index: int, text: str, finish: str | None, tokens: Tokens) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        words, calls = self._calls(text)
        if calls:
            message |= {"content": words or None, "tool_calls": [_chat_call(call) for call in calls]}
        return {
            "index": index,
            "message": message,
            "finish_reason": "tool_calls" if calls and finish == "stop" else finish,
            "logprobs": self._logprobs(tokens),
        }

    def chunk(self, index: int, text: str, finish: str | None, tokens: Tokens) -> dict[str, Any]:
        delta = {"role": "assistant", "content": text} if text or not finish else {}
        return {"index": index, "delta": delta, "finish_reason": finish, "logprobs": self._logprobs(tokens)}

    def _offered(self) -> list[Tool]:
        return [] if self.tool_choice == "none" else self.tools or []

    def _calls(self, text: str) -> tuple[str, tuple[ToolCall, ...]]:
        """The words and the calls; a text with a call that cannot be read is words from end to end."""
        if not self._offered():
            return text, ()
        words, calls = calls_in(text, {tool.function.name for tool in self._offered()})
        return (text, ()) if any(call.error for call in calls) else (words, calls)

    def _logprobs(self, tokens: Tokens) -> dict[str, Any] | None:
        if self.alternatives() is None or tokens is None:
            return None
        return {"content": [_chat_token(token) for token in tokens], "refusal": None}


class CompletionAsk(Ask):
    object_name = "text_completion"
    chunk_name = "text_completion"
    id_prefix = "cmpl"

    prompt: str | list[StrictInt] | list[str] | list[list[StrictInt]]
    max_tokens: int | None = Field(None, ge=1)
    logprobs: int | None = Field(None, ge=0, le=20)

    def prompts(self, local: LocalModel) -> list[Sequence[int]]:
        """One prompt, or several: each as text or as token ids."""
        single = isinstance(self.prompt, str) or (self.prompt and isinstance(self.prompt[0], int))
        prompts: Iterable[Any] = [self.prompt] if single else self.prompt
        return [local.encode(prompt) if isinstance(prompt, str) else prompt for prompt in prompts]

    def limit(self) -> int:
        return self.max_tokens or 16

    def alternatives(self) -> int | None:
        return self.logprobs

    def choice(self, index: int, text: str, finish: str | None, tokens: Tokens) -> dict[str, Any]:
        return {
            "index": index,
            "text": text,
            "finish_reason": finish,
            "logprobs": self._logprobs(tokens),
        }

    chunk = choice

    def _logprobs(self, tokens: Tokens) -> dict[str, Any] | None:
        if self.logprobs is None or tokens is None:
            return None
        offsets, at = [], 0
        for token in tokens:
            offsets.append(at)
            at += len(token.text)
        return {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [{text: logprob for _, text, logprob in token.top} for token in tokens],
            "text_offset": offsets,
        }


def _chat_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": function}


def _chat_token(token: TokenLogprob) -> dict[str, Any]:
    top = [_chat_entry(text, logprob, text.encode()) for _, text, logprob in token.top]
    return {**_chat_entry(token.text, token.logprob, token.bytes), "top_logprobs": top}


def _chat_entry(text: str, logprob: float, raw: bytes | None) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": None if raw is None else list(raw)}
