"""How likely given words are as a reply."""

from __future__ import annotations

import asyncio

import pytest
import torch

from gadfly.errors import CallError, InputError
from gadfly.models import LocalModel, System, model_of, scripted
from gadfly.models._likelihood import likelihoods, reply_logprobs
from tiny_models import CONFIGS, tiny_model

STORY = "The cat sat on the mat and looked at the dog, while rain fell outside."


def plainly(local: LocalModel, prompt: list[int], reply: list[int]) -> list[float]:
    with torch.inference_mode():
        logprobs_T_V = local.weights(torch.tensor([prompt + reply])).logits[0].float().log_softmax(-1)
    return [float(logprobs_T_V[len(prompt) - 1 + n, token]) for n, token in enumerate(reply)]


@pytest.mark.parametrize("kind", CONFIGS)
def test_prompts_that_share_a_beginning_give_what_each_gives_by_itself(kind: str) -> None:
    local = tiny_model(kind)
    whole, reply = local.encode(STORY), local.encode(" It was wet.")
    prompts = [whole, whole[:10] + whole[20:], whole[:3], whole[:-5], whole, local.encode("No cat.")]
    found = reply_logprobs(local, prompts, reply)
    for prompt, logprobs in zip(prompts, found, strict=True):
        assert logprobs == pytest.approx(plainly(local, prompt, reply), abs=1e-4)


def test_a_system_is_asked_with_its_own_prompt_and_its_opened_answer() -> None:
    local = tiny_model(chat=True)
    said = [("user", "Was it wet?"), ("assistant", "I think")]
    [found] = asyncio.run(likelihoods(System(model_of(local), "Be brief."), [said], " so"))
    rows = [{"role": role, "content": text} for role, text in [("system", "Be brief."), *said]]
    assert found == pytest.approx(plainly(local, local.encode_chat(rows), local.encode(" so")), abs=1e-4)


def test_no_conversation_gives_nothing_and_no_reply_is_refused() -> None:
    local = tiny_model()
    assert reply_logprobs(local, [], [1]) == []
    with pytest.raises(InputError, match="without a token"):
        reply_logprobs(local, [[1]], [])


def test_what_does_not_fit_is_an_overflow() -> None:
    local = tiny_model()
    with pytest.raises(CallError, match="holds 512") as raised:
        reply_logprobs(local, [[1] * 510], [2, 3, 4])
    assert raised.value.cause == "context_overflow"


def test_a_model_elsewhere_is_refused_in_a_sentence() -> None:
    with pytest.raises(CallError, match="use a local model"):
        asyncio.run(likelihoods(System(scripted("x")), [[("user", "x")]], "y"))
