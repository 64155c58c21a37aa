"""Running games wide and deep, and keeping what came out."""

from gadfly.runs._beside import Beside
from gadfly.runs._corrections import Correction, corrections, keep_correction
from gadfly.runs._game import Cases, Game, paired_seed
from gadfly.runs._inspect import as_task, export
from gadfly.runs._judging import rejudge
from gadfly.runs._provenance import provenance
from gadfly.runs._runner import Settings, run
from gadfly.runs._store import Run, all_runs, home, open_run

__all__ = [
    "Beside",
    "Cases",
    "Correction",
    "Game",
    "Run",
    "Settings",
    "all_runs",
    "as_task",
    "corrections",
    "export",
    "home",
    "keep_correction",
    "open_run",
    "paired_seed",
    "provenance",
    "rejudge",
    "run",
]
