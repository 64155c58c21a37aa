"""Running games wide and deep, and keeping what came out."""

from gadfly.runs._game import Game
from gadfly.runs._inspect import as_task, export
from gadfly.runs._judging import rejudge
from gadfly.runs._runner import Settings, run
from gadfly.runs._store import Run, all_runs, home, open_run

__all__ = ["Game", "Run", "Settings", "all_runs", "as_task", "export", "home", "open_run", "rejudge", "run"]
