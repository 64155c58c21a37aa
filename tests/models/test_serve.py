"""The server, running, on random weights, asked by OpenAI's own client."""

import contextlib
import http.client
import json
import re
import threading
import time
from types import SimpleNamespace

import openai
import pytest
import uvicorn
from openai.types.chat.chat_completion import Choice

from forked import Forked
from gadfly.errors import InputError
from gadfly.models import Engine, LocalModel, System, direct_transport, model, serve
from gadfly.models._serve import MAX_BODY, _listen, app
from gadfly.models._wire import ChatAsk
from tiny_models import tiny_model

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "Hello"}]
F = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@contextlib.contextmanager
def running(application):
    """A real server on a free loopback port, in a thread with its own event loop."""
    listener = _listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started, seconds=30)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def local(tiny_model_dir):
    return LocalModel.load(str(tiny_model_dir))


@pytest.fixture(scope="module")
def url(local):
    with running(app(local, "tiny")) as url:
        yield url


@pytest.fixture
async def client(url):
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


async def collected(stream):
    """The pieces of each choice put together, by index, and the last usage seen."""
    texts, finishes, usage = {}, {}, None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            piece = choice.delta.content if hasattr(choice, "delta") else choice.text
            texts[choice.index] = texts.get(choice.index, "") + (piece or "")
            finishes[choice.index] = choice.finish_reason
    return SimpleNamespace(texts=texts, finishes=finishes, usage=usage)


async def test_models_are_listed(client):
    assert [card.id async for card in client.models.list()] == ["tiny"]
    assert (await client.models.retrieve("gadfly/tiny")).id == "tiny"


async def test_a_chat_is_answered_with_usage(client, local):
    reply = await client.chat.completions.create(
        model="tiny", messages=HELLO, max_completion_tokens=12, seed=1
    )
    assert reply.choices[0].message.role == "assistant"
    assert reply.usage.prompt_tokens == len(local.encode_chat(HELLO))
    assert 0 < reply.usage.completion_tokens <= 12


async def test_the_same_seed_gives_the_same_text_and_another_seed_another(client):
    async def text(seed):
        reply = await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=20, seed=seed)
        return reply.choices[0].message.content

    assert await text(1) == await text(1) != await text(2)


async def test_n_gives_n_different_samples(client):
    reply = await client.completions.create(model="tiny", prompt="One", n=3, max_tokens=8, seed=5)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.text for choice in reply.choices}) == 3


async def test_several_prompts_are_answered_in_order(client, local):
    several = await client.completions.create(
        model="tiny", prompt=["One", "Two"], temperature=0, max_tokens=6, n=2
    )
    for_two = await client.completions.create(
        model="tiny", prompt=local.encode("Two"), temperature=0, max_tokens=6
    )
    assert [choice.text for choice in several.choices[2:]] == [for_two.choices[0].text] * 2


async def test_a_stop_sequence_ends_the_text_and_is_not_part_of_it(client):
    ask = {"model": "tiny", "prompt": "One", "temperature": 0, "max_tokens": 16}
    whole = (await client.completions.create(**ask)).choices[0].text
    cut = (await client.completions.create(**ask, stop=[whole[5]])).choices[0]
    assert (cut.text, cut.finish_reason) == (whole[: whole.index(whole[5])], "stop")


async def test_chat_logprobs_are_those_of_the_chosen_tokens_and_the_likeliest(client):
    reply = await client.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=5, temperature=0, logprobs=True, top_logprobs=3
    )
    tokens = reply.choices[0].logprobs.content
    assert len(tokens) == reply.usage.completion_tokens
    assert all(len(token.top_logprobs) == 3 for token in tokens)
    assert all(token.logprob == pytest.approx(token.top_logprobs[0].logprob) for token in tokens)


async def test_completion_logprobs_have_the_legacy_shape(client):
    reply = await client.completions.create(
        model="tiny", prompt="One", max_tokens=4, temperature=0, logprobs=2
    )
    logprobs = reply.choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.text_offset) == 4
    assert {len(top) for top in logprobs.top_logprobs} <= {1, 2}  # keyed by text, which two tokens may share


async def test_a_streamed_chat_adds_up_to_the_whole_one(client):
    ask = {"model": "tiny", "messages": HELLO, "max_tokens": 20, "seed": 3, "n": 2}
    whole = await client.chat.completions.create(**ask)
    streamed = await collected(
        await client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    )
    assert streamed.texts == {choice.index: choice.message.content for choice in whole.choices}
    assert streamed.finishes == {choice.index: choice.finish_reason for choice in whole.choices}
    assert streamed.usage == whole.usage


async def test_a_streamed_completion_adds_up_to_the_whole_one(client):
    ask = {"model": "tiny", "prompt": "One", "max_tokens": 20, "seed": 3}
    whole = await client.completions.create(**ask)
    streamed = await collected(await client.completions.create(**ask, stream=True))
    assert streamed.texts == {0: whole.choices[0].text}
    assert streamed.usage is None


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_beyond_the_context_is_refused_with_openais_code(client, stream):
    with pytest.raises(openai.BadRequestError) as refused:
        await client.completions.create(model="tiny", prompt="x" * 600, stream=stream)
    assert refused.value.code == "context_length_exceeded"


async def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError, match="Did you mean 'tiny'") as refused:
        await client.chat.completions.create(model="tinny", messages=HELLO)
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"temperature": -1}, "temperature: "),
        ({"messages": []}, "messages: "),
        ({"max_tokens": 0}, "max_tokens: "),
        ({"stop": [""]}, "stop must be free of empty strings"),
        ({"frequency_penalty": 0.5}, "'frequency_penalty'"),
        ({"tools": [F]}, "cannot call tools"),
        ({"tools": [F], "tool_choice": "required"}, "tool_choice: "),
        ({"tools": [F], "stream": True}, "does not stream tool calls"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "text",
        ),
    ],
)
async def test_what_cannot_be_honoured_is_refused_and_named(client, wrong, words):
    with pytest.raises(openai.BadRequestError, match=words):
        await client.chat.completions.create(**{"model": "tiny", "messages": HELLO, **wrong})


