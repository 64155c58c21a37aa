"""An OpenAI-compatible server on the local engine: `gadfly serve smollm2`.

Any client of that protocol can use it (`base_url="http://127.0.0.1:8000/v1"`), and concurrent clients share
the engine's batches. It listens on the loopback interface; beyond that only behind a key. What the protocol
knows and the engine does not (penalties, response formats, a forced tool) is refused rather than ignored.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gadfly.errors import CallError, GadflyError, InputError, UnknownNameError
from gadfly.models._engine import Engine
from gadfly.models._local import LocalModel
from gadfly.models._request import Delta
from gadfly.models._wire import Ask, ChatAsk, CompletionAsk

__all__ = ["app", "serve"]

MAX_BODY = 8 * 1024 * 1024
"""Bytes of one request."""

T = TypeVar("T")


def serve(name: str, *, host: str = "127.0.0.1", port: int = 8000, api_key: str | None = None) -> None:
    """Load `name` (a short name, a directory or a hub id, `+DIR` adds an adapter) and serve it until
    interrupted.

    Port 0 takes a free one.
    """
    if not api_key and not _is_loopback(host):
        reason = f"Serving on {host} lets other machines in"
        raise InputError(f"{reason}: set a key with --api-key, or stay on 127.0.0.1.")
    listener = _listen(host, port)
    base, _, adapter = name.removeprefix("gadfly/").partition("+")
    application = app(LocalModel.load(base, adapter or None), name, api_key)
    config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=5)
    print(f"{name} answers at http://{host}:{listener.getsockname()[1]}/v1 (Ctrl-C stops it)", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def app(local: LocalModel, name: str, api_key: str | None = None) -> FastAPI:
    """The server as an ASGI application.

    Without a key it answers only requests addressed to this machine by a loopback name, so that a web page
    cannot reach it through a domain of its own.
    """
    api = FastAPI(title="gadfly", docs_url=None, redoc_url=None, openapi_url=None)
    card = {"id": name, "object": "model", "created": 0, "owned_by": "gadfly"}

    @api.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "model": name}

    @api.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [card]}

    @api.get("/v1/models/{model:path}")
    async def one_model(model: str) -> dict[str, Any]:
        _check_model(model, name)
        return card

    @api.post("/v1/chat/completions")
    async def chat_completions(ask: ChatAsk, request: Request) -> Response:
        _check_model(ask.model, name)
        return await _answer(ask, local, request)

    @api.post("/v1/completions")
    async def completions(ask: CompletionAsk, request: Request) -> Response:
        _check_model(ask.model, name)
        return await _answer(ask, local, request)

    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)
    api.add_middleware(_Gate, api_key=api_key)
    if api_key is None:
        api.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    return api


def _check_model(asked: str, served: str) -> None:
    if asked.removeprefix("gadfly/") != served.removeprefix("gadfly/"):
        raise UnknownNameError("model", asked, [served])


async def _answer(ask: Ask, local: LocalModel, request: Request) -> Response:
    ask.check_supported()
    if ask.stream:
        return await _stream(ask, local, request)
    content = await _unless_gone(request, _complete(ask, local))
    return Response(status_code=499) if content is None else JSONResponse(content)


async def _complete(ask: Ask, local: LocalModel) -> dict[str, Any]:
    engine = Engine.of(local)
    requests = ask.requests(local)
    batches = await asyncio.gather(*(engine.generate(request) for request in requests))
    samples = [sample for batch in batches for sample in batch]
    choices = [
        ask.choice(index, sample.text, sample.finish, sample.logprobs) for index, sample in enumerate(samples)
    ]
    asked = sum(len(request.prompt) for request in requests)
    return ask.envelope(choices, _usage(asked, sum(len(sample.tokens) for sample in samples)))


async def _stream(ask: Ask, local: LocalModel, request: Request) -> Response:
    """Waits for the first piece before answering, so that what cannot start is an error and not a broken
    stream.
    """
    requests = ask.requests(local)
    if len(requests) != 1:
        raise InputError("One prompt at a time can be streamed: send the others in requests of their own.")
    counted = replace(requests[0], logprobs=requests[0].logprobs or 0)  # a delta's logprobs count its tokens
    deltas = aiter(Engine.of(local).stream(counted))
    first = await _unless_gone(request, anext(deltas))
    if first is None:
        return Response(status_code=499)
    events = _events(ask, _chain(first, deltas), len(counted.prompt))
    return StreamingResponse(events, media_type="text/event-stream")


async def _events(ask: Ask, deltas: AsyncGenerator[Delta], asked: int) -> AsyncIterator[str]:
    """Server-sent events. Leaving early (the client hung up) closes `deltas`, which frees its rows."""
    envelope = {**ask.envelope([], None), "object": ask.chunk_name}
    said = 0
    async with aclosing(deltas):
        try:
            async for delta in deltas:
                said += len(delta.logprobs)
                choice = ask.chunk(delta.index, delta.text, delta.finish, delta.logprobs)
                yield _event({**envelope, "choices": [choice]})
        except GadflyError as error:
            yield _event(_error_body(str(error), *_code_of(error)[1:]))
            return
    if ask.stream_options and ask.stream_options.include_usage:
        yield _event({**envelope, "usage": _usage(asked, said)})
    yield "data: [DONE]\n\n"


async def _chain(first: Delta, rest: AsyncIterator[Delta]) -> AsyncGenerator[Delta]:
    try:
        yield first
        async for delta in rest:
            yield delta
    finally:
        if isinstance(rest, AsyncGenerator):
            await rest.aclose()


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"


def _usage(asked: int, said: int) -> dict[str, int]:
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


async def _unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """The result of `work`, or None when the client hung up first: then `work` is cancelled."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Gate:
    """Turns away, before a body is read, whoever has no key or sends too much. `/health` is open."""

    def __init__(self, inner: ASGIApp, api_key: str | None) -> None:
        self.inner = inner
        self.expected = None if api_key is None else f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.inner)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self.expected is not None and scope["path"] != "/health":
            given = headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self.expected):
                return _error(
                    401, "The API key is missing or wrong.", "authentication_error", "invalid_api_key"
                )
        if scope["method"] != "POST":
            return None
        size = headers.get("content-length", "")
        if not size.isdecimal():
            return _error(
                411, "Send the body in one piece, with its Content-Length.", "invalid_request_error"
            )
        if int(size) > MAX_BODY:
            return _error(413, f"The body is larger than {MAX_BODY:,} bytes.", "invalid_request_error")
        return None


