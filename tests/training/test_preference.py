"""Preferences: the loss by hand, what it learns, and going on after a kill."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pytest import approx
from safetensors.torch import load_file
from training_fakes import WHOLE, foreign_adapter, killed, log_prob

from gadfly.errors import InputError
from gadfly.training import trainable
from gadfly.training._checkpoints import load_adapter
from gadfly.training._preference import Preference, Preferring, confidence, losses, prefer
from tiny_models import tiny_model

PAIRS = [
    Preference("Say: ", "yes\n", "no\n", 0.9),
    Preference("Say it again, Sam: ", "play\n", "stop the music\n", 0.2),
    Preference("Or: ", "left\n", "right\n", 0.5),
]
QUICK = Preferring(epochs=2, batch=3, learning_rate=1e-2, beta=0.5, alpha=0.0, lora=WHOLE, save_every=1)
LONG = replace(QUICK, epochs=8, batch=2, save_every=3)


def by_hand(better: float, worse: float, start: float, p: float, how: Preferring) -> float:
    """Arnesen et al. 2024, for one pair."""
    sigma = 1 / (1 + math.exp(-how.beta * (better - worse - start)))
    return -how.alpha * better - (1 - how.alpha) * (p * math.log(sigma) + (1 - p) * math.log(1 - sigma))


def long_training(output: Path) -> list[dict[str, float]]:
    return prefer(tiny_model(), PAIRS, output, LONG).curve


@pytest.mark.parametrize("p", [0.5, 0.7, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_is_the_papers(p, alpha):
    how = Preferring(alpha=alpha, beta=0.4)
    given = ([-3.0, -8.0], [-5.0, -2.0], [1.5, -0.5], [p, p])
    expected = [by_hand(*one, how) for one in zip(*given, strict=True)]
    assert losses(*map(torch.tensor, given), how).tolist() == approx(expected)


def test_the_loss_in_the_curve_is_the_one_worked_out_by_hand_on_the_adapter_of_that_step(tmp_path):
    how, base = replace(QUICK, alpha=0.2), tiny_model()
    done = prefer(base, PAIRS, tmp_path / "it", how)
    policy = trainable(tiny_model(), WHOLE)
    load_adapter(policy.weights, done.path / "checkpoints" / "checkpoint-1" / "adapter.safetensors")
    expected = []
    for pair in PAIRS:
        better, worse, p = pair.first, pair.second, pair.p
        if p < 0.5:
            better, worse, p = worse, better, 1 - p
        now = [log_prob(policy.weights, base, pair.prompt, text) for text in (better, worse)]
        then = [log_prob(base.weights, base, pair.prompt, text) for text in (better, worse)]
        expected.append(by_hand(*now, then[0] - then[1], p, how))
    assert done.curve[1]["loss"] == approx(sum(expected) / 3, abs=1e-4)


def test_certain_preferences_alone_give_the_losses_of_trls_own_trainer(tmp_path):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    pairs = [Preference("Say: ", "yes<eos>", "no<eos>"), Preference("Or: ", "left<eos>", "right<eos>")]
    how = replace(QUICK, epochs=3, batch=2)
    ours = [row["loss"] for row in prefer(tiny_model(), pairs, tmp_path / "ours", how).curve]
    policy = trainable(tiny_model(), WHOLE)
    config = DPOConfig(
        output_dir=str(tmp_path / "trl"), beta=how.beta, learning_rate=how.learning_rate, max_steps=3, seed=0,
        per_device_train_batch_size=2, lr_scheduler_type="constant", logging_steps=1, save_strategy="no",
        gradient_checkpointing=False, bf16=False, use_cpu=True, report_to=[], disable_tqdm=True,
    )  # fmt: skip
    rows = [{"prompt": one.prompt, "chosen": one.first, "rejected": one.second} for one in pairs]
    trainer = DPOTrainer(
        policy.weights, args=config, train_dataset=Dataset.from_list(rows), processing_class=policy.tokenizer
    )
    trainer.train()
    theirs = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert ours == approx(theirs, abs=1e-4)
    assert ours[2] < ours[0] == approx(math.log(2))


def test_a_tie_pulls_both_equally_and_back_to_where_they_were():
    texts = torch.tensor([[-4.0, -9.0], [-6.0, -3.0]], requires_grad=True)
    losses(
        texts[0], texts[1], torch.tensor([2.0, -1.0]), torch.tensor([0.5, 0.5]), Preferring(alpha=0.0)
    ).sum().backward()
    at_the_start, moved = texts.grad.T.tolist()
    assert at_the_start == approx([0, 0])
    assert moved[0] == approx(-moved[1])
    assert moved[0] < 0  # it fell by five against the other, so descent raises it


def test_which_text_is_called_first_makes_no_difference(tmp_path):
    swapped = [Preference(one.prompt, one.second, one.first, 1 - one.p) for one in PAIRS[:2]]
    curves = [
        prefer(tiny_model(), pairs, tmp_path / str(n), QUICK).curve
        for n, pairs in enumerate([PAIRS[:2], swapped])
    ]
    assert [row["loss"] for row in curves[0]] == approx([row["loss"] for row in curves[1]])


def test_a_preferred_text_becomes_likelier_and_the_other_less_so(tmp_path):
    base, [pair] = tiny_model(), [Preference("Say: ", "yes\n", "no\n")]
    done = prefer(base, [pair] * 4, tmp_path / "it", replace(QUICK, epochs=12, batch=4))
    policy = trainable(base, WHOLE, start=done.path)
    before, after = (
        [log_prob(weights, base, pair.prompt, text) for text in (pair.first, pair.second)]
        for weights in (base.weights, policy.weights)
    )
    assert after[0] > before[0] and after[1] < before[1] - 1
    assert done.curve[-1]["accuracy"] == 1
    margin = QUICK.beta * (after[0] - before[0] - after[1] + before[1])
    assert done.curve[-1]["margin"] == approx(margin, rel=0.2)


def test_a_soft_label_is_reached_and_not_passed(tmp_path):
    """With two texts the optimum is known: beta times the log-ratio's growth is log(p / (1 − p))."""
    how = replace(QUICK, epochs=60, batch=4, save_every=99)
    done = prefer(tiny_model(), [Preference("Say: ", "yes\n", "no\n", 0.7)] * 4, tmp_path / "it", how)
    assert done.curve[-1]["margin"] == approx(math.log(0.7 / 0.3), abs=0.05)
    assert done.curve[-1]["loss"] == approx(-0.7 * math.log(0.7) - 0.3 * math.log(0.3), abs=0.005)


