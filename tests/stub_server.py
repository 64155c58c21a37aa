"""A stand-in for an OpenAI-compatible service: instant, deterministic, and able to fail on cue.

In a test, `async with Stub() as stub` serves on a free loopback port. For a benchmark, run it in its own
process: `python tests/stub_server.py --port 9000 --latency 0.05`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

FAULTS = {
    "400": (400, "This value is not supported."),
    "401": (401, "Incorrect API key provided."),
    "404": (404, "The model does not exist."),
    "429": (429, "Rate limit reached."),
    "quota": (429, "You exceeded your current quota, please check your plan and billing details."),
    "500": (500, "The server had an error."),
    "overflow": (400, "This model's maximum context length is 128 tokens."),
}
"""Faults that are plain HTTP errors. Besides them: garbage, no_choices, empty, truncated, close, hang."""


class Stub:
    """`faults` are played in order, one a request; then `always` if set, else every request is answered.

    A reply is a hash of the prompt and the seed, eight words long.
    """

    def __init__(
        self,
        *,
        faults: Iterable[str] = (),
        always: str = "",
        latency: float = 0.0,
        retry_after: str = "0",
        has_completions: bool = True,
    ) -> None:
        self.faults = list(faults)
        self.always = always
        self.latency = latency
        self.retry_after = retry_after
        self.has_completions = has_completions
        self.requests: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.count = 0
        self.keep_requests = True
        self.url = ""

    async def __aenter__(self) -> Stub:
        await self.start(0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int) -> None:
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=4096)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET":
            return _json({"object": "list", "data": [{"id": "stub-small"}, {"id": "stub-large"}]})
        body = json.loads(await request.read())
        self.count += 1
        if self.keep_requests:
            self.requests.append(body)
            self.headers = {name.lower(): value for name, value in request.headers.items()}
        if self.latency:
            await asyncio.sleep(self.latency)
        chat = request.path.endswith("/chat/completions")
        if not chat and not self.has_completions:
            return _error(404, "This is a chat model and not supported in the v1/completions endpoint.")
        fault = self.faults.pop(0) if self.faults else self.always
        if fault:
            return await self._fail(fault, request)
        return _json(_completion(body, chat))

    async def _fail(self, fault: str, request: web.BaseRequest) -> web.StreamResponse:
        if fault in FAULTS:
            status, message = FAULTS[fault]
            return _error(status, message, {"Retry-After": self.retry_after} if status == 429 else {})
        if fault == "close":
            assert request.transport is not None
            request.transport.abort()
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "truncated":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"choices": [')
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(body=_BODIES.get(fault, b""), content_type="application/json")


class Particular(Stub):
    """A chat service that answers A, and rejects every request with the field `rejects` in it.

    With fewer than `reasons` tokens it says nothing; with fewer than 16 it gets no further than `preamble`. A question
    costs 10 tokens, an answer 1, and one that was cut all that it was allowed.
    """

    def __init__(self, *, rejects: str = "", reasons: int = 0, preamble: str = "") -> None:
        super().__init__()
        self.rejects, self.reasons, self.preamble = rejects, reasons, preamble

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.requests.append(body)
        if self.rejects in body:
            return _error(400, f"{self.rejects} is not supported.")
        said, finish = "A", "stop"
        if body["max_tokens"] < self.reasons:
            said, finish = "", "length"
        elif self.preamble and body["max_tokens"] < 16:
            said, finish = self.preamble, "length"
        tokens = body["max_tokens"] if finish == "length" else 1
        return web.Response(body=_chat_body(said, finish, tokens), content_type="application/json")


def _chat_body(content: str, finish: str, tokens: int = 0) -> bytes:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
    told = {"usage": usage} if tokens else {}
    return json.dumps({"id": "stub", "created": 0, "model": "m", "choices": [choice], **told}).encode()


_BODIES = {
    "garbage": b"\x00<html>502</html>",
    "no_choices": b'{"object": "chat.completion"}',
    "not_an_object": b'"hello"',
    "empty": _chat_body("", "stop"),
    "filtered": _chat_body("", "content_filter"),
    "thinking": _chat_body("<think>hm</think>yes", "stop"),
}


def _completion(body: dict[str, Any], chat: bool) -> dict[str, Any]:
    prompt = body["messages"] if chat else body["prompt"]
    digest = hashlib.sha256(f"{prompt}{body.get('seed')}".encode()).hexdigest()
    words = [digest[i : i + 8] for i in range(0, 64, 8)]
    kept = words[: body.get("max_tokens") or 8]
    text = " ".join(kept)
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop" if len(kept) == 8 else "length"}
    if chat:
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    if body.get("logprobs"):
        choice["logprobs"] = _chat_logprobs(kept) if chat else _legacy_logprobs(kept)
    return {
        "id": "stub",
        "object": "chat.completion" if chat else "text_completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 10, "completion_tokens": len(kept), "total_tokens": 10 + len(kept)},
    }


def _chat_logprobs(words: list[str]) -> dict[str, Any]:
    top = [{"token": "yes", "logprob": -0.25, "bytes": None}, {"token": "no", "logprob": -1.5, "bytes": None}]
    return {"content": [{"token": w, "logprob": -0.5, "bytes": None, "top_logprobs": top} for w in words]}


def _legacy_logprobs(words: list[str]) -> dict[str, Any]:
    top = {"yes": -0.25, "no": -1.5}
    return {"tokens": words, "token_logprobs": [-0.5] * len(words), "top_logprobs": [top] * len(words)}


def _json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(content).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json({"error": {"message": message, "type": "stub", "code": None}}, status, headers)


async def _serve(port: int, latency: float) -> None:
    stub = Stub(latency=latency)
    stub.keep_requests = False
    await stub.start(port)
    print(stub.url, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.05)
    options = parser.parse_args()
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    try:  # the stub must not be what is measured
        import uvloop

        loop_factory = uvloop.new_event_loop
    except ImportError:
        pass
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(options.port, options.latency))


if __name__ == "__main__":
    main()
