"""`gadfly/…` as Inspect sees it, on a tiny model from a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inspect_ai.model import GenerateConfig, Model, get_model

from gadfly.errors import CallError, InputError, UnknownNameError
from gadfly.models._provider import LocalProvider
from gadfly.models._request import Request

pytestmark = pytest.mark.anyio


@pytest.fixture
def model(tiny_model_dir: Path) -> Model:
    return get_model(f"gadfly/{tiny_model_dir}", dtype="float32")


def provider(model: Model) -> LocalProvider:
    assert isinstance(model.api, LocalProvider)
    return model.api


async def test_the_entry_point_makes_the_provider_known(model: Model) -> None:
    assert str(model).startswith("gadfly/")
    assert provider(model).local.name == provider(model).model_name


async def test_a_reply_is_the_engines_with_exact_usage(model: Model) -> None:
    config = GenerateConfig(max_tokens=9, seed=3, temperature=0.7, top_p=0.9)
    output = await model.generate("hello", config=config)
    api = provider(model)
    prompt = tuple(api.local.encode_chat([{"role": "user", "content": "hello"}]))
    [sample] = await api.engine().generate(Request(prompt, max_tokens=9, seed=3, temperature=0.7, top_p=0.9))
    assert output.completion == sample.text
    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.output_tokens) == (len(prompt), len(sample.tokens))


async def test_raw_continues_the_text_without_a_template(model: Model) -> None:
    config = GenerateConfig(max_tokens=9, seed=3, extra_body={"raw": True})
    output = await model.generate("hello", config=config)
    [[sample]] = [await provider(model).engine().generate(Request(tuple(provider(model).local.encode("hello")),
                                                                  max_tokens=9, seed=3))]  # fmt: skip
    assert output.completion == sample.text


async def test_choices_stops_and_logprobs_come_through(model: Model) -> None:
    config = GenerateConfig(num_choices=3, max_tokens=4, seed=1, logprobs=True, top_logprobs=2)
    output = await model.generate("hello", config=config)
    assert len(output.choices) == 3
    for choice in output.choices:
        assert choice.logprobs is not None
        assert all(len(token.top_logprobs or []) == 2 for token in choice.logprobs.content)


async def test_a_reply_cut_at_max_tokens_says_so(model: Model) -> None:
    outputs = [await model.generate("hi", config=GenerateConfig(max_tokens=1, seed=s)) for s in range(3)]
    assert "max_tokens" in {output.stop_reason for output in outputs}


async def test_a_stop_sequence_is_not_part_of_the_reply(model: Model) -> None:
    whole = await model.generate("hi", config=GenerateConfig(max_tokens=30, seed=1))
    stop = whole.completion[3:5]
    cut = await model.generate("hi", config=GenerateConfig(max_tokens=30, seed=1, stop_seqs=[stop]))
    assert cut.completion == whole.completion[: whole.completion.index(stop)]


async def test_unknown_settings_are_refused_in_words(model: Model) -> None:
    with pytest.raises(CallError, match="does not do top_k"):
        await model.generate("hi", config=GenerateConfig(top_k=3, max_retries=0))


async def test_tokens_are_counted_by_the_models_own_tokenizer(model: Model) -> None:
    assert await provider(model).tokenize("abc") == provider(model).local.encode("abc")
    assert await provider(model).count_text_tokens("abc") == len(provider(model).local.encode("abc"))


async def test_the_hash_of_the_weights_is_that_of_the_files(model: Model) -> None:
    assert len(provider(model).weights_sha256) == 64


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [("gadfly/smolm2", {}, UnknownNameError), ("gadfly/smollm2", {"devise": "cpu"}, InputError)],
)
def test_a_wrong_name_or_argument_is_refused_when_named(
    name: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        get_model(name, memoize=False, **arguments)
