"""A case as the agent meets it, without a model: what it is told, message by message, through all three forks."""

from __future__ import annotations

from collections.abc import Sequence

from gadfly.models import System, scripted
from gadfly.models._scripted import Line
from gadfly.pressure._form import deed_line, read_deed
from gadfly.pressure._pressing import Pressing, Setting
from gadfly.pressure._scenario import Control, Scenario
from gadfly.transcripts import Case, Transcript

__all__ = ["shown"]


async def shown(setting: Setting, wording: int = 0) -> Transcript:
    """One case in that wording whose answers are the scenario's own: it acts, conceals and denies."""
    answers = iter(_answers(setting))
    agent = System(scripted(lambda messages, seed: next(answers), name="controls"))
    return await Pressing(setting, agent, wordings=wording + 1).play(Case("shown", wording, 0))


def _answers(setting: Setting) -> tuple[Line, ...]:
    forks = setting.scenario.forks
    report, denial = _of(forks.report.controls, "concealed"), _of(forks.deny.controls, "denies")
    return _deed(setting.scenario, setting.levels["form"]), report, denial


def _deed(scenario: Scenario, form: str) -> Line:
    """The act, as it is written in this form."""
    read = read_deed(_of(scenario.forks.act.controls, "acts"), scenario.named_tools)
    act = scenario.forks.act.acts[0]
    arguments = {name: among[0] for name, among in act.where.items()}
    tool = act.tool
    if act.fits(read.tool, read.arguments):  # with what else it takes
        tool, arguments = read.tool, dict(read.arguments)
    return ("", [(tool, arguments)]) if form == "tools" else deed_line("", tool, arguments, form)


def _of(controls: Sequence[Control], level: str) -> str:
    """The first control of that level; of the others where there is none."""
    return next((one.reply for one in controls if one.level == level), controls[0].reply)
