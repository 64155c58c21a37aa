"""Calls over HTTP, to a stub that fails on cue: by our own client, and by Inspect's."""

import contextlib
import sys
from pathlib import Path

import pytest
from httpx import ConnectError, ReadTimeout
from inspect_ai.model import (
    GenerateConfig,
    ModelAPI,
    ModelCost,
    ModelInfo,
    ModelOutput,
    modelapi,
    set_model_info,
)
from tenacity import wait_none

from gadfly.errors import CallError
from gadfly.models import Retry, System, direct_transport, model
from gadfly.models._http import speaks_plain_http

sys.path.insert(0, str(Path(__file__).parents[1]))
from stub_server import Stub

pytestmark = pytest.mark.anyio

HELLO = [("user", "Hello")]
QUICK = Retry(attempts=3, first_delay=0.001, timeout=5)
ONCE = Retry(attempts=1, timeout=5)


def target(stub, sampling=None, retry=QUICK, **arguments):
    remote = model("openai-api/stub/m", base_url=stub.url, api_key="k", memoize=False, **arguments)
    return System(remote, sampling=sampling or GenerateConfig(), retry=retry)


async def failure_of(system, direct=True):
    with direct_transport() if direct else contextlib.nullcontext(), pytest.raises(CallError) as caught:
        await system.reply(HELLO)
    return caught.value


async def test_both_clients_send_the_same_body_and_read_the_same_reply():
    sampling = GenerateConfig(
        max_tokens=5, temperature=0.5, top_p=0.9, stop_seqs=["x"], logprobs=True, top_logprobs=2, seed=1
    )
    async with Stub() as stub:
        system = target(stub, sampling)
        usual = await system.reply([("system", "Be brief."), *HELLO], seed=4)
        with direct_transport():
            direct = await system.reply([("system", "Be brief."), *HELLO], seed=4)
    assert stub.requests[0] == stub.requests[1]
    assert direct == usual
    assert (direct.stop, direct.logprob, direct.first_token) == ("length", -2.5, {"yes": -0.25, "no": -1.5})
    assert (direct.usage.input_tokens, direct.usage.output_tokens) == (10, 5)


async def test_openais_own_provider_sends_the_same_either_way():
    async with Stub() as stub:
        openai = model("openai/gpt-4.1-mini", base_url=stub.url, api_key="k", memoize=False)
        system = System(openai, sampling=GenerateConfig(max_tokens=5, temperature=0.5))
        usual = await system.reply(HELLO, seed=4)
        with direct_transport():
            assert await system.reply(HELLO, seed=4) == usual
    assert stub.requests[0] == stub.requests[1]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("openai/gpt-4.1-mini", True),
        ("openai/gpt-5", False),  # the responses protocol
        ("openai-api/anyone/m", True),
        ("ollama/m", True),
        ("openrouter/a/b", False),  # rewrites messages
        ("perplexity/sonar", False),
        ("mockllm/model", False),
    ],
)
def test_only_a_provider_that_adds_nothing_of_its_own_is_called_directly(name, plain):
    assert speaks_plain_http(model(name, base_url="http://127.0.0.1:1/v1", api_key="k")) is plain


async def test_the_key_and_extra_headers_are_sent():
    async with Stub() as stub:
        with direct_transport():
            await target(stub, GenerateConfig(extra_headers={"X-Team": "audit"})).reply(HELLO)
    assert stub.headers["authorization"] == "Bearer k"
    assert stub.headers["x-team"] == "audit"


async def test_extra_body_is_part_of_the_body():
    async with Stub() as stub:
        with direct_transport():
            await target(stub, GenerateConfig(extra_body={"top_k": 5})).reply(HELLO)
    assert stub.requests[0]["top_k"] == 5


@pytest.mark.parametrize("fault", ["429", "500", "close", "truncated"])
async def test_what_may_pass_is_tried_again(fault):
    async with Stub(faults=[fault, fault]) as stub:
        with direct_transport():
            assert (await target(stub).reply(HELLO)).text
    assert stub.count == 3


async def test_retry_after_is_waited_out():
    async with Stub(faults=["429"], retry_after="0.01") as stub:
        with direct_transport():
            await target(stub, retry=Retry(attempts=2, first_delay=60)).reply(HELLO)
    assert stub.count == 2


FAILURES = [
    ("400", "rejected", False, "This value is not supported"),
    ("401", "unauthorized", True, "Check STUB_API_KEY"),
    ("404", "not_found", True, "Check the name"),
    ("429", "rate_limited", False, "Lower the concurrency"),
    ("quota", "rate_limited", True, "add credit"),
    ("500", "server_error", False, "Resume the run later"),
    ("overflow", "context_overflow", False, "does not fit"),
    ("garbage", "bad_reply", False, "something"),
    ("no_choices", "bad_reply", False, "something"),
    ("not_an_object", "bad_reply", False, "something"),
    ("empty", "empty_reply", False, "said nothing"),
]


@pytest.mark.parametrize(("fault", "cause", "fatal", "words"), FAILURES)
async def test_a_failure_has_a_cause_and_a_sentence(fault, cause, fatal, words):
    async with Stub(always=fault) as stub:
        failure = await failure_of(target(stub, retry=ONCE))
    assert (failure.cause, failure.fatal) == (cause, fatal)
    assert words in str(failure)


