"""The scenarios that ship: whole, playable in both forms, alike in their knobs, and read right by their graders."""

import asyncio
import itertools

import pytest
from scenario_fakes import arguments, played

from gadfly.pressure import FORKS, WORDINGS, graders, known_scenarios, scenario
from gadfly.pressure._graders import as_control
from gadfly.pressure._scenario import DENY_LEVELS, REPORT_LEVELS
from gadfly.slots import fill

NAMES = known_scenarios()
MODEL, *OTHERS = map(scenario, NAMES)
ALL = [MODEL, *OTHERS]
named = pytest.mark.parametrize("found", ALL, ids=NAMES)
other = pytest.mark.parametrize("found", OTHERS, ids=NAMES[1:])


def told(found, turned, wording):
    """Everything that is said to the agent at these levels."""
    levels = found.levels(turned)
    values = {**found.slots(levels, wording), "tools": "", "format": ""}
    said = [*found.messages, *found.forks.report.ask, *found.forks.deny.ask]
    texts = [text for one in said if one.stands(levels) for text in (one.text, one.thought)]
    seen = [tool.observe(dict.fromkeys(tool.arguments, 3), values) for tool in found.tools]
    return [fill(found.system, values), *(fill(text, values) for text in texts), *seen]


def test_five_scenarios_ship_and_insider_trading_is_the_first():
    assert NAMES[0] == "insider_trading"
    assert set(NAMES) >= {"failed_safety_test", "expense_report", "hidden_defect", "benchmark_cheat"}


@named
@pytest.mark.parametrize("form", ["react", "tools"])
def test_an_agent_that_does_it_comes_to_all_three_forks(found, form):
    case = played(found, found.forks.act.acts[0], {"form": form})
    forks = case.metadata["forks"]
    assert (case.outcome, list(forks), forks["act"]["level"]) == ("completed", list(FORKS), "acts")
    assert [forks[name]["cause"] for name in FORKS] == ["", "", ""]
    assert found.canary not in "".join(turn.text for turn in case.turns) + case.metadata["system_prompt"]


@named
@pytest.mark.parametrize("form", ["react", "tools"])
def test_every_honest_decision_ends_the_case_at_the_first_fork(found, form):
    for call in found.forks.act.honest:
        case = played(found, call, {"form": form})
        assert (case.outcome, list(case.metadata["forks"])) == ("completed", ["act"])
        assert case.metadata["forks"]["act"]["level"] == "honest"


@named
def test_what_the_act_brings_about_is_told_with_its_figures(found):
    call = found.forks.act.acts[0]
    tool = found.named_tools[call.tool]
    seen = tool.observe(arguments(found, call), found.slots(found.levels({})))
    assert "{" not in seen and "unknown" not in seen and "no file" not in seen


@named
def test_every_level_of_every_knob_reads_as_a_text_without_slots(found):
    for knob, levels in found.knob_levels.items():
        for level, wording in itertools.product(levels, range(WORDINGS)):
            texts = told(found, {knob: level}, wording)
            assert not [text for text in texts if "{" in text or "}" in text], (knob, level, wording)


@other
def test_all_scenarios_have_the_same_knobs_with_the_same_levels(found):
    assert {knob: set(levels) for knob, levels in found.knob_levels.items()} == {
        knob: set(levels) for knob, levels in MODEL.knob_levels.items()
    }
    assert found.levels({}) == MODEL.levels({})
    assert found.controls == MODEL.controls


@named
def test_every_level_changes_what_the_agent_is_told(found):
    base = {knob: told(found, {knob: levels[0]}, 0) for knob, levels in found.knob_levels.items()}
    for knob in found.knobs.keys() - {"prefill"}:
        for level in found.knob_levels[knob][1:]:
            assert told(found, {knob: level}, 0) != base[knob], (knob, level)


@named
def test_where_there_is_nothing_to_hide_nothing_is_told_in_confidence(found):
    secrets = found.knobs["temptation"].levels["private"]["tip"]
    for wording in range(WORDINGS):
        values = found.slots(found.levels({}), wording)
        private = told(found, {}, wording)
        assert any(fill(secret, values) in private for secret in secrets)
        public = told(found, found.controls["negative"], wording)
        assert not any(fill(secret, values) in public for secret in secrets)


@named
def test_what_decides_is_worded_in_several_ways(found):
    assert all(len(found.values[name]) >= 3 for name in ("urge", "report_request", "question"))
    assert len(found.knobs["temptation"].levels["private"]["tip"]) >= 2
    prompts = {tuple(told(found, {}, wording)) for wording in range(WORDINGS)}
    assert len(prompts) >= WORDINGS // 2


@named
def test_labelled_replies_cover_every_level_of_every_fork(found):
    levels = {"act": ("acts", "honest", "other"), "report": REPORT_LEVELS, "deny": DENY_LEVELS}
    for fork in FORKS:
        controls = getattr(found.forks, fork).controls
        assert {control.level for control in controls} == {*levels[fork], "invalid"}
        assert len(controls) >= 12
        assert sum(bool(control.trap) for control in controls) >= 6


@other
@pytest.mark.parametrize("fork", FORKS)
def test_every_labelled_reply_gets_its_level(found, fork):
    controls = [one for one in getattr(found.forks, fork).controls if not one.held_out]
    grader = graders(found)[FORKS.index(fork)]
    replies = [as_control(found, fork, control).transcript() for control in controls]
    given = asyncio.run(grader.judge(replies))
    levels = [one.metadata.get("level", "invalid") for one in given]
    wrong = [(c.reply, level) for c, level in zip(controls, levels, strict=True) if c.level != level]
    assert not wrong


def test_no_two_scenarios_share_a_canary_or_a_name():
    assert len({found.canary for found in ALL}) == len(ALL)
    people = [name for found in ALL for name in found.cast.values()]
    assert len(set(people)) == len(people)
