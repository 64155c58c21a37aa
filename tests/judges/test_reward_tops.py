"""Adapters on the top layers, K at once: what PEFT gives, and what K ones one by one give."""

from __future__ import annotations

import pytest
import torch

from gadfly.judges._reward_tops import SCALE, Tops, fresh, member
from gadfly.judges._trunk import LanguageTrunk
from tiny_models import tiny_model

TEXTS = ("hello there, you", "a", "some longer text of many bytes, and then some more of them", "x" * 30)
KINDS = ("llama", "qwen2", "gemma3")
RANK = 4


def changed(tops: Tops, members: int) -> dict[str, torch.Tensor]:
    """Adapters that change something."""
    adapters = fresh(tops, members, RANK, seed=0)
    noise = torch.Generator().manual_seed(1)
    for name, tensor in adapters.items():
        if name.endswith(".b"):
            tensor.normal_(generator=noise)
    return adapters


@pytest.mark.parametrize("top", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_fresh_adapters_give_the_trunks_own_last_state(kind: str, top: int) -> None:
    model = tiny_model(kind)
    trunk = LanguageTrunk(model)
    tops = Tops(trunk, top)
    states = tops(trunk.read(TEXTS, top).stems, fresh(tops, 3, RANK, 0))
    last = torch.stack([one[-1, -1] for one in model.hidden_states([model.encode(t) for t in TEXTS])])
    assert torch.allclose(states, last.expand(3, -1, -1), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_one_adapted_layer_is_ordinary_lora(kind: str) -> None:
    from peft import LoraConfig, get_peft_model

    trunk = LanguageTrunk(tiny_model(kind))
    tops = Tops(trunk, 1)
    adapters = changed(tops, 1)
    names = ["q_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(r=RANK, lora_alpha=SCALE * RANK, target_modules=names, layers_to_transform=[2])
    reference = tiny_model(kind)
    theirs = get_peft_model(reference.weights, config)
    for path, module in theirs.named_modules():
        if hasattr(module, "lora_A"):
            ours = "0." + path.partition("layers.2.")[2]
            module.lora_A["default"].weight.data = adapters[f"{ours}.a"][0]
            module.lora_B["default"].weight.data = adapters[f"{ours}.b"][0]
    last = [reference.hidden_states([reference.encode(text)])[0][-1, -1] for text in TEXTS]
    assert torch.allclose(tops(trunk.read(TEXTS, 1).stems, adapters)[0], torch.stack(last), atol=1e-5)


@pytest.mark.parametrize("top", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_members_at_once_are_members_one_by_one(kind: str, top: int) -> None:
    trunk = LanguageTrunk(tiny_model(kind))
    tops, stems = Tops(trunk, top), trunk.read(TEXTS, top).stems
    adapters = changed(tops, 4)
    together = tops(stems, adapters)
    alone = [tops(stems, member(adapters, one))[0] for one in range(4)]
    assert torch.allclose(together, torch.stack(alone), atol=1e-6)
    assert together.std(0).mean() > 0.1
