"""What an audit is about, on scripted models."""

from contextlib import nullcontext

import pytest
import torch
from inspect_ai import Task, eval_async
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import Generate, TaskState, solver

from gadfly.errors import CallError, InputError, MissingKeyError, UnknownNameError
from gadfly.models import Reply, System, direct_transport, model, scripted

pytestmark = pytest.mark.anyio


def echo(messages, seed):
    return " | ".join(f"{role}: {text}" for role, text in messages) + f" | seed {seed}"


async def test_the_system_prompt_is_said_first():
    reply = await System(scripted(echo), "Be brief.").reply([("user", "Hello")], seed=7)
    assert reply.text == "system: Be brief. | user: Hello | seed 7"


async def test_a_cases_own_system_message_joins_the_system_prompt():
    reply = await System(scripted(echo), "Be brief.").reply([("system", "The code is X."), ("user", "Hi")])
    assert reply.text.startswith("system: Be brief.\n\nThe code is X. | user: Hi")


async def test_raw_completion_of_a_local_model_is_the_bare_prompt():
    reply = await System(scripted(echo), "Be brief.").complete("1. Why", seed=3, stop=["seed"])
    assert reply.text == "user: 1. Why | "


async def test_a_reply_cut_at_max_tokens_says_so():
    reply = await System(scripted("one two three"), sampling=GenerateConfig(max_tokens=2)).reply(
        [("user", "count")]
    )
    assert (reply.text, reply.stop, reply.usage.output_tokens) == ("one two", "length", 2)


async def test_with_sampling_changes_only_what_it_names():
    system = System(scripted("one two three"), sampling=GenerateConfig(temperature=0.3))
    short = system.with_sampling(max_tokens=1)
    assert short.sampling.temperature == 0.3
    assert (await short.reply([("user", "count")])).text == "one"


async def test_the_direct_way_and_inspects_way_give_the_same_reply():
    system = System(scripted(echo), "Be brief.", GenerateConfig(max_tokens=50))
    usual = await system.reply([("user", "Hello")], seed=1)
    with direct_transport():
        direct = await system.reply([("user", "Hello")], seed=1)
    assert direct == usual


@pytest.mark.parametrize("direct", [True, False])
async def test_half_a_character_does_not_reach_the_next_one_who_is_asked(direct):
    with direct_transport() if direct else nullcontext():
        reply = await System(scripted("It is Ann \ud800.")).reply([("user", "Who?")])
    assert reply.text == "It is Ann ?."


async def test_an_empty_reply_is_a_failed_call():
    with pytest.raises(CallError, match="said nothing") as failure:
        await System(scripted("")).reply([("user", "Hello")])
    assert (failure.value.cause, failure.value.fatal) == ("empty_reply", False)


async def test_an_error_of_ours_passes_through_inspect_unchanged():
    def refuse(messages, seed):
        raise CallError("too long", "context_overflow")

    with pytest.raises(CallError, match=r"^too long$") as failure:
        await System(scripted(refuse)).reply([("user", "Hello")])
    assert failure.value.cause == "context_overflow"


async def test_a_bug_in_a_script_keeps_its_type():
    def broken(messages, seed):
        return {}["absent"]

    with pytest.raises(KeyError):
        await System(scripted(broken)).reply([("user", "Hello")])


async def test_a_model_in_this_process_that_needs_the_network_says_so_in_a_sentence():
    def fetches(messages, seed):
        raise ConnectionError("no such host")

    with pytest.raises(CallError, match=r"fetches something first.*no such host.*Connect once") as caught:
        await System(scripted(fetches)).reply([("user", "Hello")])
    assert caught.value.fatal


async def test_within_an_inspect_sample_the_call_is_an_event():
    @solver
    def ask():
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            assert isinstance(await System(scripted("Hi", name="greeter")).reply([("user", "Hello")]), Reply)
            return state

        return solve

    [log] = await eval_async(Task([Sample("q")], ask()), scripted("unused"), log_dir="memory://logs")
    assert "scripted/greeter" in [e.model for e in log.samples[0].events if e.event == "model"]


