"""Supervised fine-tuning: what its loss is, what it learns, and what it refuses."""

from dataclasses import replace

import pytest
from pytest import approx
from training_fakes import WHOLE, log_prob

from gadfly.errors import InputError
from gadfly.models import LocalModel
from gadfly.training import Demonstration, Supervision, supervise, trainable
from gadfly.training._checkpoints import load_adapter
from gadfly.training._texts import tokens
from tiny_models import save_tiny_chat, tiny_model

SAID = [Demonstration("Say: ", "yes\n"), Demonstration("What is left when all is said? ", "nothing much\n")]
QUICK = Supervision(epochs=2, batch=2, learning_rate=1e-2, save_every=1, lora=WHOLE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return supervise(tiny_model(), SAID, tmp_path_factory.mktemp("sft") / "it", QUICK)


@pytest.mark.parametrize("step", [0, 1])
def test_the_loss_is_the_mean_over_the_continuations_tokens_and_the_prompts_do_not_count(trained, step):
    base, policy = tiny_model(), trainable(tiny_model(), WHOLE)
    if step:
        load_adapter(
            policy.weights, trained.path / "checkpoints" / f"checkpoint-{step}" / "adapter.safetensors"
        )
    nats = sum(log_prob(policy.weights, base, one.prompt, one.completion) for one in SAID)
    assert trained.curve[step]["loss"] == approx(-nats / sum(len(one.completion) for one in SAID), abs=1e-4)


def test_a_continuation_is_learned(tmp_path):
    base, one = tiny_model(), SAID[0]
    path = supervise(base, [one] * 4, tmp_path / "it", replace(QUICK, epochs=30, batch=4, save_every=99)).path
    learned = trainable(base, WHOLE, start=path)
    before, after = (
        log_prob(weights, base, one.prompt, one.completion) for weights in (base.weights, learned.weights)
    )
    assert before < -10 and after > -1


def test_the_same_call_again_returns_at_once_and_changes_nothing(trained):
    files = {path: path.stat().st_mtime_ns for path in trained.path.rglob("*") if path.name != ".lock"}
    assert supervise(tiny_model(), SAID, trained.path, QUICK) == trained
    assert {path: path.stat().st_mtime_ns for path in files} == files


@pytest.mark.parametrize(
    ("said", "settings", "words"),
    [(SAID, replace(QUICK, learning_rate=2e-2), "learning_rate was 0.01"), (SAID[:1], QUICK, "data was")],
)
def test_another_training_in_the_same_directory_is_refused(trained, said, settings, words):
    with pytest.raises(
        InputError, match=f"holds another training .{words}.*name another --output or remove it"
    ):
        supervise(tiny_model(), said, trained.path, settings)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "no demonstration was given"),
        ([Demonstration("Say: ", "")], "empty; leave that example out"),
        (
            [Demonstration("Say: ", "x" * 512)],
            "512 tokens and tiny-llama holds 512, its prompt included; shorten",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_sentence(tmp_path, said, words):
    with pytest.raises(InputError, match=words):
        supervise(tiny_model(), said, tmp_path / "it")


def test_a_prompt_too_long_loses_its_beginning():
    prompt, [completion] = tokens(tiny_model(), "a" * 600 + "b", "c" * 12)
    assert len(prompt) == 500 and prompt[-1] == ord("b") and len(completion) == 12


def test_the_adapter_loads_by_directory_on_the_base_and_says_what_was_learned(tmp_path):
    base_dir = save_tiny_chat(tmp_path / "base")
    base = LocalModel.load(str(base_dir), dtype="float32")
    path = supervise(base, SAID, tmp_path / "it", replace(QUICK, epochs=40, save_every=99)).path
    loaded = LocalModel.load(str(base_dir), adapter=path, dtype="float32")
    sample = loaded.generate([SAID[0].prompt], max_tokens=4, temperature=0.0)[0][0]
    assert sample.text == SAID[0].completion
