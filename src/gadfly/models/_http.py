"""Our own client for services that speak OpenAI's protocol over HTTP.

What a call costs there is almost all the client (see benchmarks/transport.py), so this one prepares
everything that does not change from call to call once: the address, the headers, and the body up to the
messages. Inspect's provider decides what those are; we only carry them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
from inspect_ai.model import GenerateConfig, Model, ModelCost, get_model_info
from inspect_ai.model._providers.openai import OpenAIAPI
from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI
from inspect_ai.model._providers.openai_completions import completion_params_completions
from yarl import URL

from gadfly.errors import CallError
from gadfly.models._failures import PASSING, key_variable, printable, status_error
from gadfly.models._transport import CONTINUE, FIRST_CONTACT, Message, Reply, Retry
from gadfly.transcripts import Usage

__all__ = ["HttpTransport", "speaks_plain_http"]

_WIRE = (
    "generate",
    "uses_responses_api",
    "resolve_tools",
    "messages_to_openai",
    "request_headers",
    "on_response",
    "should_stream",
    "resolve_stream",
    "stream_completion",
    "chat_choices_from_completion",
    "_generate_completion",
)
"""What lies between an Inspect message and the wire; a provider that overrides any of it is not plain."""

_NO_COMPLETIONS = (404, 405, 501)


def speaks_plain_http(model: Model) -> bool:
    """Whether Inspect would send this model's calls as unadorned chat completions, so that we may send them
    ourselves.

    Not when the provider rewrites messages or replies, speaks another protocol, streams, signs requests
    (Azure, Bedrock), or when the user passed arguments for its client.
    """
    api = model.api
    if model.config.batch or model.model_args:
        return False
    if isinstance(api, OpenAICompatibleAPI):
        plain = all(getattr(type(api), name) is getattr(OpenAICompatibleAPI, name) for name in _WIRE)
        return plain and not (api.responses_api or api.emulate_tools or api.stream)
    if type(api) is OpenAIAPI:
        adorned = (api.service, api.responses_api, api.background, isinstance(api.safety_identifier, str))
        rewritten = api.is_o_series() or api.is_gpt_5()  # "developer" messages, no temperature
        return not any(adorned) and not rewritten and "vision" not in api.model_family()
    return False


class HttpTransport:
    """One model with one set of sampling settings, behind `/chat/completions` and, where there is one,
    `/completions`.
    """

    def __init__(self, model: Model, sampling: GenerateConfig, retry: Retry) -> None:
        api = model.api
        if not isinstance(api, OpenAICompatibleAPI | OpenAIAPI):
            raise TypeError(f"{model} does not speak OpenAI's protocol")
        config = model.config.merge(sampling)
        if isinstance(api, OpenAIAPI):
            params = completion_params_completions(api, config, False)
        else:
            params = api.completion_params(config, False)
        params |= params.pop("extra_body", {})
        self.params = params
        self.model = model
        self.retry = retry
        self.base = str(api.client.base_url).rstrip("/")
        self.headers = _headers(api, config)
        self.timeout = aiohttp.ClientTimeout(total=_timeout(config, retry), sock_connect=30)
        self.cost = _cost(model)
        self.chat_url = URL(f"{self.base}/chat/completions")
        self.completions_url: URL | None = URL(f"{self.base}/completions")
        self.has_answered = False

    async def chat(self, messages: Sequence[Message], seed: int | None) -> Reply:
        return await self._chat(messages, seed, self.params)

    async def complete(self, prompt: str, seed: int | None, stop: Sequence[str]) -> Reply:
        """Raw where the service offers it; a service that says it does not is asked only once."""
        params = {**self.params, "stop": list(stop)} if stop else self.params
        if self.completions_url is not None:
            try:
                return await self._complete(prompt, seed, params)
            except _NoEndpointError:
                self.completions_url = None
        return await self._chat([("user", CONTINUE + prompt)], seed, params)

    async def _chat(self, messages: Sequence[Message], seed: int | None, params: dict[str, Any]) -> Reply:
        body = {**params, "messages": [{"role": role, "content": text} for role, text in messages]}
        if seed is not None:
            body["seed"] = seed
        choice, usage = self._parse(await self._post(self.chat_url, body))
        message = choice.get("message")
        if not isinstance(message, dict):
            raise self._bad_reply("a choice without a message")
        tokens = (choice.get("logprobs") or {}).get("content") or []
        return Reply(
            _said(message),
            _stop(choice),
            usage,
            sum(token["logprob"] for token in tokens) if tokens else None,
            {top["token"]: top["logprob"] for top in tokens[0].get("top_logprobs") or ()} if tokens else {},
            reasoning=_thought(message),
        )

    async def _complete(self, prompt: str, seed: int | None, params: dict[str, Any]) -> Reply:
        assert self.completions_url is not None
        body = {**params, "prompt": prompt}
        if body.pop("logprobs", None):
            body["logprobs"] = body.pop("top_logprobs", 1)
        if seed is not None:
            body["seed"] = seed
        choice, usage = self._parse(await self._post(self.completions_url, body))
        text = choice.get("text")
        if not isinstance(text, str):
            raise self._bad_reply("a choice without text")
        logprobs = choice.get("logprobs") or {}
        each = [value for value in logprobs.get("token_logprobs") or () if value is not None]
        top = logprobs.get("top_logprobs") or [{}]
        return Reply(text, _stop(choice), usage, sum(each) if each else None, dict(top[0] or {}))

    async def _post(self, url: URL, body: dict[str, Any]) -> bytes:
        """The body of a 200. Tries again as `Retry` says where trying again can help."""
        session = await _session()
        data = json.dumps(body).encode()
        tried = 0
        while True:
            tried += 1
            wait: float | None = None
            try:
                async with session.post(
                    url, data=data, headers=self.headers, timeout=self.timeout
                ) as response:
                    raw = await response.read()
                    if response.status == 200:
                        self.has_answered = True
                        return raw
                    failure = await self._refused(response, raw, url)
                    wait = _retry_after(response)
            except (aiohttp.ClientError, TimeoutError) as error:
                failure = self._unanswered(error)
            if tried >= self._attempts(failure):
                raise failure
            await asyncio.sleep(_delay(self.retry, tried) if wait is None else wait)

    def _attempts(self, failure: CallError) -> int:
        """A server that never answered is more likely mistyped than restarting: no minute of waiting to say
        so.
        """
        if failure.cause == "unreachable":
            return self.retry.attempts if self.has_answered else min(FIRST_CONTACT, self.retry.attempts)
        return self.retry.attempts if failure.cause in PASSING and not failure.fatal else 1

    async def _refused(self, response: aiohttp.ClientResponse, raw: bytes, url: URL) -> CallError:
        said = _error_words(raw)
        absent = response.status in _NO_COMPLETIONS or (response.status == 400 and "chat model" in said)
        if absent and url is self.completions_url:
            return _NoEndpointError(said, "not_found")
        if response.status == 404:
            return await self._not_found(said)
        return status_error(response.status, said, str(self.model), key_variable(self.model))

    async def _not_found(self, said: str) -> CallError:
        """Names what the service does serve, if it will tell."""
        listed = ""
        try:
            session = await _session()
            async with session.get(f"{self.base}/models", headers=self.headers, timeout=_BRIEF) as response:
                names = sorted(str(entry["id"]) for entry in json.loads(await response.read())["data"])
                listed = f" It serves: {printable(', '.join(names), 400)}."
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
            pass
        name = self.params.get("model")
        message = f"{self.base} does not know the model {name!r} (HTTP 404: {said}).{listed} Check the name."
        return CallError(message, "not_found", fatal=True)

    def _unanswered(self, error: Exception) -> CallError:
        if isinstance(error, TimeoutError):
            seconds = f"{self.timeout.total:g} s"
            message = (
                f"{self.model} did not answer within {seconds}. Lower the concurrency, or raise the timeout."
            )
            return CallError(message, "timeout")
        said = printable(str(error)) or type(error).__name__
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
            message = f"Nothing answers at {self.base} ({said}). Start the server, or correct its address."
            return CallError(message, "unreachable", fatal=True)
        message = f"{self.model} broke off its reply ({said}). Resume the run later."
        return CallError(message, "server_error")

    def _parse(self, raw: bytes) -> tuple[dict[str, Any], Usage]:
        """The first choice and what it consumed."""
        try:
            content = json.loads(raw)
            choice = content["choices"][0]
            used = content.get("usage") or {}
            usage = self._usage(used.get("prompt_tokens") or 0, used.get("completion_tokens") or 0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._bad_reply(printable(raw.decode(errors="replace"), 80)) from error
        if not isinstance(choice, dict):
            raise self._bad_reply("a choice that is no object")
        return choice, usage

    def _usage(self, asked: int, said: int) -> Usage:
        if self.cost is None:
            return Usage(asked, said)
        return Usage(asked, said, (asked * self.cost.input + said * self.cost.output) / 1_000_000)

    def _bad_reply(self, what: str) -> CallError:
        message = (
            f"{self.model} answered with something other than a chat completion: {what}. Check {self.base}."
        )
        return CallError(message, "bad_reply")


class _NoEndpointError(CallError):
    """The service has no raw completions, or none for this model."""


_BRIEF = aiohttp.ClientTimeout(total=10)
_STOPS = {"length": "length", "max_tokens": "length", "content_filter": "content_filter"}
_THINKING = re.compile(r"<think[^>]*>(.*)</think>", re.DOTALL)


def _stop(choice: dict[str, Any]) -> str:
    return _STOPS.get(choice.get("finish_reason") or "stop", "stop")


def _said(message: dict[str, Any]) -> str:
    """The words meant for the reader: as in Inspect, what is marked as thinking is not part of them."""
    text = _content(message)
    return _THINKING.sub("", text).strip() if "</think>" in text else text


def _thought(message: dict[str, Any]) -> str:
    """What the service itself calls reasoning, else what the text marks as thinking."""
    shown = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(shown, str):
        return shown
    marked = _THINKING.search(_content(message))
    return marked[1].strip() if marked else ""


def _content(message: dict[str, Any]) -> str:
    content = message.get("refusal") or message.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return str(content)


def _error_words(raw: bytes) -> str:
    text = raw[:4000].decode(errors="replace")
    try:
        content = json.loads(raw)
        error = content.get("error", content)
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        pass
    return printable(text)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds, at most 120. A service that gives a date instead is treated as if it had said nothing."""
    try:
        return min(max(float(response.headers["Retry-After"]), 0.0), 120.0)
    except (KeyError, ValueError):
        return None


