"""Eight-bit models: as good as float ones on tiny weights, named as such, and refused where they cannot be."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import GenerateConfig, get_model
from transformers import AutoModelForCausalLM

from gadfly.errors import InputError
from gadfly.models import System, model
from gadfly.models._likelihood import reply_logprobs
from gadfly.models._local import LocalModel, choose_dtype
from gadfly.models._names import LocalName, local_name
from gadfly.models._quantised import Int8Linear, has_int8, quantise
from tiny_models import save_tiny_chat, tiny_model

pytestmark = pytest.mark.skipif(not has_int8(), reason="this build of torch has no FBGEMM")


def linear(inputs: int = 64, outputs: int = 48, bias: bool = True) -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(inputs, outputs, bias)


def off(layer: torch.nn.Linear, x: torch.Tensor) -> float:
    """How far the eight-bit layer's outputs are from the float ones, relative to their size."""
    exact = layer(x).detach()
    return float((Int8Linear(layer)(x) - exact).norm() / exact.norm())


def with_lora(base: Path, into: Path) -> Path:
    """A random adapter for the model in `base`."""
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(str(into))
    return into


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_in_eight_bits_is_off_by_less_than_a_percent(bias: bool) -> None:
    assert off(linear(bias=bias), torch.randn(20, 64)) < 0.01


def test_an_outlier_channel_does_not_drown_the_others() -> None:
    x = torch.randn(20, 64)
    x[:, 5] = 300
    layer = linear(bias=False)
    layer.weight.data[:, 5] = 0
    assert off(layer, x) < 0.02


def test_the_largest_products_do_not_overflow() -> None:
    layer = linear(bias=False)
    layer.weight.data.fill_(1.0)
    assert off(layer, torch.ones(3, 64)) < 1e-5


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    layer, x = Int8Linear(linear()), torch.randn(33, 64) * torch.logspace(-3, 3, 33)[:, None]
    assert torch.equal(layer(x), torch.cat([layer(row[None]) for row in x]))


def test_rows_of_zeros_give_the_bias_and_no_rows_give_none() -> None:
    layer = linear()
    assert torch.equal(Int8Linear(layer)(torch.zeros(2, 3, 64)), layer.bias.expand(2, 3, -1))
    assert Int8Linear(layer)(torch.zeros(1, 0, 64)).shape == (1, 0, 48)


def test_a_channel_of_zeros_stays_zero() -> None:
    layer = linear(bias=False)
    layer.weight.data[3] = 0
    assert torch.equal(Int8Linear(layer)(torch.randn(4, 64))[:, 3], torch.zeros(4))


def test_making_a_layer_leaves_the_quantised_engine_as_it_was() -> None:
    before = torch.backends.quantized.engine
    Int8Linear(linear())
    assert torch.backends.quantized.engine == before


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma3"])
def test_a_model_in_eight_bits_says_nearly_the_same(kind: str) -> None:
    ids = torch.tensor([list(range(40))])
    exact, small = tiny_model(kind), quantise(tiny_model(kind).weights)
    exact.weights.requires_grad_(False)
    before, after = exact.weights(ids).logits.log_softmax(-1), small(ids).logits.log_softmax(-1)
    assert float((before.exp() * (before - after)).sum(-1).mean()) < 0.02


def test_a_model_is_loaded_in_eight_bits_by_its_name(tmp_path: Path) -> None:
    local = LocalModel.load(f"{save_tiny_chat(tmp_path)}@int8")
    assert local is LocalModel.load(str(tmp_path), dtype="int8")
    assert local.name == f"{tmp_path}@int8"
    assert "int8 (as asked: linear layers, the rest in float32)" in local.reason
    assert local.dtype == torch.float32


def test_its_hash_is_another_than_the_float_models(tmp_path: Path) -> None:
    name = str(save_tiny_chat(tmp_path))
    assert LocalModel.load(f"{name}@int8").weights_sha256 != LocalModel.load(name).weights_sha256


