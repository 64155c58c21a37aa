"""Finished learning curves on disk: one JSON line each, written before it is counted, and found again by what they
were drawn with, so that the same command goes on and more seeds only add.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from gadfly.errors import StoreError

__all__ = ["Curve", "Journal"]


@dataclass(frozen=True, slots=True)
class Curve:
    """One policy's figures on one seed: for each metric its value at every count of labels."""

    policy: str
    seed: int
    values: Mapping[str, tuple[float, ...]]


class Journal:
    """Curves under one `key`, kept in a file or, without a `path`, in memory. Other keys' lines stay untouched.

    A line that a kill cut short counts as not written. One process at a time holds the file.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self._path, self._key = path, key
        self._curves: dict[tuple[str, int], Curve] = {}

    def __enter__(self) -> Journal:
        if self._path is None:
            return self
        from filelock import FileLock, Timeout

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._path.with_name(f".{self._path.name}.lock"), timeout=0)
            self._lock.acquire()
            self._read(self._path)
            self._file = self._path.open("a", encoding="utf-8")
        except Timeout as error:
            raise StoreError(f"Another command is drawing curves into {self._path}; wait for it.") from error
        except OSError as error:
            raise StoreError(
                f"Curves cannot be kept in {self._path} ({error.strerror}); mend that."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is not None:
            self._file.close()
            self._lock.release()

    def __contains__(self, name: tuple[str, int]) -> bool:
        return name in self._curves

    def __getitem__(self, name: tuple[str, int]) -> Curve:
        return self._curves[name]

    def add(self, curve: Curve) -> None:
        """Keep a curve: on disk when this returns."""
        if self._path is not None:
            self._file.write(json.dumps({"key": self._key, **asdict(curve)}) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        self._curves[curve.policy, curve.seed] = curve

    def _read(self, path: Path) -> None:
        """Take this key's curves in, and end a line cut short so that the next one is whole."""
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        if text and not text.endswith("\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")
        for line in text.splitlines():
            row = _row(line)
            if row.get("key") == self._key:
                curve = Curve(row["policy"], row["seed"], row["values"])
                self._curves[curve.policy, curve.seed] = curve


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