def _delay(retry: Retry, tried: int) -> float:
    return min(retry.first_delay * 2.0 ** (tried - 1), retry.max_delay) * random.uniform(0.5, 1.0)


def _timeout(config: GenerateConfig, retry: Retry) -> float:
    return float(config.attempt_timeout or config.timeout or retry.timeout)


def _headers(api: OpenAICompatibleAPI | OpenAIAPI, config: GenerateConfig) -> dict[str, str]:
    """The key, organisation and whatever else Inspect's client would send with each call."""
    client = api.client
    headers = {**client.default_headers, **client.auth_headers}
    sent = {name: value for name, value in headers.items() if isinstance(value, str)}
    kept = {name: value for name, value in sent.items() if not name.lower().startswith("x-stainless")}
    return {**kept, "User-Agent": "gadfly", **(config.extra_headers or {})}


def _cost(model: Model) -> ModelCost | None:
    info = get_model_info(model)
    return info.cost if info else None


_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
_keepers: dict[asyncio.AbstractEventLoop, AsyncIterator[aiohttp.ClientSession]] = {}


async def _session() -> aiohttp.ClientSession:
    """This event loop's session; the loop closes it on its way out."""
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None:
        _keepers[loop] = keeper = _keep_session(loop)
        session = _sessions[loop] = await anext(keeper)
    return session


async def _keep_session(loop: asyncio.AbstractEventLoop) -> AsyncIterator[aiohttp.ClientSession]:
    """An asynchronous generator, since `asyncio.run` closes those that are open when it ends: nobody else
    has to.

    The runner bounds the concurrency, so the connections are not bounded again here.
    """
    proxied = any(os.environ.get(name) for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"))
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    cookies = aiohttp.DummyCookieJar()
    try:
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=cookies, trust_env=proxied
        ) as session:
            while True:
                yield session
    finally:
        _sessions.pop(loop, None)
        _keepers.pop(loop, None)
