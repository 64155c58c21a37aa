"""Debate as the Inspect task `gadfly/debate`, found through the entry point, and debates in exported logs."""

import json

import inspect_ai
import pytest
from debate_samples import Honest, played, questions
from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.registry import registry_create
from inspect_ai.log import read_eval_log
from inspect_ai.scorer import SampleScore, Score

from gadfly._registry import debate
from gadfly.debate import DebateJudge
from gadfly.models import scripted
from gadfly.runs import export
from gadfly.runs._inspect import correctness, failure_rate


@pytest.fixture
def some(tmp_path):
    """A set of two questions."""
    path = tmp_path / "set.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in questions(2)))
    return path


def evaluated(tmp_path, some, says="The page says so.", **arguments):
    """The log of a judge that never names an answer."""
    asked = {"set": str(some), "judge": "scripted/judge", **arguments}
    [log] = inspect_ai.eval(
        "gadfly/debate", model=scripted(says), task_args=asked, log_dir=str(tmp_path / "logs"), display="none"
    )
    assert log.status == "success", log.error
    return read_eval_log(log.location)


def test_inspect_finds_the_task_and_its_model_argues_in_every_seat(tmp_path, some):
    log = evaluated(tmp_path, some)
    assert len(log.samples) == 4
    said = [message.text for message in log.samples[0].messages]
    assert said[0].startswith("Question: When was the mill")
    assert said[1:3] == ["Debater for A:\n| The page says so.", "Debater for B:\n| The page says so."]


def test_why_a_verdict_is_what_it_is_stands_beside_it(tmp_path, some):
    silent = evaluated(tmp_path, some, "", protocol="debate").samples[0].scores["verdict"]
    assert silent.explanation.count("loses by rule: ") == 2
    lead = evaluated(tmp_path, some, "Neither.", protocol="open_debate").samples[0].scores["verdict"]
    assert lead.explanation.startswith("lead loses by rule: ") and lead.explanation.count("loses") == 1


def test_questions_are_the_clusters_of_its_standard_error(tmp_path, some):
    """A judge that always names the answer listed first is right once of each question's two orders."""
    arguments = {"set": str(some), "protocol": "naive", "orders": 1}
    [log] = inspect_ai.eval(
        "gadfly/debate",
        model=scripted("A"),
        task_args=arguments,
        log_dir=str(tmp_path / "logs"),
        display="none",
    )
    metrics = metrics_of(log)
    assert metrics["accuracy"].value == 0.5 and metrics["stderr"].value == metrics["by_rule"].value == 0


def test_a_judge_that_names_no_answer_leaves_the_sample_unscored(tmp_path, some):
    [score] = evaluated(tmp_path, some, protocol="naive").samples[0].scores.values()
    assert score.value != score.value


def test_a_score_is_whether_the_verdict_is_right(tmp_path, some):
    """Who says nothing loses by rule, and each answer is argued for once."""
    samples = evaluated(tmp_path, some, "", protocol="consultancy").samples
    scores = [score.value for sample in samples for score in sample.scores.values()]
    assert sorted(scores) == [0.0, 0.0, 1.0, 1.0]


def test_a_sample_shows_the_question_the_right_letter_and_the_verdict(tmp_path, some):
    log = evaluated(tmp_path, some, "", protocol="consultancy")
    for sample in log.samples:
        [score] = sample.scores.values()
        assert sample.input.startswith("When was the mill") and "\nA. In 1" in sample.input
        assert sample.target in ("A", "B") and score.answer in ("A", "B")
        assert score.value == float(score.answer == sample.target)
        assert score.metadata["p"] == float(score.answer == "A")
    metrics = metrics_of(log)
    assert {one.name for one in log.results.scores} == {"verdict"} and metrics["accuracy"].value == 0.5
    assert metrics["stderr"].value == 0  # each question is right once and wrong once
    assert metrics["by_rule"].value == 1


def metrics_of(log):
    """Those over samples and those over all epochs."""
    return {name: metric for one in log.results.scores for name, metric in one.metrics.items()}


def test_verdicts_are_counted_before_epochs_are_put_together_and_a_tie_is_half():
    shown = [correctness(Score(value=wrong)).value for wrong in (0.0, 0.6, 0.6, 0.5, 0.5 - 1e-12, 1.0)]
    assert shown == [1, 0, 0, 0.5, 0.5, 0]
    unscored = Score.unscored(reason="no_parse")
    assert correctness(unscored) is unscored


