"""A policy: which of its weights are its own, which are its base's, and which learn."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from training_fakes import foreign_adapter

from gadfly.errors import InputError
from gadfly.training import Demonstration, Lora, Supervision, supervise, trainable
from gadfly.training._policy import learner_of
from gadfly.training._session import one_gpu
from tiny_models import tiny_model

TOP = Lora(rank=4, alpha=8, share=0.2)
IDS = torch.tensor([[72, 101, 108, 108, 111]])


def logits(model):
    with torch.no_grad():
        return model.weights(IDS).logits


def test_a_policy_has_its_bases_tensors_and_only_the_adapter_besides():
    base = tiny_model()
    policy = trainable(base, TOP)
    shared = {tensor.data_ptr() for tensor in base.weights.parameters()}
    own = {name for name, one in policy.weights.named_parameters() if one.data_ptr() not in shared}
    assert own == {name for name, one in policy.weights.named_parameters() if one.requires_grad}
    assert all("lora_" in name for name in own)


def test_a_fresh_adapter_changes_nothing():
    base = tiny_model()
    assert torch.equal(logits(trainable(base, TOP)), logits(base))


def test_training_leaves_the_base_as_it_was(tmp_path):
    base = tiny_model()
    before, forward = logits(base), base.weights.forward
    kept = {name: tensor.clone() for name, tensor in base.weights.state_dict().items()}
    supervise(base, [Demonstration("a", "b")], tmp_path / "it", Supervision(lora=TOP, learning_rate=1e-2))
    assert torch.equal(logits(base), before)
    assert all(torch.equal(kept[name], tensor) for name, tensor in base.weights.state_dict().items())
    assert base.weights.forward == forward
    assert not any(parameter.grad is not None for parameter in base.weights.parameters())


@pytest.mark.parametrize(("share", "tuned"), [(0.01, {2}), (0.2, {2}), (0.5, {1, 2}), (1.0, {0, 1, 2})])
def test_the_top_share_of_layers_learns_and_always_one(share, tuned):
    policy = trainable(tiny_model(), Lora(share=share))
    names = [name for name, one in policy.weights.named_parameters() if one.requires_grad]
    assert {int(name.partition(".layers.")[2][0]) for name in names} == tuned


def test_layers_below_are_not_back_propagated_through():
    policy = trainable(tiny_model(), TOP)
    wanted = []
    for layer in policy.weights.get_base_model().model.layers:
        layer.register_forward_hook(lambda _, __, out: wanted.append(out.requires_grad))
    policy.weights(IDS).logits.sum().backward()
    assert wanted == [False, False, True]
    learned = {name for name, one in policy.weights.named_parameters() if one.grad is not None}
    assert learned and all(".layers.2." in name and "lora_" in name for name in learned)


def test_an_adapter_of_another_base_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="does not fit tiny-llama: it was made for narrow"):
        trainable(tiny_model(), TOP, start=foreign_adapter(tmp_path / "narrow"))


def test_an_adapter_that_is_not_there_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="There is no adapter in"):
        trainable(tiny_model(), TOP, start=tmp_path)


def test_a_policy_is_not_made_into_another(tmp_path):
    with pytest.raises(InputError, match="already has an adapter; name the base"):
        trainable(trainable(tiny_model(), TOP), TOP)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"rank": 0}, "rank and alpha"), ({"share": 0.0}, r"lies in \(0, 1\]"), ({"share": 1.5}, "got 1.5")],
)
def test_a_lora_that_cannot_be_is_refused(changed, words):
    with pytest.raises(InputError, match=words):
        Lora(**changed)


def test_a_policy_is_trained_on_one_gpu_and_several_are_refused_with_the_fix():
    one_gpu("cuda", count=lambda: 1)
    one_gpu("cpu", count=lambda: 8)
    with pytest.raises(InputError, match=r"takes one GPU and sees 8; .* CUDA_VISIBLE_DEVICES=0"):
        one_gpu("cuda", count=lambda: 8)


@pytest.mark.parametrize(
    ("name", "base", "adapter"),
    [
        ("smollm2", "smollm2", None),
        ("smollm2+runs/one", "smollm2", "runs/one"),
        ("smollm2@float32+~/one", "smollm2@float32", "HOME/one"),
        ("HERE/a+b", "HERE/a+b", None),
    ],
)
def test_the_learner_is_named_as_models_are(name, base, adapter, tmp_path, monkeypatch):
    (tmp_path / "a+b").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    system = SimpleNamespace(name=f"gadfly/{name.replace('HERE', str(tmp_path))}")
    where = Path(adapter.replace("HOME", str(tmp_path / "home"))) if adapter else None
    assert learner_of(system) == (base.replace("HERE", str(tmp_path)), where)
