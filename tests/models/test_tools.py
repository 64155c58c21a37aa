"""Tool calls and replies begun for a model: read, rendered by the templates of real models, and asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
)
from inspect_ai.tool import ToolCallError, ToolFunction, ToolInfo, ToolParam, ToolParams

from gadfly.errors import CallError
from gadfly.models import LocalModel, System, ToolCall, direct_transport, model_of, scripted
from gadfly.models._provider import request_for
from gadfly.models._request import Sample
from gadfly.models._tools import call_from, calls_in, inspect_calls, template_row, tool_schema
from gadfly.models._transport import reply_from
from tiny_models import tiny_model

PRICE = ToolInfo(
    name="get_price",
    description="The price of a share.",
    parameters=ToolParams(properties={"ticker": ToolParam(type="string")}, required=["ticker"]),
)
HELLO: list[ChatMessage] = [ChatMessageUser(content="hi")]
ASKED = ToolCall("get_price", {"ticker": "ACME"})
WRITTEN = '{"name": "get_price", "arguments": {"ticker": "ACME"}}'

SMOLLM2 = """\
{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
"""The template that SmolLM2 135M Instruct ships with."""

QWEN = r"""
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}
    {%- endif %}
    {{- "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{{\"name\": <function-name>, \"arguments\": <args-json-object>}}\n</tool_call><|im_end|>\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\n<tool_call>\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' }}
        {{- message.content }}
        {{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""  # noqa: E501
"""The template that Qwen2.5 Coder 1.5B Instruct ships with."""


def with_template(template: str) -> LocalModel:
    """A random model that chats in a real model's way, one token per byte."""
    local = tiny_model(chat=True)
    local.weights.config.max_position_embeddings = 4096
    local.tokenizer.chat_template = template
    return local


def rendered(local: LocalModel, messages: list[ChatMessage], *tools: ToolInfo) -> str:
    return bytes(request_for(local, messages, GenerateConfig(), tools).prompt).decode()


class Saying:
    """An engine that samples these texts."""

    def __init__(self, *texts: str) -> None:
        self.samples = [Sample(text, (1, 2, 3), "stop") for text in texts]

    async def generate(self, request: Any) -> list[Sample]:
        return self.samples


# Reading.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
tool_calls = st.builds(ToolCall, st.text(min_size=1), st.dictionaries(st.text(), json_values, max_size=3))
words = st.text().filter(lambda text: "<tool_call>" not in text)


@given(words, st.lists(st.tuples(tool_calls, words), min_size=1, max_size=3), st.booleans())
def test_what_is_written_as_calls_is_read_as_these_calls(
    before: str, rest: list[tuple[ToolCall, str]], ascii_only: bool
) -> None:
    def block(call: ToolCall) -> str:
        value = {"name": call.name, "arguments": call.arguments}
        return f"<tool_call>\n{json.dumps(value, ensure_ascii=ascii_only)}\n</tool_call>"

    said, calls = calls_in(before + "".join(block(call) + after for call, after in rest))
    assert calls == tuple(call for call, _ in rest)
    assert said == "\n".join(filter(None, [before.strip(), *(after.strip() for _, after in rest)]))


@given(
    st.lists(st.sampled_from(["<tool_call>", "</tool_call>", "```json\n", "\n```", WRITTEN, "{", "[", "x"]))
)
def test_any_text_is_read_and_a_call_either_parsed_or_says_why(pieces: list[str]) -> None:
    text = "".join(pieces)
    said, calls = calls_in(text, ["get_price"])
    assert calls or said == text
    assert all(call == ASKED or (call.error and not call.arguments) for call in calls)


@pytest.mark.parametrize(
    ("written", "name", "why"),
    [
        ('{"name": "f", "arguments": {"a": 1}', "", "not JSON"),
        ("f(a=1)", "", "not JSON"),
        ('{"name": "f", "arguments": {"a": NaN}}', "", "not JSON"),
        ('{"name": "f", "arguments": {"a": 1e999}}', "", "not JSON"),
        (r'{"name": "f", "arguments": {"a": "\ud800"}}', "", "not JSON"),
        ('{"name": "f", "name": "g"}', "", "given twice"),
        ("[" * 100_000, "", "not JSON"),
        ('["f"]', "", "not a JSON object"),
        ('{"arguments": {}}', "", "name"),
        ('{"name": "f", "arguments": "{}"}', "f", "must be an object"),
        ('{"name": "f", "parameters": {}}', "f", "unknown keys: parameters"),
        ('{"name": "f"} {"name": "g"}', "", "something follows"),
    ],
)
def test_a_call_that_cannot_be_read_is_kept_with_its_words_and_the_reason(
    written: str, name: str, why: str
) -> None:
    said, [broken, good] = calls_in(f"a <tool_call>{written}</tool_call> b <tool_call>{WRITTEN}</tool_call>")
    assert (said, good) == ("a\nb", ASKED)
    assert (broken.name, broken.text, dict(broken.arguments)) == (name, written, {})
    assert why in broken.error


def test_the_end_of_the_text_closes_a_call() -> None:
    assert calls_in(f"<tool_call>\n{WRITTEN}") == ("", (ASKED,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"```json\n{WRITTEN}\n```", ""),
        (f"Let me see.\n```\n{WRITTEN}\n```", "Let me see."),
        (f"```py\nx = 1\n```\n```json\n{WRITTEN}\n```", "```py\nx = 1\n```"),
        (f" {WRITTEN}\n", ""),
    ],
)
def test_a_call_without_its_tags_is_read_where_it_names_a_tool_on_offer(text: str, said: str) -> None:
    assert calls_in(text, ["get_price"]) == (said, (ASKED,))
    assert calls_in(text, ["get_weather"]) == (text, ())


