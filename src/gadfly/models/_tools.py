"""Tool calls: as gadfly keeps them, as Inspect has them, and as a local model writes them.

A local model calls a tool by writing `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, as the chat
templates of Qwen, Hermes and others ask it to. Small ones write the object and forget the tags. What was
written is only ever parsed as strict JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolInfo

__all__ = ["ToolCall", "call_from", "calls_in", "inspect_calls", "template_row", "tool_schema"]

OPENING, CLOSING = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a system asked for; nothing has run.

    One that did not parse has `error`, which says why, the raw words in `text`, no arguments, and a name only
    where that much could be read. A service that reports a failed parse in one sentence has it in both.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    error: str = ""


def calls_in(text: str, names: Container[str] = ()) -> tuple[str, tuple[ToolCall, ...]]:
    """What a model wrote, as its words and its calls.

    A call is a `<tool_call>` block; the end of the text closes one too. In a text without blocks it is also a
    fenced JSON object, or a text that is one, as long as that calls one of `names` (Qwen2.5 Coder mostly writes
    these). Without calls the words are `text` itself; around calls they are stripped and joined by a newline.
    """
    pieces = list(_tagged(text) if OPENING in text else _untagged(text, names))
    calls = tuple(piece for piece in pieces if isinstance(piece, ToolCall))
    words = [piece.strip() for piece in pieces if isinstance(piece, str)]
    return ("\n".join(filter(None, words)), calls) if calls else (text, ())


def _untagged(text: str, names: Container[str]) -> Iterator[str | ToolCall]:
    if text.lstrip().startswith("{"):
        yield _known_call(text, names) or text
        return
    end = 0
    for fence in _FENCED.finditer(text):
        if call := _known_call(fence[1], names):
            yield text[end : fence.start()]
            yield call
            end = fence.end()
    yield text[end:]


def _known_call(text: str, names: Container[str]) -> ToolCall | None:
    call, rest = _first_call(text)
    return call if not call.error and call.name in names and not rest.strip() else None


_FENCED = re.compile(r"```[^\n`]*\n(.*?)\n[ \t]*```", re.DOTALL)


def _tagged(text: str) -> Iterator[str | ToolCall]:
    while OPENING in text:
        before, text = text.split(OPENING, 1)
        yield before
        call, text = _first_call(text)
        yield call
    yield text


def _first_call(text: str) -> tuple[ToolCall, str]:
    """The call that `text` begins with, and what follows it. A JSON string may hold a closing tag."""
    start = len(text) - len(text.lstrip())
    try:
        value, end = json.JSONDecoder(object_pairs_hook=_without_duplicates).raw_decode(text, start)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # no NaN, no half of a surrogate pair
    except (ValueError, RecursionError) as error:
        raw, rest = _block(text)
        return ToolCall("", text=raw, error=f"not JSON: {error}"), rest
    after = text[end:].lstrip()
    if after and not after.startswith(CLOSING):
        raw, rest = _block(text)
        return ToolCall("", text=raw, error="something follows the JSON object"), rest
    return _call(value, text[start:end]), after.removeprefix(CLOSING)


def _block(text: str) -> tuple[str, str]:
    """The words up to the closing tag, or to where the next block opens, and what follows."""
    ends = [at for at in (text.find(CLOSING), text.find(OPENING)) if at >= 0]
    end = min(ends, default=len(text))
    return text[:end].strip(), text[end:].removeprefix(CLOSING)


def _call(value: Any, raw: str) -> ToolCall:
    if not isinstance(value, dict):
        return ToolCall("", text=raw, error="not a JSON object")
    name, arguments = value.get("name"), value.get("arguments", {})
    if not isinstance(name, str) or not name:
        return ToolCall("", text=raw, error='no "name", which must be a text')
    if not isinstance(arguments, dict):
        return ToolCall(name, text=raw, error='"arguments" must be an object')
    if unknown := set(value) - {"name", "arguments"}:
        return ToolCall(name, text=raw, error=f"unknown keys: {', '.join(sorted(unknown))}")
    return ToolCall(name, arguments)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a key is given twice")
    return found


_FAILED = "Error parsing the following tool call arguments:\n\n{}\n\nError details: {}"
"""How Inspect words a failed parse, whatever the provider: what was written, then why it could not be read."""

_FAILURE = re.compile(re.escape(_FAILED).replace(re.escape("{}"), "(.*)"), re.DOTALL)


def call_from(call: InspectCall) -> ToolCall:
    """Inspect's call as ours."""
    if not call.parse_error:
        return ToolCall(call.function, call.arguments)
    told_apart = _FAILURE.fullmatch(call.parse_error)
    text, error = told_apart.groups() if told_apart else (call.parse_error, call.parse_error)
    return ToolCall(call.function, text=text, error=error)


def inspect_calls(calls: Sequence[ToolCall], history: Sequence[ChatMessage]) -> list[InspectCall] | None:
    """Calls as Inspect has them. Their ids count on from `history`, so that the same conversation gets the same
    ids. None where there is no call.
    """
    earlier = sum(len(m.tool_calls or ()) for m in history if isinstance(m, ChatMessageAssistant))
    return [
        InspectCall(
            id=f"call_{earlier + index}",
            function=call.name,
            arguments=dict(call.arguments),
            parse_error=_FAILED.format(call.text, call.error) if call.error else None,
        )
        for index, call in enumerate(calls)
    ] or None


def template_row(message: ChatMessage) -> dict[str, Any]:
    """A message as chat templates read it."""
    row: dict[str, Any] = {"role": message.role, "content": message.text}
    if isinstance(message, ChatMessageTool):
        if message.error:
            row["content"] = f"Error: {message.error.message}"
        return row | ({"name": message.function} if message.function else {})
    if not isinstance(message, ChatMessageAssistant):
        return row
    for call in message.tool_calls or ():
        if call.parse_error:  # shown as it was written
            row["content"] = f"{row['content']}\n{OPENING}\n{call_from(call).text}\n{CLOSING}".lstrip()
        else:
            function = {"name": call.function, "arguments": call.arguments}
            row.setdefault("tool_calls", []).append({"type": "function", "function": function})
    return row


def tool_schema(tool: ToolInfo) -> dict[str, Any]:
    """A tool as chat templates read it: OpenAI's JSON."""
    return {"type": "function", "function": tool.model_dump(exclude_none=True, exclude={"options"})}
