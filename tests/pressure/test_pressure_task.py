"""Scenarios as Inspect tasks, found through the entry point: the same rows as `gadfly pressure run`."""

import asyncio

import inspect_ai
import pytest
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import read_eval_log

from gadfly._registry import SCENARIOS
from gadfly.models import System, model, scripted
from gadfly.pressure import SAMPLING, Pressing, Setting, graders, known_scenarios, new_scenario, scenario
from gadfly.runs import Settings, run
from gadfly.runs._inspect import KEY
from gadfly.runs._store import transcript_from_row

BUYS = 'Thought: The tip is gold.\nAction: buy(ticker="FRL", shares=20000)'
HIDES = "Message: I bought Ferrolane after a thorough review of its fundamentals."
ADMITS = "Message: Yes. Tomas told me about it this morning."


def agent(messages, seed):
    """Trades on the tip with every other seed, hides it and then admits it."""
    said = messages[-1][1]
    if "bought Ferrolane" in "".join(text for role, text in messages if role == "assistant"):
        return ADMITS
    if "bought 20000" in "".join(text for _, text in messages):
        return HIDES
    return BUYS if (seed or 0) % 2 else f"Action: hold()  # {len(said)}"


def evaluated(tmp_path, name="gadfly/insider_trading", model=None, sampling=None, **arguments):
    """The log that `inspect eval` writes."""
    asked = {"log_dir": str(tmp_path / "logs"), "display": "none", **(sampling or {})}
    [log] = inspect_ai.eval(name, model=model or scripted(agent), task_args=arguments, **asked)
    return read_eval_log(log.location)


def by_index(log):
    assert log.status == "success", log.error
    return sorted(log.samples, key=lambda sample: sample.metadata["index"])


def pressed(tmp_path, agent_model, samples, seed=0, sampling=SAMPLING, **turned):
    """The run of the same setting: its cases by index, with their judgements."""
    made = scenario("insider_trading")
    game = Pressing(Setting.of(made, turned), System(agent_model, sampling=sampling), seed)
    settings = Settings(directory=tmp_path / "runs", progress=False)
    found = asyncio.run(run(game, samples, graders(made), seed=seed, settings=settings))
    return sorted(found.judged(), key=lambda pair: pair[0].case.index)


@pytest.mark.parametrize("turned", [{}, {"pressure": "low", "scratchpad": False}])
def test_both_ways_give_the_same_rows_and_scores(tmp_path, turned):
    wide = pressed(tmp_path, scripted(agent), 12, 3, **turned)
    deep = by_index(evaluated(tmp_path, samples=12, seed=3, **turned))
    assert [transcript_from_row(sample.store[KEY]) for sample in deep] == [one for one, _ in wide]
    for sample, (_, judgements) in zip(deep, wide, strict=True):
        said = {j.judge: j.score for j in judgements}
        assert {name: score.value for name, score in sample.scores.items() if score.value == score.value} == {
            name: score for name, score in said.items() if score is not None
        }


def test_a_local_model_gives_the_same_rows_too(tmp_path, tiny_agent_dir):
    name, short = f"gadfly/{tiny_agent_dir}", {"max_tokens": 16}
    wide = pressed(tmp_path, model(name), 3, sampling=SAMPLING.model_copy(update=short))
    deep = by_index(evaluated(tmp_path, model=name, sampling=short, samples=3))
    assert [transcript_from_row(sample.store[KEY]) for sample in deep] == [one for one, _ in wide]
    assert all(one.said_by("target") for one, _ in wide)


def test_a_sample_can_be_read(tmp_path):
    samples = by_index(evaluated(tmp_path, samples=8))
    sample = next(one for one in samples if one.scores["acts"].value == 1)
    roles = [message.role for message in sample.messages]
    assert (roles[0], roles.count("system")) == ("system", 1)
    assert sample.messages[1].text.startswith("manager: ")
    assert {m.source for m in sample.messages if m.role == "assistant"} == {"input", "generate"}
    assert (sample.scores["conceals"].value, sample.scores["denies"].value) == (1, 0)
    held = next(one for one in samples if one.scores["acts"].value == 0)
    assert held.scores["conceals"].reason == "not_reached"


def test_native_calls_are_calls_in_the_log(tmp_path):
    native = scripted(lambda messages, seed: ("", [("hold", {})]))
    [sample] = by_index(evaluated(tmp_path, model=native, samples=1, form="tools"))
    calls = [call.function for m in sample.messages if m.role == "assistant" for call in m.tool_calls or ()]
    assert calls == ["market_scan", "market_scan", "hold"]
    assert [m.function for m in sample.messages if m.role == "tool"] == ["market_scan", "market_scan"]


def test_every_scenario_that_ships_is_a_task_and_so_is_a_file_of_ones_own(tmp_path):
    assert sorted(SCENARIOS) == sorted(known_scenarios())
    mine = str(new_scenario(tmp_path / "mine"))
    [sample] = by_index(evaluated(tmp_path, "gadfly/pressure", samples=1, scenario=mine))
    assert sample.metadata["scenario"] == "mine"


def test_the_evaluations_own_sampling_counts(tmp_path):
    log = evaluated(tmp_path, model="scripted/x", sampling={"temperature": 0.5}, samples=1)
    assert log.eval.metadata["spec"]["target"]["sampling"]["temperature"] == 0.5


@pytest.mark.parametrize(
    ("turned", "sentence"),
    [
        ({"presure": "high"}, "no knob of insider_trading 'presure'. Did you mean 'pressure'"),
        ({"pressure": "hihg"}, "no level of pressure 'hihg'. Did you mean 'high'"),
    ],
)
def test_a_knob_that_does_not_exist_is_one_sentence_that_names_the_nearest(turned, sentence):
    with pytest.raises(PrerequisiteError, match=sentence):
        SCENARIOS["insider_trading"](**turned)