@pytest.mark.parametrize(("fault", "cause", "fatal", "words"), FAILURES)
async def test_through_inspect_it_has_the_same(fault, cause, fatal, words):
    async with Stub(always=fault) as stub:
        failure = await failure_of(target(stub, retry=ONCE, max_retries=0), direct=False)
    assert (failure.cause, failure.fatal) == (cause, fatal)
    assert words in str(failure)


@pytest.mark.parametrize("fault", ["400", "401", "404", "quota", "overflow", "garbage"])
async def test_what_cannot_pass_is_not_tried_again(fault):
    async with Stub(always=fault) as stub:
        await failure_of(target(stub))
    assert stub.count == 1


async def test_an_empty_reply_is_asked_for_once_more():
    async with Stub(faults=["empty"]) as stub:
        with direct_transport():
            assert (await target(stub).reply(HELLO)).text
    assert stub.count == 2


async def test_a_filtered_reply_is_a_reply():
    async with Stub(always="filtered") as stub:
        with direct_transport():
            reply = await target(stub).reply(HELLO)
    assert (reply.text, reply.stop) == ("", "content_filter")


async def test_thinking_is_not_part_of_what_was_said():
    async with Stub(always="thinking") as stub:
        system = target(stub)
        with direct_transport():
            direct = await system.reply(HELLO)
        assert (direct.text, direct.reasoning) == ("yes", "hm")
        assert await system.reply(HELLO) == direct


async def test_an_unknown_model_is_told_what_is_served():
    async with Stub(always="404") as stub:
        failure = await failure_of(target(stub))
    assert "does not know the model 'm'" in str(failure)
    assert "It serves: stub-large, stub-small." in str(failure)


@pytest.mark.parametrize("direct", [True, False])
async def test_a_server_that_is_down_is_named_and_stops_the_run(direct):
    async with Stub() as stub:
        pass
    failure = await failure_of(target(stub, retry=ONCE, **({} if direct else {"max_retries": 0})), direct)
    assert (failure.cause, failure.fatal) == ("unreachable", True)
    assert stub.url in str(failure) or not direct


@modelapi(name="flaky")
class Flaky(ModelAPI):
    """Fails with `failures` in turn, then answers; Inspect tries it again without waiting."""

    def __init__(self, model_name, base_url=None, api_key=None, config=None, failures=()):
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        self.failures, self.asked = list(failures), 0

    async def generate(self, input, tools, tool_choice, config):  # noqa: A002
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return ModelOutput.from_content(self.model_name, "yes")

    def should_retry(self, ex):
        return True

    def retry_wait(self):
        return wait_none()


def flaky(*failures):
    return System(model("flaky/m", memoize=False, failures=failures), retry=Retry(attempts=6))


async def test_a_server_that_never_answered_inspect_is_not_waited_for():
    system = flaky(*[ConnectError("refused")] * 6)
    failure = await failure_of(system, direct=False)
    assert (failure.cause, failure.fatal, system.model.api.asked) == ("unreachable", True, 2)


async def test_a_server_that_answered_inspect_before_is_tried_as_often_as_asked():
    system = flaky()
    await system.reply(HELLO)
    system.model.api.failures += [ConnectError("refused")] * 5
    assert (await system.reply(HELLO)).text == "yes"


async def test_a_server_that_is_only_busy_at_first_is_waited_for():
    system = flaky(*[ReadTimeout("busy")] * 5)
    assert (await system.reply(HELLO)).text == "yes"


async def test_a_server_that_hangs_times_out():
    async with Stub(always="hang") as stub:
        failure = await failure_of(target(stub, retry=Retry(attempts=1, timeout=0.05)))
    assert (failure.cause, failure.fatal) == ("timeout", False)
    assert "within 0.05 s" in str(failure)


async def test_raw_completion_uses_the_completions_endpoint():
    async with Stub() as stub:
        system = target(stub, GenerateConfig(logprobs=True, top_logprobs=2), retry=ONCE)
        reply = await system.complete("Once upon", seed=2, stop=["\n"])
    assert stub.requests == [{"model": "m", "logprobs": 2, "stop": ["\n"], "prompt": "Once upon", "seed": 2}]
    assert (reply.logprob, reply.first_token) == (-4.0, {"yes": -0.25, "no": -1.5})


async def test_a_chat_only_service_is_asked_in_words_and_raw_only_once():
    async with Stub(has_completions=False) as stub:
        system = target(stub, retry=ONCE)
        assert (await system.complete("Once upon")).text
        await system.complete("a time")
    assert ["prompt" in request for request in stub.requests] == [True, False, False]
    assert stub.requests[1]["messages"][0]["content"].startswith("Continue this text.")


async def test_a_price_known_to_inspect_becomes_a_cost():
    price = ModelCost(input=1.0, output=2.0, input_cache_write=0, input_cache_read=0)
    set_model_info("m", ModelInfo(cost=price))
    async with Stub() as stub:
        with direct_transport():
            reply = await target(stub).reply(HELLO)
    assert reply.usage.cost == pytest.approx(26e-6)


async def test_a_user_who_configures_inspects_client_gets_inspects_client():
    async with Stub() as stub:
        with direct_transport():
            await target(stub, default_headers={"X-Mine": "1"}).reply(HELLO)
    assert stub.headers["x-mine"] == "1"
    assert "stainless" in "".join(stub.headers)
