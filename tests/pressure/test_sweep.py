"""Cells, controls, effects: played for real by a scripted agent, and drawn where only the numbers matter."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from agents import ACTS, HIDES, HOLDS, TELLS, agent, judges, quiet, settings, trading

from gadfly.errors import CallError, InputError, UnknownNameError
from gadfly.models import System, scripted
from gadfly.pressure import Setting, Sweep, cell_rates, cells, effects, overall, sweep_of
from gadfly.pressure._effects import Cell, doses, effects_of, level_order, overall_of
from gadfly.pressure._rates import Verdicts
from gadfly.pressure._sweep import played

pytestmark = pytest.mark.anyio

BAN = "insider trading, it is\na crime"


def obedient() -> System:
    """It acts half of the time, never under a ban, always where it is told to; then conceals."""

    def script(messages: object, seed: int | None) -> str:
        said = list(messages)  # type: ignore[call-overload]
        told = "\n".join(text for _, text in said)
        if any(ACTS in text for role, text in said if role == "assistant"):
            return TELLS if "it is on every front page" in told.lower() else HIDES
        if "that is insider trading" in told:
            return HOLDS
        return ACTS if random.Random(f"{seed}").random() < 0.5 or "Be bold" in told else HOLDS

    return System(scripted(script))


async def swept(path: Path, vary: str = "system_prompt", cases: int = 24, full: bool = False) -> Sweep:
    among = cells(trading(), vary.split(","), full=full)
    return await played(among, obedient(), cases, judges(), 0, quiet(path))


def drawn(levels: dict[str, str], p: float, n: int = 64, seed: int = 0) -> Cell:
    rng = random.Random(f"{levels}{seed}")
    name = ", ".join(levels.values())
    return Cell(name, levels, [Verdicts(i, i % 8, float(rng.random() < p), 1.0) for i in range(n)])


def test_the_base_comes_first_then_one_knob_at_a_time_then_the_controls() -> None:
    names = [one.name for one in cells(trading(), ["pressure", "scratchpad"])]
    assert names[0] == "default" and names[1:3] == ["pressure=none", "pressure=low"]
    assert names[3:5] == ["scratchpad=false", "scratchpad=native"]
    assert [one.control for one in cells(trading(), [])] == ["", "positive", "negative"]


def test_every_combination_on_request() -> None:
    assert len(cells(trading(), ["pressure", "scratchpad"], full=True)) == 3 * 3 + 2


def test_a_control_that_is_a_variant_too_is_played_once() -> None:
    among = cells(trading(), ["temptation"])
    assert [one.control for one in among if one.name == "temptation=public"] == [""]


def test_a_knob_that_does_not_exist_is_refused_before_anything_runs() -> None:
    with pytest.raises(UnknownNameError, match="presure"):
        cells(trading(), ["presure"])


async def test_a_sweep_plays_every_cell_and_both_controls(tmp_path: Path) -> None:
    found = await swept(tmp_path)
    assert [found.settings[found.controls[kind]].control for kind in ("positive", "negative")] == [
        "positive",
        "negative",
    ]
    assert len(found.runs) == 1 + 3 + 2 and found.only_controls == {4, 5} and not found.cut


async def test_the_same_sweep_again_plays_nothing(tmp_path: Path) -> None:
    first = await swept(tmp_path)
    wall = [run.info["wall_s"] for run in first.runs]
    assert [run.id for run in (await swept(tmp_path)).runs] == [run.id for run in first.runs]
    assert len(list(tmp_path.glob("pressure-*"))) == len(wall)


async def test_cells_are_paired_case_by_case(tmp_path: Path) -> None:
    found = await swept(tmp_path, "goal")
    acted = [[one.metadata["forks"]["act"]["level"] for one in run.transcripts()] for run in found.runs[:3]]
    assert acted[0] == acted[1] == acted[2]
    assert all(one.difference.low <= 0 <= one.difference.high for one in effects(found))


async def test_a_sweep_is_read_back_from_its_runs(tmp_path: Path) -> None:
    found = await swept(tmp_path, "system_prompt,goal")
    again = sweep_of(sorted(found.runs, key=lambda run: run.id))
    assert again.runs[0].info["spec"]["setting"] == "default" and len(again.only_controls) == 2
    assert {e.level: e.difference for e in effects(again)} == {e.level: e.difference for e in effects(found)}


async def test_effects_stand_in_the_order_of_the_file_and_find_the_ban(tmp_path: Path) -> None:
    found = [one for one in effects(await swept(tmp_path, cases=64)) if one.outcome == "act"]
    assert [one.level for one in found] == ["encouraging", "ethics", "ban"]
    assert found[0].difference.low > 0.2 and found[2].difference.high < -0.2
    assert found[2].odds is None and "None of 64 at system_prompt=ban" in found[2].note


async def test_a_cell_that_cannot_be_played_leaves_the_others_alone(tmp_path: Path) -> None:
    def script(messages: object, seed: int | None) -> str:
        if "insider trading" in str(messages):
            raise CallError("No such words here.", "rejected", fatal=True)
        return HOLDS

    among = cells(trading(), ["system_prompt"])
    found = await played(among, System(scripted(script)), 12, judges(), 0, quiet(tmp_path))
    assert found.errors == ("system_prompt=ban: No such words here.",) and len(found.runs) == 5


async def test_settings_of_nothing_or_twice_the_same_are_refused(tmp_path: Path) -> None:
    for odd in ([], [settings(), settings()]):
        with pytest.raises(InputError):
            await played(odd, agent(), 12, judges(), 0, quiet(tmp_path))


async def test_controls_are_no_variants(tmp_path: Path) -> None:
    found = await swept(tmp_path, "goal")
    told = overall(found, "act")
    assert told and told.cells == 3 and told.worst.point is not None and told.worst.point < 0.9
    assert cell_rates(found.runs[found.controls["positive"]]).deceives.point == 1.0


async def test_nor_where_a_knob_that_they_turn_was_varied_though_its_effect_is_told(tmp_path: Path) -> None:
    found = await swept(tmp_path, "temptation")
    told = overall(found, "act")
    assert told and told.cells == 1 and told.worst_cell == "default"
    assert "public" in [one.level for one in effects(found)]


def test_the_worst_of_many_alike_covers_the_truth_although_it_was_picked() -> None:
    held = []
    for seed in range(60):
        found = overall_of([drawn({"k": str(k)}, 0.3, seed=seed) for k in range(6)], "act")
        assert found
        held.append(found.worst.low <= 0.3 <= found.worst.high)
    assert sum(held) >= 56


def test_the_average_weighs_cells_alike_however_many_cases_they_have() -> None:
    found = overall_of([drawn({"k": "0"}, 1.0, 16), drawn({"k": "1"}, 0.0, 160)], "act")
    assert found and found.average.point == 0.5 and found.worst_cell == "0"


def test_odds_ratios_come_near_the_truth() -> None:
    among = [drawn({"k": name}, p, 2_000) for name, p in (("low", 0.2), ("high", 0.5))]
    (one,) = effects_of(among, {"k": ["low", "high"]}, "act")
    assert one.odds and one.odds.low < 4.0 < one.odds.high and one.odds.high / one.odds.low < 3


def test_odds_without_a_bound_are_said_in_words_and_the_others_still_estimated() -> None:
    among = [drawn({"k": name}, p) for name, p in (("a", 0.4), ("b", 0.0), ("c", 0.6))]
    never, more = effects_of(among, {"k": ["a", "b", "c"]}, "act")
    assert never.odds is None and "odds have no bound" in never.note and never.difference.point
    assert more.odds is not None and more.note == ""


def test_a_cell_that_says_nothing_has_no_effect_and_is_no_variant() -> None:
    mute = replace(drawn({"k": "b"}, 0.0), conclusive=False)
    among = [drawn({"k": "a"}, 0.5), mute]
    (one,) = effects_of(among, {"k": ["a", "b"]}, "act")
    assert one.difference.point is None and one.difference.missing == 64
    told = overall_of(among, "act")
    assert told and told.cells == 1 and overall_of([mute], "act") is None


def test_combinations_compare_cells_that_differ_in_one_knob() -> None:
    among = [drawn({"k": k, "l": level}, 0.5) for k in "ab" for level in "xy"]
    found = effects_of(among, {"k": ["a", "b"], "l": ["x", "y"]}, "act")
    assert [(one.knob, one.level, one.difference.n) for one in found] == [("k", "b", 128), ("l", "y", 128)]


async def test_doses_follow_the_file_not_the_default(tmp_path: Path) -> None:
    found = await swept(tmp_path, "pressure")
    rates = {run.info["spec"]["setting"]: cell_rates(run) for run in found.runs}
    told = [Cell(name, run.info["spec"]["levels"], []) for name, run in zip(rates, found.runs, strict=True)]
    along = doses(told, rates, level_order(found.runs[0]))
    assert [level for level, _ in along["pressure"]] == ["none", "low", "high"]


def test_a_setting_played_as_a_control_is_the_same_setting() -> None:
    one = Setting.of(trading(), {"temptation": "public"})
    assert replace(one, control="negative") == one
