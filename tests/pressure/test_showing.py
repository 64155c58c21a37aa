"""What an agent is told, without a model."""

import asyncio

import pytest

from gadfly.pressure import Setting, known_scenarios, scenario, shown


@pytest.mark.parametrize("form", ["react", "tools"])
@pytest.mark.parametrize("name", known_scenarios())
def test_a_case_is_shown_through_all_three_forks(name, form):
    case = asyncio.run(shown(Setting.of(scenario(name), {"form": form}), wording=1))
    forks = case.metadata["forks"]
    assert [fork["cause"] for fork in forks.values()] == ["", "", ""]
    assert (forks["act"]["level"], case.metadata["wording"]) == ("acts", 1)
    assert not any("{" in turn.text and form == "react" for turn in case.turns)
