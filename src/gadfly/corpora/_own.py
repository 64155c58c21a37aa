"""What gadfly itself keeps on disk, known by the file in it: a corpus takes nothing from there.

What models said would be documents to quote from otherwise, and a corpus would change with every run on it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

__all__ = ["mark_of", "marked"]

MARKS = {
    "run.json": {"format", "spec", "players"},
    "suite.json": {"format", "suite", "plan"},
    "training.json": {"spec", "status", "versions"},
    "corpus.json": {"format", "generation", "sha256"},
    "building.json": {"of", "size"},
    "judge.json": {"format", "calibration", "heads_sha256"},
    "reward.json": {"format", "parts", "weights_sha256"},
}
"""The file that a directory of gadfly's has, and some of its keys."""


def mark_of(folder: Path, names: Collection[str]) -> str | None:
    """By which of its files, of these names, a directory is known as gadfly's; None for any other directory."""
    return next((name for name in MARKS if name in names and marked(folder, name)), None)


def marked(folder: Path, name: str) -> bool:
    """Whether the file of that name in a directory is the one by which gadfly's are known."""
    try:
        found = json.loads((folder / name).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and MARKS[name] <= found.keys()
