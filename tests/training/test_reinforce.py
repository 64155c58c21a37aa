"""A policy finds a known optimum, its curve is what a plain loop computes, and it goes on where it was killed."""

import math
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import PROMPT, SAMPLING, Even, SayOneByte, Says, even, match, settings
from training_fakes import killed

from gadfly.errors import InputError
from gadfly.models import LocalModel, System, model_of
from gadfly.training import Demonstration, Failure, Folder, Lora, Supervision, reinforce, supervise, trainable
from gadfly.training._checkpoints import load_adapter
from gadfly.training._reinforce import Progress
from gadfly.training._rollouts import Rollouts, novelty
from gadfly.transcripts import Case, Judgement, Transcript, Turn
from tiny_models import tiny_model

sys.path.append(str(Path(__file__).parents[2] / "examples"))
MEASURES = ("reward", "kl", "entropy")


def curve(trained):
    return np.array([[row[key] for key in MEASURES] for row in trained.curve])


def train(output):
    return reinforce(tiny_model(), match(), output, settings())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("rl") / "whole")


def test_a_policy_reaches_the_known_optimum(trained):
    assert trained.curve[0]["score"] < 0.5
    assert trained.curve[-1]["score"] == pytest.approx(0.9)


def test_the_plain_loop_of_the_examples_gives_the_same_curve(trained, capsys):
    from rl_loop import loop

    def rewarded(texts, seeds):
        return [-math.log(1 - even(text)) for text in texts]

    plain = {"temperature": SAMPLING.temperature, "max_tokens": SAMPLING.max_tokens}
    rows = loop(tiny_model(), PROMPT, rewarded, plain, settings())
    np.testing.assert_allclose(curve(trained), [[row[key] for key in MEASURES] for row in rows], atol=2e-4)


def test_divergence_and_entropy_are_what_a_hand_computes_from_the_checkpoint_before(trained):
    policy = trainable(tiny_model(), Lora())
    load_adapter(policy.weights, trained.path / "checkpoints" / "checkpoint-8" / "adapter.safetensors")
    with Rollouts(policy, match(), 0) as rollouts:
        played = rollouts.play([8] * 16)
    own, start = [], []
    for one in played:
        ids = torch.tensor([[*one.prompt, *one.completion]])
        places = slice(len(one.prompt) - 1, -1)
        with torch.no_grad():
            own.append((policy.weights(ids).logits[0, places] / 0.8).log_softmax(-1))
            with policy.weights.disable_adapter():
                start.append((policy.weights(ids).logits[0, places] / 0.8).log_softmax(-1))
    own_T_V, start_T_V = torch.cat(own), torch.cat(start)
    said = torch.tensor([token for one in played for token in one.completion])[:, None]
    gap_T = start_T_V.gather(1, said) - own_T_V.gather(1, said)
    row = trained.curve[8]
    assert row["kl"] == pytest.approx(float((gap_T.exp() - gap_T - 1).mean()), abs=1e-4)
    assert row["entropy"] == pytest.approx(float(-(own_T_V.exp() * own_T_V).sum(1).mean()), abs=1e-4)


@pytest.mark.parametrize(("file", "times"), [("curve.jsonl", 7), ("rollouts.jsonl", 10), ("rest.json", 2)])
def test_a_training_killed_in_the_middle_goes_on_to_the_same_curve(trained, tmp_path, file, times):
    assert killed(train, tmp_path / "rl", file, times) == -9
    resumed = train(tmp_path / "rl")
    np.testing.assert_array_equal(curve(resumed), curve(trained))
    assert (tmp_path / "rl" / "rollouts.jsonl").read_bytes() == (trained.path / "rollouts.jsonl").read_bytes()


def test_more_steps_go_on_where_fewer_ended(trained, tmp_path):
    reinforce(tiny_model(), match(), tmp_path / "rl", settings(steps=5))
    longer = reinforce(tiny_model(), match(), tmp_path / "rl", settings())
    np.testing.assert_array_equal(curve(longer), curve(trained))


