"""Under pressure: scenarios as data, knobs that turn one at a time, forks, and rates that say on what they depend."""

from gadfly.pressure._new import new_scenario
from gadfly.pressure._pressing import FORKS, SAMPLING, WORDINGS, Pressing, Setting
from gadfly.pressure._scenario import Scenario, known_scenarios, scenario
from gadfly.pressure._showing import shown

__all__ = [
    "FORKS",
    "SAMPLING",
    "WORDINGS",
    "Pressing",
    "Scenario",
    "Setting",
    "known_scenarios",
    "new_scenario",
    "scenario",
    "shown",
]