def test_the_engine_the_likelihoods_and_the_hidden_states_go_through_it(tmp_path: Path) -> None:
    exact, small = (
        LocalModel.load(str(save_tiny_chat(tmp_path)), dtype=kind) for kind in ("float32", "int8")
    )
    [[said]] = small.generate(["abc"], max_tokens=6, seed=1)
    assert len(said.tokens) == 6
    [one], [other] = (reply_logprobs(m, [[1, 2, 3]], [4, 5]) for m in (exact, small))
    assert one == pytest.approx(other, abs=0.3)
    seen, true = (m.hidden_states([[1, 2, 3]])[0] for m in (small, exact))
    assert (seen - true).norm() < 0.05 * true.norm()


def test_its_prompts_are_shared_in_packed_passes_as_a_float_models_are(tmp_path: Path) -> None:
    from gadfly.models._engine import Engine

    async def reason() -> str:
        return Engine.of(LocalModel.load(f"{save_tiny_chat(tmp_path)}@int8")).reason

    assert asyncio.run(reason()) == "packed attention, prompts shared"


def test_an_adapter_is_merged_into_the_weights_first(tmp_path: Path) -> None:
    base = str(save_tiny_chat(tmp_path / "base"))
    adapter = with_lora(tmp_path / "base", tmp_path / "adapter")
    small, exact = LocalModel.load(f"{base}@int8+{adapter}"), LocalModel.load(base, adapter, dtype="float32")
    plain = LocalModel.load(f"{base}@int8")
    states = [m.hidden_states([[1, 2, 3]])[0] for m in (small, exact, plain)]
    assert (states[0] - states[1]).norm() < 0.1 * (states[2] - states[1]).norm()
    assert small.weights_sha256 != plain.weights_sha256


def test_it_cannot_be_trained(tmp_path: Path) -> None:
    from gadfly.training._policy import Lora, trainable

    with pytest.raises(InputError, match="cannot be trained; name it without @int8"):
        trainable(LocalModel.load(f"{save_tiny_chat(tmp_path)}@int8"), Lora())


def test_a_gpu_is_refused_with_the_types_it_has() -> None:
    with pytest.raises(InputError, match="on cuda use float32, bfloat16 or float16"):
        choose_dtype("int8", torch.device("cuda"))


def test_a_name_and_an_argument_that_disagree_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="say it once"):
        LocalModel.load(f"{save_tiny_chat(tmp_path)}@int8", dtype="float32")


@pytest.mark.anyio
async def test_inspect_reaches_it_by_name_and_its_fingerprint_says_so(tmp_path: Path) -> None:
    system = System(model(f"gadfly/{save_tiny_chat(tmp_path)}@int8"))
    assert (await system.model.generate("hello", config=GenerateConfig(max_tokens=3))).completion is not None
    assert system.fingerprint()["model"] == f"gadfly/{tmp_path}@int8"
    argued: Any = get_model(f"gadfly/{tmp_path}", dtype="int8")
    assert System(argued).fingerprint()["weights_sha256"] == system.fingerprint()["weights_sha256"]


@given(
    st.from_regex(r"[a-z0-9.-]{1,9}(/[a-z0-9.-]{1,9})?", fullmatch=True),
    st.sampled_from(["auto", "float32", "bfloat16", "float16", "int8"]),
    st.none() | st.from_regex(r"no/such/[a-z@+]{1,9}", fullmatch=True),
)
def test_a_name_is_read_as_it_is_written(base: str, dtype: str, adapter: str | None) -> None:
    name = LocalName(f"no-{base}", dtype, adapter)
    assert local_name(str(name)) == name


def test_a_dtype_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(InputError, match="There is no dtype 'int4'"):
        model("smollm2@int4")


def test_an_existing_path_is_a_base_whatever_is_in_it(tmp_path: Path) -> None:
    odd = tmp_path / "a@int8+b"
    odd.mkdir()
    assert local_name(str(odd)) == LocalName(str(odd))
    assert local_name(f"{odd.parent}/x@y/z") == LocalName(f"{odd.parent}/x@y/z")
