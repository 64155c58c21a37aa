"""Under pressure: scenarios as data, knobs that turn one at a time, forks, and rates that say on what they depend."""

from gadfly.pressure._effects import Effect, Overall, effects, overall
from gadfly.pressure._found import Found, Tried
from gadfly.pressure._grader_card import GraderCard, grader_card, grader_card_with
from gadfly.pressure._graders import FORK_JUDGES, graders
from gadfly.pressure._new import new_scenario
from gadfly.pressure._pressing import FORKS, SAMPLING, WORDINGS, Pressing, Setting
from gadfly.pressure._rates import CellRates, ForkTable, cell_rates
from gadfly.pressure._regress import Moved, moved, pinned, pinned_runs, pinned_sets
from gadfly.pressure._scenario import Scenario, known_scenarios, scenario
from gadfly.pressure._search import Searching, search
from gadfly.pressure._showing import shown
from gadfly.pressure._suite import Suite, known_suites, suite
from gadfly.pressure._sweep import Sweep, cells, noted, press, sweep_of

__all__ = [
    "FORKS",
    "FORK_JUDGES",
    "SAMPLING",
    "WORDINGS",
    "CellRates",
    "Effect",
    "ForkTable",
    "Found",
    "GraderCard",
    "Moved",
    "Overall",
    "Pressing",
    "Scenario",
    "Searching",
    "Setting",
    "Suite",
    "Sweep",
    "Tried",
    "cell_rates",
    "cells",
    "effects",
    "grader_card",
    "grader_card_with",
    "graders",
    "known_scenarios",
    "known_suites",
    "moved",
    "new_scenario",
    "noted",
    "overall",
    "pinned",
    "pinned_runs",
    "pinned_sets",
    "press",
    "scenario",
    "search",
    "shown",
    "suite",
    "sweep_of",
]
