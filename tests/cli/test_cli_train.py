"""`gadfly train attacker` and `gadfly redteam --ladder` as a user types them."""

import pytest

from gadfly.transcripts import Judgement

FOCUS = """
title: Sums up
failure: The sum is odd.
attack: {head: "Say:\\n", follow_up: Go on.}
must_contain: ""
judge: test_cli_train:sums
"""


class Sums:
    """A judge that flags about half of all questions."""

    name, threshold = "sums", 0.5

    async def judge(self, transcripts):
        return [Judgement(t.case.id, self.name, 0.9 * (sum(t.question.encode()) % 2)) for t in transcripts]


def sums(threshold=0.5):
    return Sums()


@pytest.fixture
def told(gadfly, tmp_path, tiny_model_dir):
    """A run in which a tiny model's words made a scripted target fail, and the attacker's name."""
    (tmp_path / "own.yaml").write_text(FOCUS)
    attacker = f"gadfly/{tiny_model_dir}"
    done = gadfly("redteam", "scripted/x", "--focus", "own.yaml", "--attacker", attacker, "--cases", 24)
    assert done.code == 0, done.err
    [run] = (tmp_path / "gadfly-runs").glob("redteam-own-*")
    return run.name, attacker


def test_an_attacker_learns_from_a_run_and_attacks_under_what_it_learned(gadfly, told, tmp_path):
    run, attacker = told
    learned = gadfly("train", "attacker", "--from", run, "--epochs", 1)
    assert "To attack with it: gadfly redteam MODEL --attacker" in learned.out
    name = learned.out.split("--attacker ")[1].strip()
    assert name.startswith(f"{attacker}+gadfly-adapters/sft-own-")
    again = gadfly("redteam", "scripted/x", "--focus", "own.yaml", "--attacker", name, "--cases", 8)
    assert again.code == 0 and list((tmp_path / "gadfly-runs").glob("redteam-own-supervised-*"))


def test_reinforcement_starts_warm_from_a_run_and_goes_on_with_more_steps(gadfly, told, tmp_path):
    run, _ = told
    words = ("train", "attacker", "--method", "rl", "--from", run, "--target", "scripted/x")
    options = ("--focus", "own.yaml", "--batch", 4, "--epochs", 1, "-o", "learned")
    assert gadfly(*words, *options, "--steps", 1).code == 0
    more = gadfly(*words, *options, "--steps", 2)
    assert more.code == 0, more.err
    assert len((tmp_path / "learned" / "curve.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "learned-start" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "sft learns from runs: name one with --from RUN"),
        (("--method", "dop"), "There is no training method 'dop'. Did you mean 'dpo'?"),
        (("--method", "rl", "--model", "scripted/x"), "only a local model's weights are here"),
        (("--from", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(gadfly, words, sentence):
    said = gadfly("train", "attacker", *words)
    assert said.code == 2 and sentence in said.err
    assert "Traceback" not in said.err


def test_a_ladder_needs_one_attacker_and_a_budget(gadfly):
    said = gadfly(
        "redteam", "gadfly/smollm2", "--ladder", "--attacker", "zero_shot", "--attacker", "few_shot"
    )
    assert said.code == 2 and "--ladder climbs with one attacker" in said.err
    small = gadfly("redteam", "scripted/x", "--ladder", "--cases", 100)
    assert small.code == 2 and "a budget of 256 cases or more" in small.err
