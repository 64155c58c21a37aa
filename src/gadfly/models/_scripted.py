"""The fake model: its replies come from a Python function. It ships with the product, so that games, judges
and runners can be tried and tested with no weights, no key and no network.

It is an ordinary Inspect provider (`scripted/<name>`): limits, logs, events and model roles work as with
any other. Usage is counted in words, so that nothing is downloaded in order to count tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    get_model,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from gadfly.models._tools import ToolCall, inspect_calls

__all__ = ["Line", "Script", "scripted"]

Line = str | tuple[str, Sequence[tuple[str, Mapping[str, Any]]]]
"""A text, or a text and the tools it calls, each as (name, arguments)."""

Script = Callable[[Sequence[tuple[str, str]], int | None], Line]
"""(messages as (role, text) pairs, seed) -> the reply. Raising is how a script fails."""


def scripted(script: Script | Line, *, name: str = "model") -> Model:
    """A model whose reply is `script(messages, seed)`, or always `script` when that is a line itself.

    A raw completion reaches the script as one user message, the prompt. Stop sequences and `max_tokens` (in
    words) are applied to what the script returns, so a cut reply has `stop == "length"`, and calls nothing. Tools
    are called whether or not they were offered: `("Let me see.", [("get_price", {"ticker": "ACME"})])`.
    """
    reply: Script = script if callable(script) else lambda messages, seed: script
    return get_model(f"scripted/{name}", memoize=False, script=reply)


class ScriptedAPI(ModelAPI):
    """Inspect's view of a script."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        script: Script = lambda messages, seed: "…",
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        self.script = script

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 (Inspect calls by keyword)
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        messages = [(message.role, message.text) for message in input]
        line = self.script(messages, config.seed)
        whole, wanted = (line, ()) if isinstance(line, str) else line
        text, cut = _cut(whole, config)
        calls = () if cut else [ToolCall(name, arguments) for name, arguments in wanted]
        message = ChatMessageAssistant(
            content=text, tool_calls=inspect_calls(calls, input), model=self.model_name, source="generate"
        )
        stop: StopReason = "max_tokens" if cut else "tool_calls" if calls else "stop"
        asked, said = sum(_words(text) for _, text in messages), _words(text)
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=message, stop_reason=stop)],
            usage=ModelUsage(input_tokens=asked, output_tokens=said, total_tokens=asked + said),
        )

    def max_connections(self) -> int:
        return 1_000


def _cut(text: str, config: GenerateConfig) -> tuple[str, bool]:
    """The text up to its first stop sequence, and whether `max_tokens` words were not enough for it."""
    for stop in config.stop_seqs or ():
        text = text.split(stop, 1)[0]
    words = text.split(" ")
    if config.max_tokens is None or len(words) <= config.max_tokens:
        return text, False
    return " ".join(words[: config.max_tokens]), True


def _words(text: str) -> int:
    return len(text.split())


modelapi(name="scripted")(ScriptedAPI)