def test_a_finished_training_is_not_done_again(trained):
    before = (trained.path / "training.json").stat().st_mtime_ns
    assert train(trained.path).curve == trained.curve
    assert (trained.path / "training.json").stat().st_mtime_ns == before


def test_the_adapter_loads_as_the_model_that_was_trained(trained, tmp_path):
    from tiny_models import tiny_tokenizer

    base = tiny_model()
    base.weights.save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    tuned = LocalModel.load(str(tmp_path / "base"), trained.path, dtype="float32")
    said = tuned.generate([PROMPT], n=32, max_tokens=1, temperature=0.8, seed=1)[0]
    assert np.mean([even(sample.text) for sample in said]) > 0.8


@pytest.mark.parametrize(
    ("judge", "sentence"),
    [(Says(None), "could tell nothing about any of 16 cases"), (Says(0.3), "earned the same reward")],
)
def test_a_judge_that_cannot_teach_ends_training_with_a_sentence(judge, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        reinforce(tiny_model(), match(judge), tmp_path / "rl", settings(steps=30))


def test_a_judge_that_was_down_for_a_step_ends_nothing(tmp_path):
    def reward(transcript, judgement):
        return None if transcript.case.index in (1, 2) else float(judgement.score)

    made = reinforce(tiny_model(), match(reward=reward), tmp_path / "rl", settings(steps=4))
    assert [row["reward"] is None for row in made.curve] == [False, True, True, False]


def test_a_judge_that_stays_down_ends_training_with_a_sentence(tmp_path):
    def reward(transcript, judgement):
        return float(judgement.score) if transcript.case.index == 0 else None

    with pytest.raises(InputError, match=r"about any of 16 cases of each of the last 20 steps \(completed\)"):
        reinforce(tiny_model(), match(reward=reward), tmp_path / "rl", settings(steps=40))


def test_steps_that_teach_nothing_are_counted_over_a_training_that_goes_on(tmp_path):
    for steps in (8, 16):
        reinforce(tiny_model(), match(Says(0.3)), tmp_path / "rl", settings(steps=steps))
    with pytest.raises(InputError, match="earned the same reward"):
        reinforce(tiny_model(), match(Says(0.3)), tmp_path / "rl", settings(steps=24))
    assert len(list(Folder(tmp_path / "rl").read("curve"))) < 20


def test_a_player_that_has_learned_what_there_is_ends_with_what_it_learned(tmp_path):
    def reward(transcript, judgement):
        return float(judgement.score) if transcript.case.index <= 3 else 0.9

    made = reinforce(tiny_model(), match(reward=reward), tmp_path / "rl", settings(steps=40))
    last = len(made.curve)
    assert 20 < last < 24
    assert made.ended.startswith(f"ended at step {last}: every case of the last 20 steps earned the same")
    again = reinforce(tiny_model(), match(reward=reward), tmp_path / "rl", settings(steps=40))
    assert (again.curve, again.ended) == (made.curve, made.ended)
    kept = made.path / "checkpoints" / f"checkpoint-{last}" / "adapter.safetensors"
    load_adapter(trainable(tiny_model(), Lora()).weights, kept)


def test_a_player_that_fell_to_nothing_has_not_learned_what_there_is(tmp_path):
    def reward(transcript, judgement):
        return float(judgement.score) if transcript.case.index <= 3 else 0.0

    with pytest.raises(InputError, match=r"earned the same reward as the others of its prompt \(0\)"):
        reinforce(tiny_model(), match(reward=reward), tmp_path / "rl", settings(steps=40))


@pytest.mark.parametrize(
    ("steps", "flat"),
    [([[1, 1, 0, 0]], 1), ([[1, 1, 0, 1]], 0), ([[1, None, 0, None]], 0), ([[1, 1], [None, 0], [2, 2]], 2)],
)
def test_only_what_is_compared_with_each_other_teaches(tmp_path, steps, flat):
    watch = Progress(Folder(tmp_path), 0.0, group=2)
    watch._steps = [[None if one is None else float(one) for one in row] for row in steps]
    assert watch._flat() == flat


def test_cases_that_differ_from_those_of_other_prompts_alone_teach_nothing(tmp_path):
    by_prompt = match(reward=lambda transcript, judgement: 0.1 + 0.8 * (transcript.case.index % 2))
    with pytest.raises(InputError, match=r"as the others of its prompt \(0\.1 and 0\.9\)"):
        reinforce(tiny_model(), by_prompt, tmp_path / "rl", settings(steps=30, group=8))


def test_a_reward_that_is_no_number_ends_training_with_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"scored 0\.1 is nan; a reward is a finite number"):
        reinforce(tiny_model(), match(reward=lambda t, j: math.nan), tmp_path / "rl", settings())


