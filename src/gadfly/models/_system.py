"""A system: a model together with its system prompt and sampling settings, which is what an audit is about.

Weights are not what people meet. Two systems on one model have different fingerprints and different rates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from inspect_ai.model import ChatMessage, ChatMessageSystem, GenerateConfig, Model
from inspect_ai.tool import ToolInfo

from gadfly.errors import CallError
from gadfly.models._transport import (
    LOCAL,
    InspectTransport,
    Message,
    ProviderTransport,
    Reply,
    Retry,
    Transport,
    chat_messages,
    provider_of,
)
from gadfly.transcripts import Usage

if TYPE_CHECKING:
    from gadfly.models._http import HttpTransport
    from gadfly.models._local import LocalModel
    from gadfly.models._request import LogitsMask, Sample

__all__ = ["Reply", "System", "direct_transport"]

_direct: ContextVar[bool] = ContextVar("gadfly_direct_transport", default=False)


@contextmanager
def direct_transport() -> Iterator[None]:
    """Within it, systems are called by the cheapest client that reaches them instead of `Model.generate`.

    For a runner that calls a million times: Inspect's events, limits and logs do not see these calls. Tasks
    created inside inherit it.
    """
    token = _direct.set(True)
    try:
        yield
    finally:
        _direct.reset(token)


@dataclass(frozen=True, eq=False)
class System:
    """A model, what it is told first, and how it is sampled. Compare two by `fingerprint`, not by `==`."""

    model: Model
    system_prompt: str | None = None
    sampling: GenerateConfig = field(default_factory=GenerateConfig)
    retry: Retry = field(default_factory=Retry)

    @property
    def name(self) -> str:
        """`provider/model`."""
        return str(self.model)

    @property
    def slug(self) -> str:
        """The model's name without its provider, as it stands in the ids of runs: letters, digits and dashes."""
        model = self.name.rpartition("/")[2].lower()
        return "".join(c if c.isalnum() else "-" for c in model).strip("-")[:40]

    @property
    def reproducible(self) -> bool:
        """Whether the same seed gives the same reply: only where we hold the weights or the script."""
        return self._provider in LOCAL

    async def reply(self, messages: Sequence[Message], *, seed: int | None = None) -> Reply:
        """The next message of a conversation given as (role, text) pairs.

        A first message with the role "system" is appended to the system prompt: it is how a case plants its
        secret. A last message with the role "assistant" is one to go on from: a local model continues it, and
        the reply is the continuation alone; other services are sent it, and some do the same. An empty reply
        is asked for once more; `CallError` when there is none, except where a filter took it away.
        """
        conversation, transport = self._conversation(messages), self._transport
        return await self._answered(lambda: transport.chat(conversation, seed))

    async def act(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], *, seed: int | None = None
    ) -> Reply:
        """The next message where the system may call tools: `Reply.calls` holds what it asked for.

        Nothing is run: the caller answers each call with a `ChatMessageTool` and asks again. As in `reply`, the
        system prompt comes first, a last assistant message is gone on from, and saying nothing, not even a
        call, is a `CallError`; so is a local model whose chat template has no tools.
        """
        conversation, transport = self._told(messages), self._acting
        return await self._answered(lambda: transport.act(conversation, tools, seed))

    @property
    def white_box(self) -> bool:
        """Whether we hold the weights, so that its tokens can be masked and their log-probabilities read."""
        return self._provider == "gadfly"

    async def sample(
        self,
        messages: Sequence[Message],
        mask: Callable[[LocalModel], LogitsMask] | None = None,
        *,
        seed: int | None = None,
    ) -> tuple[Sample, Usage]:
        """As `reply`, but the sample itself: its tokens with their log-probabilities, made under `mask`.

        `mask` is called with the model once its weights are there. Saying nothing is no error. Raises `CallError`
        where we do not hold the weights (`white_box` is False).
        """
        if not self.white_box:
            raise CallError(
                f"{self.name} runs elsewhere, so its tokens cannot be masked; use a local model (gadfly/…).",
                "rejected",
                fatal=True,
            )
        api: Any = self.model.api
        config = self.model.config.merge(self.sampling).model_copy(update={"seed": seed})
        request, sample = await api.sample(chat_messages(self._conversation(messages)), config, mask)
        return sample, Usage(len(request.prompt), len(sample.tokens))

    async def complete(self, prompt: str, *, seed: int | None = None, stop: Sequence[str] = ()) -> Reply:
        """What comes after `prompt`, raw: no chat template and no system prompt.

        A service that offers only chat is asked, in words, to continue the text. `stop` replaces the
        sampling settings' own stop sequences and is not part of the reply. Inspect has no call for raw
        completion, so a service reached over plain HTTP is always asked by our own client.
        """
        transport = self._http or self._transport
        return await self._answered(lambda: transport.complete(prompt, seed, stop))

    def with_sampling(self, **settings: Any) -> System:
        """The same system with some of `GenerateConfig`'s settings changed (`max_tokens=1`,
        `logprobs=True`).
        """
        return replace(self, sampling=self.sampling.model_copy(update=settings))

    def fingerprint(self) -> dict[str, Any]:
        """What makes this system this one, as JSON values and without credentials."""
        prompt = self.system_prompt or ""
        sampling = self.model.config.merge(self.sampling)
        return {
            "model": self.name,
            "provider": self._provider,
            "base_url": _without_credentials(_base_url(self.model)),
            "system_prompt": self.system_prompt,
            "system_prompt_sha256": hashlib.sha256(prompt.encode()).hexdigest(),
            "sampling": sampling.model_dump(mode="json", exclude_none=True, exclude={"extra_headers"}),
            "weights_sha256": getattr(self.model.api, "weights_sha256", None),
            "reproducible": self.reproducible,
        }

    @cached_property
    def _provider(self) -> str:
        return provider_of(self.model)

    @property
    def _transport(self) -> Transport:
        return self._cheapest if _direct.get() else self._inspect

    @property
    def _acting(self) -> InspectTransport:
        """Never our own client: every service has its own shape for tools, and Inspect knows them."""
        return self._in_process if _direct.get() and self._provider in LOCAL else self._inspect

    @cached_property
    def _inspect(self) -> InspectTransport:
        return InspectTransport(self.model, self.sampling, self.retry)

    @cached_property
    def _in_process(self) -> ProviderTransport:
        return ProviderTransport(self.model, self.sampling, self.retry)

    @cached_property
    def _cheapest(self) -> Transport:
        return self._in_process if self._provider in LOCAL else self._http or self._inspect

    @cached_property
    def _http(self) -> HttpTransport | None:
        if not any("openai" in kind.__module__ for kind in type(self.model.api).__mro__):
            return None  # before the import below, which takes a second
        from gadfly.models._http import HttpTransport, speaks_plain_http

        return HttpTransport(self.model, self.sampling, self.retry) if speaks_plain_http(self.model) else None

    def _conversation(self, messages: Sequence[Message]) -> Sequence[Message]:
        if not self.system_prompt:
            return messages
        if messages and messages[0][0] == "system":
            return [("system", f"{self.system_prompt}\n\n{messages[0][1]}"), *messages[1:]]
        return [("system", self.system_prompt), *messages]

    def _told(self, messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        if not self.system_prompt:
            return messages
        if messages and messages[0].role == "system":
            joined = f"{self.system_prompt}\n\n{messages[0].text}"
            return [ChatMessageSystem(content=joined), *messages[1:]]
        return [ChatMessageSystem(content=self.system_prompt), *messages]

    async def _answered(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        spent = Usage()
        for _ in range(1 if self.reproducible else 2):
            reply = await ask()
            spent += reply.usage
            if reply.text or reply.calls or reply.stop == "content_filter":
                said, thought = map(_whole, (reply.text, reply.reasoning))
                return replace(reply, text=said, reasoning=thought, usage=spent)
        cut = reply.stop == "length"
        advice = " before max_tokens; raise it" if cut else ""
        raise CallError(f"{self.name} said nothing{advice}.", "empty_reply", cut=cut, usage=spent)


def _whole(text: str) -> str:
    """With "?" for a lone surrogate, which would fail the call of the next one who is sent it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _base_url(model: Model) -> str | None:
    """Where its client, if it has one, was told to go: Inspect resolves some addresses only there."""
    resolved = getattr(getattr(model.api, "client", None), "base_url", None) or model.api.base_url
    return None if resolved is None else str(resolved)


def _without_credentials(url: str | None) -> str | None:
    if not url:
        return None
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