def asking(**more):
    """A chat as a client may ask for it with tools."""
    return ChatAsk.model_validate({"model": "tiny", "messages": HELLO, "tools": [F], **more})


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_calls_have_openais_shape(finish):
    text = 'Wait. <tool_call>{"name": "f", "arguments": {"a": "é"}}</tool_call>'
    choice = Choice.model_validate(asking().choice(0, text, finish, None))
    [call] = choice.message.tool_calls
    assert (choice.message.content, call.function.name) == ("Wait.", "f")
    assert json.loads(call.function.arguments) == {"a": "é"}
    assert choice.finish_reason == ("tool_calls" if finish == "stop" else "length")


@pytest.mark.parametrize("more", [{}, {"tool_choice": "none"}, {"tools": None}])
def test_what_is_no_call_is_text_from_end_to_end(more):
    text = "a <tool_call>f(</tool_call> b" if not more else '<tool_call>{"name": "f"}</tool_call>'
    choice = asking(**more).choice(0, text, "stop", None)
    assert (choice["message"]["content"], choice["finish_reason"]) == (text, "stop")


async def test_tools_and_what_came_of_them_reach_the_template():
    local = tiny_model(chat=True)
    local.tokenizer.chat_template = "{% if tools %}<tool_call>{{ tools }}{% endif %}{{ messages }}"
    called = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    turns = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "content": "2"},
    ]
    [prompt] = asking(messages=turns).prompts(local)
    assert bytes(prompt).decode().startswith(f"<tool_call>[{F}]")
    assert "'arguments': {'a': 1}" in bytes(prompt).decode()
    with pytest.raises(InputError, match="not JSON"):
        called["function"]["arguments"] = "{"
        asking(messages=turns).prompts(local)


async def test_a_last_assistant_message_is_continued(client, local):
    begun = [*HELLO, {"role": "assistant", "content": "I would"}]
    ask = {"model": "tiny", "max_tokens": 8, "temperature": 0}
    chat = await client.chat.completions.create(messages=begun, **ask)
    raw = await client.completions.create(prompt=local.encode_chat(begun), **ask)
    assert chat.choices[0].message.content == raw.choices[0].text


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_frees_its_place(local, stream):
    application = app(local, "tiny")

    @application.get("/held")
    async def held() -> int:
        return len(Engine.of(local).scheduler.rows)

    ask = {
        "model": "tiny",
        "prompt": "One",
        "max_tokens": 400,
        "n": 128,
        "stream": stream,
    }  # takes four seconds
    with running(application) as url:
        connection = http.client.HTTPConnection(address(url))
        connection.request("POST", "/v1/completions", json.dumps(ask), {"Content-Type": "application/json"})
        until(lambda: get(url, "/held")[1] > 64, seconds=10)
        connection.close()
        until(lambda: get(url, "/held")[1] == 0, seconds=2)


async def test_a_key_is_required_where_one_is_set(local):
    with running(app(local, "tiny", api_key="right")) as url:
        async with openai.AsyncOpenAI(base_url=url, api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError) as refused:
                await client.models.list()
            assert refused.value.code == "invalid_api_key"
            assert (await client.with_options(api_key="right").models.list()).data
        assert get(url, "/health")[0] == 200


def address(url):
    return url.removeprefix("http://").removesuffix("/v1")


def get(url, path, headers=None, method="GET"):
    """(status, JSON or text) of a bare request."""
    connection = http.client.HTTPConnection(address(url))
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    with contextlib.suppress(ValueError):
        body = json.loads(body)
    return response.status, body


def answers(url):
    try:
        return get(url, "/health")[0] == 200
    except ConnectionError:
        return False


def until(holds, seconds):
    """Returns when `holds()`; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.01)


def test_a_body_too_large_is_refused_before_it_is_read(url):
    status, body = get(url, "/v1/completions", {"Content-Length": str(MAX_BODY + 1)}, "POST")
    assert (status, body["error"]["type"]) == (413, "invalid_request_error")


def test_an_unknown_path_has_openais_shape(url):
    status, body = get(url, "/v1/embeddings")
    assert (status, body["error"]["message"]) == (404, "Not Found")


def test_a_page_that_reaches_it_by_another_name_is_turned_away(url):
    assert get(url, "/v1/models", {"Host": "evil.example"})[0] == 400


def test_beyond_loopback_only_behind_a_key():
    with pytest.raises(InputError, match="set a key with --api-key"):
        serve("tiny", host="0.0.0.0")


def test_a_taken_port_is_said_before_anything_is_loaded():
    with contextlib.closing(_listen("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} on 127.0.0.1 cannot be used"):
            serve("no-such-model", port=port)


def test_serving_says_where_and_stops_when_interrupted(tiny_model_dir):
    code = f"from gadfly.models import serve; serve({str(tiny_model_dir)!r}, port=0)"
    process = Forked(code)
    [url] = re.findall(r"http://\S+", process.out.readline())
    until(lambda: answers(url), seconds=30)
    process.interrupt()
    process.wait()


async def test_a_system_reaches_it_as_any_remote_model(url):
    system = System(model("openai-api/local/tiny", base_url=url, api_key="none")).with_sampling(max_tokens=8)
    usual = await system.reply([("user", "Hello")], seed=1)
    with direct_transport():
        assert await system.reply([("user", "Hello")], seed=1) == usual
        assert (await system.complete("One", seed=1)).usage.output_tokens > 0
