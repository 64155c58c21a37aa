"""The live line of a training: reward, divergence, entropy, diversity, time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gadfly.runs._progress import Aside

__all__ = ["Live"]

SHOWN = (
    ("loss", "loss", 3),
    ("reward", "reward", 2),
    ("margin", "margin", 2),
    ("accuracy", "accuracy", 2),
    ("KL", "kl", 3),
    ("entropy", "entropy", 2),
    ("self-BLEU", "self_bleu", 0),
)
"""What of a row is shown: its name there, its key, its digits after the point."""


class Live:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, label: str, steps: int, every_s: float = 15.0) -> None:
        self.label, self.steps, self.every_s = label, steps, every_s
        self.console = Aside(stderr=True)
        self._last = 0.0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Live:
        self._bar.start()
        self._task = self._bar.add_task(self.label, total=self.steps, detail="")
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, row: Mapping[str, Any]) -> None:
        """Show a step's row of the curve."""
        took, self._began = time.monotonic() - self._began, time.monotonic()
        parts = [f"{name} {row[key]:.{digits}f}" for name, key, digits in SHOWN if row.get(key) is not None]
        if "distinct" in row:
            parts.append(f"{row['distinct']} distinct of {row['texts']}")
        detail = " · ".join([*parts, f"{took:.1f} s a step"])
        self._bar.update(self._task, completed=row["step"], detail=detail)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self._last >= self.every_s or row["step"] == self.steps):
            self._last = now
            line = f"{self.label} {row['step']}/{self.steps} {detail}"
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
