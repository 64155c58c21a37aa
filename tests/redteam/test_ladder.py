"""The ladder on a tiny model: equal budgets, what each rung learned from, resuming, and what it refuses."""

import json
from dataclasses import replace

import pytest

from gadfly.errors import InputError
from gadfly.models import System, model
from gadfly.redteam import (
    Attack,
    Campaign,
    Learning,
    demonstrations,
    focus,
    ladder,
    learn_by_attacking,
    student,
)
from gadfly.report import from_ladder, render
from gadfly.runs import Settings
from gadfly.training import Folder, Lora, Reinforcement, Supervision
from gadfly.transcripts import Case, Judgement, Transcript

BUDGET = 256
QUICK = Learning(
    Supervision(epochs=1, lora=Lora(rank=2)), Reinforcement(batch=16, group=16, lora=Lora(rank=2))
)

FOCUS = """
title: Says something even
failure: The first letter of the reply has an even code.
attack: {head: "Say:\\n", follow_up: Go on.}
must_contain: ""
judge: even
"""


class Even:
    name, threshold = "even", 0.5

    async def judge(self, transcripts):
        return [self.one(transcript) for transcript in transcripts]

    def one(self, transcript: Transcript) -> Judgement:
        said = transcript.said_by("target")
        if not said or not said[0].text:
            return Judgement.missing(transcript.case.id, self.name, "no_reply")
        return Judgement(transcript.case.id, self.name, 0.9 if ord(said[0].text[0]) % 2 == 0 else 0.1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where adapters and runs are kept."""
    made = tmp_path_factory.mktemp("ladder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GADFLY_ADAPTERS", str(made / "adapters"))
        yield made


@pytest.fixture(scope="module")
def tiny(tiny_model_dir, directory):
    """A campaign of a tiny random model against itself."""
    (directory / "even.yaml").write_text(FOCUS)
    target = System(model(f"gadfly/{tiny_model_dir}")).with_sampling(max_tokens=2)
    return Campaign(focus(directory / "even.yaml"), target, [Even()], cases=BUDGET)


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path / "runs", progress=False)


@pytest.fixture(scope="module")
def climbed(tiny, directory):
    return ladder(tiny, Settings(directory / "runs", progress=False), QUICK)


def played(run):
    return sum(1 for _ in run.transcripts())


def test_every_rung_spends_the_same_budget(climbed):
    assert [rung.method for rung in climbed.rungs] == ["zero_shot", "few_shot", "supervised", "rl"]
    assert [rung.learned + played(rung.run) for rung in climbed.rungs] == [BUDGET] * 4
    assert [rung.learned for rung in climbed.rungs] == [0, 64, 64, 192]


def test_the_report_has_a_row_for_each_rung_and_the_curves_of_the_trained(climbed):
    section = from_ladder(climbed).sections[0]
    assert [(step.method, step.row) for step in section.steps] == [
        ("zero_shot", 1), ("few_shot", 2), ("supervised", 3), ("rl", 4),
    ]  # fmt: skip
    assert {step.compared for step in section.steps} == {64}
    assert section.steps[0].gain is None and section.steps[3].gain.n > 0
    titles = [chart.title for chart in section.charts]
    assert "Training of rl: Reward" in titles and "Training of supervised: Loss" in titles
    assert "The ladder of attackers" in render(from_ladder(climbed))


def test_climbing_again_plays_and_trains_nothing(climbed, tiny, directory):
    trained = list((directory / "adapters").rglob("training.json"))
    before = [path.stat().st_mtime_ns for path in trained]
    again = ladder(tiny, Settings(directory / "runs", progress=False), QUICK)
    assert [run.id for run in again.runs] == [run.id for run in climbed.runs]
    assert [path.stat().st_mtime_ns for path in trained] == before and len(trained) == 2


def test_the_report_says_that_an_attackers_training_collapsed(climbed):
    folder = Folder(climbed.rungs[3].trained.path)
    ended = folder.info["ended"]
    folder.note(ended="collapsed at step 3: it says one thing")
    said = from_ladder(climbed).sections[0].findings
    folder.note(ended=ended)
    assert [one for one in said if one.endswith("collapsed at step 3: it says one thing.")]


def test_an_adapter_attacks_as_it_was_trained(climbed):
    attack = Attack.by(System(model(climbed.rungs[3].run.info["players"]["attacker"]["model"])))
    assert attack.method == "rl" and not attack.instructed
    assert "-rl-" in climbed.rungs[3].run.id


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cases": 100}, "budget of 256 cases or more"),
        ({"focus": focus("group_bias")}, "group_bias asks its templates word for word"),
        ({"attacks": (Attack(), Attack("few_shot"))}, "climbs with one attacker"),
        ({"target": System(model("scripted/x"))}, "only a local model's weights are here"),
    ],
)
def test_what_cannot_be_climbed_is_said_before_anything_is_played(tiny, settings, changes, words):
    with pytest.raises(InputError, match=words):
        ladder(replace(tiny, **changes), settings, QUICK)
    assert not settings.directory.exists()


def test_a_target_that_never_fails_leaves_nothing_to_learn_from(tiny, settings):
    class Never(Even):
        def one(self, transcript):
            return Judgement(transcript.case.id, self.name, 0.0)

    with pytest.raises(InputError, match=r"No question in .* made its target fail"):
        ladder(replace(tiny, judges=[Never()]), settings, QUICK)


def test_each_failing_question_is_shown_once_behind_the_text_it_continues(climbed):
    zero_shot = climbed.runs[0]
    found = list(demonstrations([zero_shot], first=64))
    assert found and len({one.completion for one in found}) == len(found)
    assert {one.prompt for one in found} == {"Say:\n1."}
    assert len(found) < len(list(demonstrations([zero_shot])))


def test_an_instructed_attacker_is_told_what_is_wanted(climbed):
    told = next(demonstrations(climbed.runs[:1], instructed=True))
    assert told.prompt == "Wanted: The first letter of the reply has an even code.\n\nSay:\n1."


def test_one_attacker_learns_from_several_focuses_in_turn(tiny, tmp_path):
    (tmp_path / "odd.yaml").write_text(FOCUS.replace("Say:", "Shout:"))
    both = [tiny, replace(tiny, focus=focus(tmp_path / "odd.yaml"))]
    learner = student(tiny.target, instructed=True)
    trained = learn_by_attacking(learner, both, tmp_path / "rl", replace(QUICK.rl, steps=2))
    spec = json.loads((trained.path / "training.json").read_text())["spec"]
    assert [campaign["focus"]["name"] for campaign in spec["campaigns"]] == ["even", "odd"]
    assert spec["instructed"] and Attack.by(System(model(f"{tiny.target.name}+{trained.path}"))).instructed


def test_a_case_without_a_focus_is_missing_and_takes_nobody_with_it():
    import asyncio

    from gadfly.redteam._tuning import Deciding

    lost = Transcript(Case("a", 0, 0), (), "failed", "timeout")
    assert asyncio.run(Deciding({"even": Even()}).judge([lost]))[0].score is None