async def test_fingerprints_tell_systems_on_one_model_apart_and_hold_no_credentials():
    target = model("openai-api/stub/m", base_url="http://me:secret@host/v1?key=secret", api_key="secret")
    one, other = System(target).fingerprint(), System(target, "Be brief.").fingerprint()
    assert one != other
    assert one["base_url"] == "http://host/v1/"
    assert "secret" not in repr((one, other))


def test_only_what_answers_in_this_process_is_reproducible():
    remote = model("openai-api/stub/m", base_url="http://127.0.0.1:1/v1", api_key="none")
    assert System(scripted("x")).reproducible
    assert not System(remote).reproducible


@pytest.fixture(scope="module")
def local(tiny_model_dir):
    return System(model(f"gadfly/{tiny_model_dir}"), sampling=GenerateConfig(max_tokens=8))


async def test_a_local_model_answers_alike_either_way(local):
    usual = await local.reply([("user", "Hello")], seed=1)
    with direct_transport():
        assert await local.reply([("user", "Hello")], seed=1) == usual
    assert usual.usage.output_tokens == 8


async def test_a_local_models_logprobs_come_through(local):
    reply = await local.with_sampling(logprobs=True, top_logprobs=3, temperature=0).reply([("user", "Hello")])
    assert len(reply.first_token) == 3
    assert reply.logprob < max(reply.first_token.values())


async def test_a_local_system_gives_its_tokens_under_a_mask(local):
    class OnlyA:
        def start(self):
            allowed = torch.zeros(260, dtype=torch.bool)
            allowed[ord("a")] = True
            return lambda tokens: allowed

    sample, usage = await local.with_sampling(max_tokens=3).sample(
        [("user", "Hi")], lambda model: OnlyA(), seed=1
    )
    assert (sample.text, len(sample.logprobs), usage.output_tokens) == ("aaa", 3, 3)


async def test_what_runs_elsewhere_gives_no_tokens():
    system = System(scripted("Hello."))
    assert not system.white_box
    with pytest.raises(CallError, match="runs elsewhere, so its tokens cannot be masked"):
        await system.sample([("user", "Hi")])


async def test_a_local_models_raw_completion_has_no_template(local):
    assert (await local.complete("Hello", seed=1)).usage.input_tokens == len("Hello")


@pytest.mark.parametrize("direct", [True, False])
async def test_a_prompt_beyond_a_local_models_context_says_so(local, direct):
    with (
        direct_transport() if direct else nullcontext(),
        pytest.raises(CallError, match="shorten it") as caught,
    ):
        await local.reply([("user", "x" * 600)])
    assert (caught.value.cause, caught.value.fatal) == ("context_overflow", False)


def test_a_local_systems_fingerprint_names_its_weights(local):
    fingerprint = local.fingerprint()
    assert len(fingerprint["weights_sha256"]) == 64
    assert fingerprint["reproducible"]


def test_a_model_without_its_key_names_the_variable(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingKeyError, match=r"^openai/gpt-4.1-mini needs a key: set OPENAI_API_KEY\.$"):
        model("openai/gpt-4.1-mini")


def test_a_service_without_an_address_names_the_variable(monkeypatch):
    monkeypatch.setenv("SOMEWHERE_API_KEY", "none")
    with pytest.raises(InputError, match="set SOMEWHERE_BASE_URL, or pass base_url"):
        model("openai-api/somewhere/m")


def test_a_provider_whose_package_is_absent_says_what_to_install():
    with pytest.raises(InputError, match="pip install groq"):
        model("groq/llama")


@pytest.mark.parametrize(("name", "nearest"), [("opnai/gpt-4.1", "openai"), ("smollm", "smollm2")])
def test_a_misspelt_model_names_the_nearest(name, nearest):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{nearest}'"):
        model(name)


def test_a_model_passes_through_model():
    ready = scripted("x")
    assert model(ready) is ready