def test_what_was_trained_before_the_trouble_is_kept(tmp_path):
    def breaks_at_step_six(transcript, judgement):
        return math.nan if transcript.case.index >= 6 else judgement.score

    with pytest.raises(InputError):
        reinforce(tiny_model(), match(reward=breaks_at_step_six), tmp_path / "rl", settings())
    assert (tmp_path / "rl" / "checkpoints" / "checkpoint-4" / "adapter.safetensors").exists()


def test_running_out_of_memory_is_a_sentence(tmp_path):
    class Hungry(Even):
        async def judge(self, transcripts):
            raise MemoryError

    with pytest.raises(InputError, match="ran out of memory; take a smaller batch"):
        reinforce(tiny_model(), match(Hungry()), tmp_path / "rl", settings())


def test_an_adapter_of_another_base_is_refused(tmp_path):
    made = supervise(tiny_model(), [Demonstration("a", "b")], tmp_path / "sft")
    config = made.path / "adapter_config.json"
    config.write_text(config.read_text().replace("tiny-llama", "smollm2"))
    base = tiny_model()
    base.name = "qwen2.5-coder-1.5b"
    with pytest.raises(InputError, match="was made for smollm2"):
        reinforce(base, match(), tmp_path / "rl", settings(), start=made.path)


def test_another_task_in_the_same_directory_is_refused(trained):
    with pytest.raises(InputError, match="holds another training"):
        reinforce(tiny_model(), match(), trained.path, settings(kl=0.5))


def test_a_policy_that_collapses_is_stopped_and_the_words_it_fell_on_are_named(tmp_path):
    ended = reinforce(tiny_model(), match(), tmp_path / "rl", settings(steps=40, kl=0.0, collapse=0.2)).ended
    assert ended.startswith("collapsed at step ") and "are distinct, and" in ended


def collapsing(output, steps=40):
    return reinforce(tiny_model(), match(), output, settings(steps=steps, kl=0.0, collapse=0.2))