def test_calls_survive_inspects_form_and_count_on_from_the_history() -> None:
    calls = (ASKED, ToolCall("f", text="f(", error="not JSON"))
    theirs = inspect_calls(calls, [])
    assert theirs is not None
    assert tuple(map(call_from, theirs)) == calls
    again = inspect_calls(calls, [ChatMessageAssistant(content="", tool_calls=theirs)])
    assert [call.id for call in again or ()] == ["call_2", "call_3"]


# Rendering.


def test_tools_and_what_came_of_them_go_through_the_template() -> None:
    history: list[ChatMessage] = [
        ChatMessageSystem(content="Trade."),
        *HELLO,
        ChatMessageAssistant(content="Wait.", tool_calls=inspect_calls([ASKED], [])),
        ChatMessageTool(content="12", function="get_price", tool_call_id="call_0"),
    ]
    text = rendered(with_template(QWEN), history, PRICE)
    assert json.dumps(tool_schema(PRICE)) in text
    assert text.endswith(
        f"<|im_start|>assistant\nWait.\n<tool_call>\n{WRITTEN}\n</tool_call><|im_end|>\n"
        "<|im_start|>user\n<tool_response>\n12\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_broken_call_is_shown_to_the_model_as_it_wrote_it() -> None:
    broken = inspect_calls([ToolCall("", text="f(", error="not JSON")], [])
    row = template_row(ChatMessageAssistant(content="Wait.", tool_calls=broken))
    assert row == {"role": "assistant", "content": "Wait.\n<tool_call>\nf(\n</tool_call>"}


def test_a_tool_that_failed_is_shown_to_have() -> None:
    failed = ChatMessageTool(
        content="", tool_call_id="call_0", error=ToolCallError("unknown", "market closed")
    )
    assert template_row(failed)["content"] == "Error: market closed"


@pytest.mark.parametrize("template", [SMOLLM2, None, "{{ raise_exception('no') if tools }}{{ messages }}"])
def test_a_template_without_tools_is_refused_with_a_fix(template: str | None) -> None:
    answer = ChatMessageTool(content="12", tool_call_id="call_0")
    local = tiny_model(chat=True)
    local.tokenizer.chat_template = template
    with pytest.raises(CallError, match=r"cannot call tools: .* Use a model whose template does") as refused:
        rendered(local, HELLO, PRICE)
    assert (refused.value.cause, refused.value.fatal) == ("rejected", True)
    with pytest.raises(CallError, match="cannot call tools"):
        rendered(local, [*HELLO, answer])


@pytest.mark.parametrize("template", [SMOLLM2, QWEN])
@pytest.mark.parametrize("begun", ["I would never", "Yes, ", ""])
def test_a_last_assistant_message_is_left_open(template: str, begun: str) -> None:
    text = rendered(with_template(template), [*HELLO, ChatMessageAssistant(content=begun)])
    assert text.endswith(f"<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n{begun}")


def test_without_a_template_a_last_assistant_message_is_left_open_too() -> None:
    begun = ChatMessageAssistant(content="I would")
    assert rendered(tiny_model(), [*HELLO, begun]) == "User: hi\n\nAssistant: I would"


# Asking.


@pytest.fixture
def trader(monkeypatch: pytest.MonkeyPatch) -> Callable[..., System]:
    """A local system that says what the test has it say; all but the sampling is real."""

    def system(*texts: str) -> System:
        monkeypatch.setattr("gadfly.models._provider.Engine.of", lambda local: Saying(*texts))
        return System(model_of(with_template(QWEN)), "Trade.")

    return system


@pytest.mark.anyio
@pytest.mark.parametrize("direct", [True, False])
async def test_a_local_models_calls_are_the_replys(trader: Callable[..., System], direct: bool) -> None:
    system = trader(f"Wait.\n<tool_call>\n{WRITTEN}\n</tool_call>\n<tool_call>\nf(\n</tool_call>")
    if direct:
        with direct_transport():
            reply = await system.act(HELLO, [PRICE])
    else:
        reply = await system.act(HELLO, [PRICE])
    assert (reply.text, reply.stop, reply.calls[0]) == ("Wait.", "stop", ASKED)
    assert (reply.calls[1].text, reply.calls[1].error[:8]) == ("f(", "not JSON")


@pytest.mark.anyio
async def test_inspect_sees_the_calls_and_their_errors(trader: Callable[..., System]) -> None:
    model = trader(f"<tool_call>{WRITTEN}</tool_call><tool_call>f(</tool_call>").model
    output = await model.generate("hi", [PRICE])
    good, broken = output.message.tool_calls or ()
    assert (good.function, good.arguments, good.parse_error) == ("get_price", {"ticker": "ACME"}, None)
    assert broken.parse_error
    assert output.stop_reason == "tool_calls"


@pytest.mark.anyio
async def test_tags_are_words_where_no_tools_were_offered(trader: Callable[..., System]) -> None:
    text = f"<tool_call>{WRITTEN}</tool_call>"
    assert (await trader(text).reply([("user", "hi")])).text == text


@pytest.mark.anyio
async def test_a_local_model_cannot_be_made_to_call(trader: Callable[..., System]) -> None:
    with pytest.raises(CallError, match="use tool_choice='auto'"):
        await trader("").model.generate("hi", [PRICE], ToolFunction(name="get_price"))


@pytest.mark.anyio
async def test_a_local_reply_is_only_the_continuation() -> None:
    local = with_template(QWEN)
    begun = System(model_of(local), sampling=GenerateConfig(max_tokens=6))
    reply = await begun.reply([("user", "hi"), ("assistant", "I would")], seed=1)
    prompt = rendered(local, [*HELLO, ChatMessageAssistant(content="I would")])
    assert reply.text == local.generate([list(prompt.encode())], max_tokens=6, seed=1)[0][0].text
    assert not reply.text.startswith("I would")


@pytest.mark.anyio
async def test_a_script_calls_tools_and_sees_what_they_gave() -> None:
    def script(messages: Any, seed: int | None) -> Any:
        return ("", [("get_price", {"ticker": "ACME"})]) if messages[-1][0] == "user" else str(messages)

    system = System(scripted(script), "Trade.")
    first = await system.act(HELLO, [PRICE], seed=1)
    assert (first.text, first.calls, first.stop) == ("", (ASKED,), "stop")
    history = [
        *HELLO,
        ChatMessageAssistant(content="", tool_calls=inspect_calls(first.calls, [])),
        ChatMessageTool(content="12", tool_call_id="call_0"),
    ]
    said = (await system.act(history, [PRICE])).text
    assert said == "[('system', 'Trade.'), ('user', 'hi'), ('assistant', ''), ('tool', '12')]"


@pytest.mark.anyio
async def test_a_script_sees_how_its_reply_begins() -> None:
    system = System(scripted(lambda messages, seed: f"after {messages[-1]}"))
    assert (await system.reply([("user", "hi"), ("assistant", "I")])).text == "after ('assistant', 'I')"


@pytest.mark.anyio
async def test_a_cases_own_system_message_joins_the_system_prompt_where_tools_are() -> None:
    system = System(scripted(lambda messages, seed: str(messages)), "Trade.")
    reply = await system.act([ChatMessageSystem(content="Be calm."), *HELLO], [])
    assert reply.text == "[('system', 'Trade.\\n\\nBe calm.'), ('user', 'hi')]"


@pytest.mark.anyio
async def test_a_line_may_be_the_script_and_a_cut_line_calls_nothing() -> None:
    system = System(scripted(("one two three", [("f", {})])))
    assert (await system.act(HELLO, [])).calls == (ToolCall("f"),)
    assert (await system.with_sampling(max_tokens=2).act(HELLO, [])).calls == ()


@pytest.mark.anyio
async def test_neither_words_nor_calls_is_a_failed_call() -> None:
    with pytest.raises(CallError, match="said nothing"):
        await System(scripted("")).act(HELLO, [PRICE])


def test_reasoning_that_a_service_shows_is_kept_apart_from_the_words() -> None:
    blocks = [
        ContentReasoning(reasoning="They must not know."),
        ContentReasoning(reasoning="c2VjcmV0", redacted=True, summary="A plan."),
        ContentText(text="Buy."),
    ]
    reply = reply_from(ModelOutput.from_content("any", blocks))
    assert (reply.text, reply.reasoning) == ("Buy.", "They must not know.\n\nA plan.")
