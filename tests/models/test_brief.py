"""One word from services that reject log-probabilities or a temperature, or that reason before they answer."""

import sys
from pathlib import Path

import pytest
from inspect_ai.model import GenerateConfig

from gadfly.errors import CallError
from gadfly.models import Brief, Retry, System, briefly, direct_transport, model

sys.path.insert(0, str(Path(__file__).parents[1]))
from stub_server import Particular

pytestmark = pytest.mark.anyio

ASKED = [("user", "A or B?")]


def system(stub, **sampling):
    remote = model("openai-api/stub/m", base_url=stub.url, api_key="k", memoize=False)
    return System(remote, sampling=GenerateConfig(**sampling), retry=Retry(attempts=1, timeout=5))


def letter(reply):
    return 1.0 if reply.text.startswith("A") else None


async def asked(stub, brief, times=1, grows=True):
    """The last of so many replies."""
    with direct_transport():
        for _ in range(times):
            reply = await brief.reply(briefly(system(stub), 4), ASKED, read=letter, grows=grows)
    return reply


async def test_a_service_that_takes_everything_is_asked_once_and_for_probabilities():
    async with Particular() as stub:
        await asked(stub, Brief())
    [body] = stub.requests
    assert (body["logprobs"], body["temperature"], body["max_tokens"]) == (True, 0.0, 4)


@pytest.mark.parametrize("rejects", ["logprobs", "temperature"])
async def test_what_a_service_rejects_is_left_out_from_then_on(rejects):
    async with Particular(rejects=rejects) as stub:
        reply = await asked(stub, Brief(), times=3)
    accepted = [body for body in stub.requests if rejects not in body]
    assert (reply.text, len(accepted)) == ("A", 3)
    assert rejects not in stub.requests[-1]
    assert len(stub.requests) == 3 + (1 if rejects == "logprobs" else 2)


async def test_a_model_that_reasons_first_gets_the_tokens_for_it_and_keeps_them():
    async with Particular(reasons=500) as stub:
        reply = await asked(stub, Brief(), times=3)
    assert reply.text == "A"
    assert [body["max_tokens"] for body in stub.requests if body["max_tokens"] > 500] == [1_024] * 3
    assert stub.requests[-2]["max_tokens"] == 1_024


async def test_a_sentence_that_was_cut_before_its_letter_is_heard_to_the_end():
    async with Particular(rejects="logprobs", preamble="It ", reasons=0) as stub:
        await asked(stub, Brief())
    assert [body["max_tokens"] for body in stub.requests] == [4, 4, 64]


async def test_tries_that_came_to_nothing_are_paid_for():
    async with Particular(reasons=500) as stub:
        reply = await asked(stub, Brief())
    cut = [body["max_tokens"] for body in stub.requests[:-1]]
    assert cut == [4, 4, 64, 64]
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (50, sum(cut) + 1)


async def test_a_try_that_was_cut_before_its_letter_is_paid_for():
    async with Particular(rejects="logprobs", preamble="It ") as stub:
        reply = await asked(stub, Brief())
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (20, 4 + 1)


async def test_a_limit_that_does_not_grow_is_kept_to():
    async with Particular(reasons=500) as stub:
        with pytest.raises(CallError, match="before max_tokens") as caught:
            await asked(stub, Brief(), grows=False)
    assert (caught.value.cause, caught.value.cut) == ("empty_reply", True)
    assert {body["max_tokens"] for body in stub.requests} == {4}


async def test_a_prompt_that_is_rejected_in_every_way_changes_nothing_for_the_next():
    brief = Brief()
    async with Particular(rejects="messages") as stub:
        with pytest.raises(CallError):
            await asked(stub, brief)
    assert (brief.refused, brief.room) == (0, 0)