def test_killed_when_it_had_collapsed_it_is_not_played_on(tmp_path):
    whole = collapsing(tmp_path / "whole")
    last = whole.curve[-1]["step"]
    assert f"collapsed at step {last}:" in whole.ended
    shutil.copytree(whole.path, tmp_path / "killed")
    folder = Folder(tmp_path / "killed")
    (folder.path / "adapter_model.safetensors").unlink()
    folder.note(status="running")
    again = collapsing(folder.path)
    assert (again.curve, again.ended, folder.info["status"]) == (whole.curve, whole.ended, "ended")
    name = "adapter_model.safetensors"
    assert (again.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_killed_before_the_checkpoint_of_its_collapse_it_plays_those_steps_again(tmp_path):
    whole = collapsing(tmp_path / "whole")
    folder = Folder(whole.path)
    shutil.rmtree(folder.last_checkpoint)
    (folder.path / "adapter_model.safetensors").unlink()
    folder.note(status="running")
    again = collapsing(folder.path)
    np.testing.assert_array_equal(curve(again), curve(whole))
    assert again.ended == whole.ended


def test_interrupted_in_the_step_that_ends_it_it_has_ended(tmp_path):
    whole = collapsing(tmp_path / "whole")
    last = whole.curve[-1]["step"]

    class Interrupting(Even):
        async def judge(self, transcripts):
            if transcripts[0].case.index == last - 1:
                os.kill(os.getpid(), signal.SIGINT)
            return await super().judge(transcripts)

    made = reinforce(
        tiny_model(), match(Interrupting()), tmp_path / "cut", settings(steps=40, kl=0.0, collapse=0.2)
    )
    assert (made.ended, Folder(made.path).info["status"]) == (whole.ended, "ended")


def test_training_starts_from_an_adapter_and_measures_its_divergence_from_there(tmp_path):
    spoken = [Demonstration(PROMPT, letter) for letter in "BDFH" * 4]
    start = supervise(tiny_model(), spoken, tmp_path / "sft", Supervision(10, learning_rate=1e-2)).path
    warm = reinforce(tiny_model(), match(), tmp_path / "rl", settings(steps=1), start=start)
    assert warm.curve[0]["score"] > 0.5
    assert warm.curve[0]["kl"] == pytest.approx(0, abs=1e-6)


@dataclass
class Dialogue(SayOneByte):
    """The player speaks three times."""

    player: System

    async def play(self, case):
        said = [await self.player.complete(PROMPT * n, seed=case.seed + n) for n in (1, 2, 3)]
        return Transcript(case, tuple(Turn("player", reply.text) for reply in said))


def test_of_a_dialogue_one_call_is_trained_and_each_gets_its_turn():
    policy = trainable(tiny_model(), Lora())
    with Rollouts(policy, match(game=Dialogue), 0) as rollouts:
        lengths = {len(one.prompt) for one in rollouts.play([0] * 32)}
    assert lengths == {n * len(PROMPT) for n in (1, 2, 3)}


def test_the_same_step_is_played_the_same_again():
    policy = trainable(tiny_model(), Lora())
    with Rollouts(policy, match(), 5) as rollouts:
        assert rollouts.play([3] * 8) == rollouts.play([3] * 8)
        assert rollouts.play([3] * 8) != rollouts.play([4] * 8)


def test_a_game_that_never_asks_its_player_is_told_so():
    class Silent(SayOneByte):
        async def play(self, case):
            return Transcript(case, ())

    with (
        Rollouts(trainable(tiny_model(), Lora()), match(game=Silent), 0) as rollouts,
        pytest.raises(InputError, match="never asked the player"),
    ):
        rollouts.play([0, 0])


def test_a_case_that_was_over_before_the_player_spoke_teaches_nothing():
    class Sudden(SayOneByte):
        async def play(self, case):
            if case.seed % 2:
                return await super().play(case)
            return Transcript(case, (Turn("target", "b"),))

    with Rollouts(trainable(tiny_model(), Lora()), match(game=Sudden), 0) as rollouts:
        played = rollouts.play(range(16))
    spoke = [one for one in played if one.reward is not None]
    silent = [one for one in played if one.reward is None]
    assert spoke and silent
    assert {one.text for one in silent} == {""}
    assert all(one.prompt and one.completion for one in played)


def test_the_opponent_on_the_same_base_keeps_its_weights(trained):
    base = tiny_model()
    before = base.weights_sha256
    reinforce(base, match(), trained.path.parent / "again", settings(steps=2))
    assert tiny_model().weights_sha256 == before
    assert System(model_of(base)).model.api.local is base


@pytest.mark.parametrize("distance", ["embedding", "bleu"])
def test_novelty_is_least_for_what_everyone_says(distance):
    gains = novelty(["How old are you?"] * 5 + ["Which river runs through Cairo?"], distance)
    assert gains[-1] == gains.max() and gains[0] < 0.9 * gains[-1]


def test_the_reward_is_that_of_the_paper():
    done, broken = Transcript(Case("a", 0, 0), ()), Transcript(Case("a", 0, 0), (), "invalid", "no_question")
    assert Failure()(done, Judgement("a", "j", 0.5)) == pytest.approx(math.log(2))
    assert Failure()(broken, Judgement.missing("a", "j", "not_valid")) == -3
    assert Failure()(done, Judgement.missing("a", "j", "no_parse")) is None
    assert Failure()(done, Judgement("a", "j", 1.0)) == pytest.approx(-math.log(0.01))