def _error_body(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _error(status: int, message: str, kind: str, code: str | None = None) -> Response:
    return JSONResponse(_error_body(message, kind, code), status)


def _code_of(error: GadflyError) -> tuple[int, str, str | None]:
    """HTTP status, OpenAI's error type and its code."""
    if isinstance(error, UnknownNameError):
        return 404, "invalid_request_error", "model_not_found"
    if isinstance(error, CallError) and error.cause == "context_overflow":
        return 400, "invalid_request_error", "context_length_exceeded"
    if isinstance(error, InputError) or (isinstance(error, CallError) and error.cause == "rejected"):
        return 400, "invalid_request_error", None
    return 500, "server_error", None


async def _on_gadfly(request: Request, error: Any) -> Response:
    status, kind, code = _code_of(error)
    return _error(status, str(error), kind, code)


async def _on_invalid(request: Request, error: Any) -> Response:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return _error(400, f"{place or 'body'}: {first['msg']}", "invalid_request_error")


async def _on_http(request: Request, error: Any) -> Response:
    return _error(error.status_code, str(error.detail), "invalid_request_error")


async def _on_bug(request: Request, error: Any) -> Response:
    return _error(500, f"The server failed with {type(error).__name__}; its log says more.", "server_error")


_HANDLERS: dict[type[Exception], Any] = {
    GadflyError: _on_gadfly,
    RequestValidationError: _on_invalid,
    HTTPException: _on_http,
    Exception: _on_bug,
}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    """Bound before the model is loaded: a taken port is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        advice = "choose another with --port, or stop what is using it"
        raise InputError(f"Port {port} on {host} cannot be used ({error.strerror}): {advice}.") from error
    return listener