def test_log_ratios_are_taken_to_the_adapter_it_starts_from(tmp_path):
    base = tiny_model()
    first = prefer(base, PAIRS, tmp_path / "first", QUICK)
    assert any(
        "lora_B" in key and value.any()
        for key, value in load_file(first.path / "adapter_model.safetensors").items()
    )
    second = prefer(base, PAIRS, tmp_path / "second", QUICK, start=first.path)
    assert second.curve[0]["margin"] == approx(0, abs=1e-5)
    assert second.curve[1]["margin"] != approx(0, abs=1e-3)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return long_training(tmp_path_factory.mktemp("whole") / "it")


@pytest.mark.parametrize(
    ("file", "times"), [("curve.jsonl", 8), ("rest.json", 3), ("adapter_config.json", 1)]
)
def test_killed_while_it_writes_it_goes_on_to_the_uninterrupted_curve(tmp_path, uninterrupted, file, times):
    """Between two checkpoints, with a checkpoint half written, and with every step done but the adapter half saved."""
    output = tmp_path / "it"
    assert killed(long_training, output, file, times) == -9
    assert len(list(output.glob("checkpoints/*.part"))) == (file == "rest.json")
    assert long_training(output) == uninterrupted
    assert [row["step"] for row in uninterrupted] == list(range(1, 17))


def test_the_same_call_again_returns_at_once(tmp_path):
    done = prefer(tiny_model(), PAIRS, tmp_path / "it", QUICK)
    stamp = (done.path / "adapter_model.safetensors").stat().st_mtime_ns
    assert prefer(tiny_model(), PAIRS, tmp_path / "it", QUICK) == done
    assert (done.path / "adapter_model.safetensors").stat().st_mtime_ns == stamp


def test_a_judges_scores_become_a_probability():
    assert confidence(0.4, 0.4) == 0.5
    assert confidence(0.8, 0.3) == approx(math.exp(5.6) / (math.exp(5.6) + math.exp(2.1)))
    assert confidence(0.3, 0.8) == approx(1 - confidence(0.8, 0.3))
    assert confidence(0.8, 0.3, gamma=0) == 0.5
    assert confidence(0.0, 1.0, gamma=1e4) == 0


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_probability_outside_0_to_1_is_refused(p):
    with pytest.raises(InputError, match=r"lies in \[0, 1\]; got"):
        Preference("a", "b", "c", p)


@pytest.mark.parametrize("texts", [("", "b", "c"), ("a", "", "c"), ("a", "b", "")])
def test_an_empty_text_is_refused(texts):
    with pytest.raises(InputError, match="one of them is empty"):
        Preference(*texts)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"epochs": 0}, "at least 1"),
        ({"beta": 0.0}, "above 0"),
        ({"learning_rate": math.nan}, "above 0"),
        ({"alpha": 2.0}, "alpha lies"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed, words):
    with pytest.raises(InputError, match=words):
        Preferring(**changed)


def test_no_pair_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match="no pair was given"):
        prefer(tiny_model(), [], tmp_path / "it")


def test_a_text_longer_than_the_model_holds_is_refused(tmp_path):
    with pytest.raises(InputError, match="600 tokens and tiny-llama holds 512"):
        prefer(tiny_model(), [Preference("a", "b" * 600, "c")], tmp_path / "it")


def test_an_adapter_of_another_base_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not fit tiny-llama: it was made for narrow"):
        prefer(tiny_model(), PAIRS, tmp_path / "it", start=foreign_adapter(tmp_path / "narrow"))
