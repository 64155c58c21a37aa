"""The white-box handle, on tiny models in memory and on disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from gadfly.errors import GadflyError, InputError
from gadfly.models import _local
from gadfly.models._local import LocalModel
from tiny_models import tiny_model


def saved(path: Path, kind: str = "llama") -> Path:
    """A tiny model on disk."""
    model = tiny_model(kind, chat=True)
    model.weights.save_pretrained(path)
    model.tokenizer.save_pretrained(path)
    return path


def with_lora(base: Path, into: Path, **changes: Any) -> Path:
    """A random adapter for the model in `base`, its config changed by `changes`."""
    from peft import LoraConfig, get_peft_model

    model = AutoModelForCausalLM.from_pretrained(base)
    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(into)
    config = json.loads((into / "adapter_config.json").read_text())
    (into / "adapter_config.json").write_text(json.dumps(config | changes))
    return into


def test_the_same_arguments_give_the_same_model_once_loaded(tmp_path: Path) -> None:
    first = LocalModel.load(str(saved(tmp_path)), dtype="float32")
    assert LocalModel.load(str(tmp_path), dtype="float32") is first
    assert first.dtype == torch.float32


def test_the_reason_names_device_dtype_and_budget(tmp_path: Path) -> None:
    reason = LocalModel.load(str(saved(tmp_path)), device="cpu", dtype="bfloat16").reason
    assert reason.startswith("cpu (as asked), bfloat16 (as asked); room for ")


def test_automatic_choices_give_their_reasons() -> None:
    device, why_device = _local.choose_device("auto")
    _, why_dtype = _local.choose_dtype("auto", device)
    assert why_device
    assert why_dtype


@pytest.mark.parametrize(("device", "dtype"), [("toaster", "auto"), ("cpu", "int4"), ("cpu", "nonsense")])
def test_a_device_or_dtype_that_does_not_exist_is_named(tmp_path: Path, device: str, dtype: str) -> None:
    with pytest.raises(InputError, match="There is no d"):
        LocalModel.load(str(saved(tmp_path)), device=device, dtype=dtype)


def test_a_damaged_model_is_a_sentence(tmp_path: Path) -> None:
    (saved(tmp_path) / "config.json").write_text('{"model_type": "no such thing"}')
    with pytest.raises(GadflyError, match="could not be loaded"):
        LocalModel.load(str(tmp_path))


def test_an_adapter_changes_what_is_said_and_the_hash(tmp_path: Path) -> None:
    base = str(saved(tmp_path / "base"))
    adapter = with_lora(tmp_path / "base", tmp_path / "adapter")
    plain, adapted = LocalModel.load(base), LocalModel.load(base, adapter=adapter)
    settings: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
    assert plain.generate(["abc"], **settings) != adapted.generate(["abc"], **settings)
    assert plain.weights_sha256 != adapted.weights_sha256


@pytest.mark.parametrize(
    ("files", "complaint"),
    [([], "adapter_config.json"), (["adapter_config.json"], "no pickled weights")],
)
def test_a_directory_that_is_no_adapter_says_why(tmp_path: Path, files: list[str], complaint: str) -> None:
    base = saved(tmp_path / "base")
    (tmp_path / "adapter").mkdir()
    for name in files:
        (tmp_path / "adapter" / name).write_text("{}")
    with pytest.raises(InputError, match=complaint):
        LocalModel.load(str(base), adapter=tmp_path / "adapter")


def test_an_adapter_for_another_known_model_is_refused_by_name(tmp_path: Path) -> None:
    base = saved(tmp_path / "smollm2-b179c9523d0e")
    adapter = with_lora(base, tmp_path / "a", base_model_name_or_path="google/gemma-3-270m")
    with pytest.raises(InputError, match="made for gemma3-270m, not for smollm2"):
        LocalModel.load(str(base), adapter=adapter)


def test_an_adapter_of_another_shape_is_refused(tmp_path: Path) -> None:
    base = saved(tmp_path / "base")
    adapter = with_lora(base, tmp_path / "adapter", r=3)
    with pytest.raises(InputError, match="does not fit"):
        LocalModel.load(str(base), adapter=adapter)


def test_without_peft_an_adapter_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = saved(tmp_path / "base")
    adapter = with_lora(base, tmp_path / "adapter")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r"pip install 'gadfly\[training\]'"):
        LocalModel.load(str(base), adapter=adapter)


def test_a_chat_goes_through_the_template() -> None:
    model = tiny_model(chat=True)
    ids = model.encode_chat([{"role": "user", "content": "hi"}])
    assert ids == [256, *b"user:hi", 257, 256, *b"assistant:"]


def test_a_model_without_a_template_gets_plain_lines() -> None:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    assert bytes(tiny_model().encode_chat(turns)) == b"System: Be kind.\n\nUser: hi\n\nAssistant:"


def test_a_template_without_a_system_role_gets_the_system_text_from_the_user() -> None:
    model = tiny_model(chat=True)
    model.tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ m.content }}{% endfor %}"
    )
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    assert bytes(model.encode_chat(turns)) == b"Be kind.\n\nhi"


def test_a_template_that_refuses_is_quoted() -> None:
    model = tiny_model(chat=True)
    model.tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(InputError, match="roles must alternate"):
        model.encode_chat([{"role": "user", "content": "hi"}])


def test_hidden_states_have_the_promised_shape_and_are_those_of_transformers() -> None:
    model = tiny_model()
    whole, chosen = model.hidden_states([[1, 2, 3]])[0], model.hidden_states([[1, 2, 3]], layers=[0, -1])[0]
    own = model.weights(torch.tensor([[1, 2, 3]]), output_hidden_states=True).hidden_states
    assert whole.shape == (4, 3, 32)
    assert torch.equal(chosen, whole[[0, 3]])
    assert torch.allclose(whole, torch.stack(own)[:, 0])


def test_hidden_states_and_generation_do_not_disturb_each_other() -> None:
    model = tiny_model("gemma3")
    before = model.hidden_states([list(range(30))])[0]
    model.generate(["abc"], max_tokens=3)
    assert torch.allclose(model.hidden_states([list(range(30))])[0], before, atol=1e-5)


def test_generate_blocks_and_takes_text_or_tokens() -> None:
    [[text], [tokens]] = tiny_model().generate(["abc", [97, 98, 99]], max_tokens=5, temperature=0)
    assert text == tokens


@pytest.mark.anyio
async def test_generate_works_where_an_event_loop_already_runs() -> None:
    assert len(tiny_model().generate(["abc"], n=2, max_tokens=5)[0]) == 2


def test_the_hash_of_weights_in_memory_follows_their_values() -> None:
    one, same, other = tiny_model(), tiny_model(), tiny_model("qwen2")
    assert one.weights_sha256 == same.weights_sha256 != other.weights_sha256


def test_a_special_token_that_means_the_end_ends_a_reply() -> None:
    model = tiny_model()
    model.tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_end|>", "<other>"]})
    assert model.eos == {257, model.tokenizer.convert_tokens_to_ids("<|im_end|>")}