def test_another_epoch_is_another_debate(tmp_path, some):
    [log] = inspect_ai.eval(
        "gadfly/debate",
        model=scripted(lambda messages, seed: f"Because of {seed}."),
        task_args={"set": str(some), "judge": "scripted/judge"},
        epochs=2,
        log_dir=str(tmp_path / "logs"),
        display="none",
    )
    said = {
        epoch: [one.messages[1].text for one in read_eval_log(log.location).samples if one.epoch == epoch]
        for epoch in (1, 2)
    }
    assert len(said[1]) == len(said[2]) == 4 and not set(said[1]) & set(said[2])


def test_the_models_role_says_who_judges_and_a_log_can_be_judged_again(tmp_path):
    [log] = inspect_ai.eval(
        "gadfly/debate",
        model=scripted("The page says so."),
        model_roles={"judge": scripted("A")},
        task_args={"orders": 1, "words": 40},
        log_dir=str(tmp_path / "logs"),
        display="none",
    )
    assert log.status == "success" and len(log.samples) == 24
    assert {score.answer for sample in log.samples for score in sample.scores.values()} == {"A"}
    other = registry_create("scorer", "gadfly/verdict", judge="scripted/judge")
    again = inspect_ai.score(read_eval_log(log.location), other, action="overwrite")
    assert {sample.scores["verdict"].answer for sample in again.samples} == {None}  # it names none


def test_what_is_wrong_with_a_set_or_a_protocol_is_said_without_a_traceback(some):
    with pytest.raises(PrerequisiteError, match="debat"):
        debate(set=str(some), judge="scripted/judge", protocol="debat")
    some.write_text("{}\n")
    with pytest.raises(PrerequisiteError, match="Line 1"):
        debate(set=str(some), judge="scripted/judge")


@pytest.mark.parametrize("debaters", ["scripted/a, scripted/b", ["scripted/a", "scripted/b"]])
def test_debaters_are_named_with_commas_which_inspect_makes_a_list(some, debaters):
    spec = debate(set=str(some), judge="scripted/judge", debaters=debaters).metadata["spec"]
    assert [spec["chairs"][seat]["player"]["model"] for seat in ("first", "second")] == [
        "scripted/a",
        "scripted/b",
    ]


def test_rounds_and_words_are_as_on_the_command_line(some):
    spec = debate(set=str(some), judge="scripted/judge", debaters="scripted/a", rounds=3, words=20)
    told = spec.metadata["spec"]["protocol"]
    assert (told["rounds"], {step["words"] for step in told["round"]}) == (3, {20})


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"orders": 0}, "1 or 2; got 0"),
        ({"rounds": 21}, "rounds: Input should be less than or equal to 20; got 21"),
        ({"debaters": ["scripted/a", "scripted/b"], "protocol": "consultancy"}, "no seat for a second"),
        ({"judge": "reward:none"}, "none"),
    ],
)
def test_what_cannot_be_played_is_said_without_a_traceback(some, asked, sentence):
    with pytest.raises(PrerequisiteError, match=sentence):
        debate(**{"set": str(some), "judge": "scripted/judge", "debaters": "scripted/a", **asked})


def test_an_exported_debate_says_who_speaks_for_what(tmp_path):
    run = played(tmp_path, "debate_red_team", chair=Honest(1.0, 2), n=2)
    export(run, tmp_path / "debates.eval")
    samples = read_eval_log(str(tmp_path / "debates.eval")).samples
    speakers = {message.text.partition(":")[0] for sample in samples for message in sample.messages}
    log = read_eval_log(str(tmp_path / "debates.eval"))
    assert all(sample.target in ("A", "B") for sample in log.samples)
    [scored] = log.results.scores
    assert (scored.name, set(scored.metrics)) == ("judge", {"accuracy", "mean"})
    assert {"Question", "Debater for A", "Debater for B"} <= speakers <= {
        "Question", "Debater for A", "Debater for B", "Red team", "Rules"
    }  # fmt: skip


def test_a_tie_is_half_a_failure():
    scores = [SampleScore(score=Score(value=value)) for value in (0.5, 0.5, 0.2, 0.9)]
    assert failure_rate(0.5, DebateJudge.tie)(scores) == 0.5
    assert failure_rate(0.5)(scores) == 0.75
