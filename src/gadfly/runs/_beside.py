"""What people's labels made of a run, kept in a file beside its `run.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from gadfly.errors import StoreError
from gadfly.runs._store import Run
from gadfly.runs._table import sync

__all__ = ["Beside"]

T = TypeVar("T")


@dataclass(frozen=True)
class Beside(Generic[T]):
    """A list of dataclasses in one JSON file, in the order kept. `read` makes one of what was written, and
    `command` is what makes them anew.
    """

    file: str
    command: str
    read: Callable[[Mapping[str, Any]], T]

    def all(self, run: Run) -> list[T]:
        """Every one of them, none where there is no file. Raises `StoreError` on a broken file."""
        path = run.path / self.file
        try:
            return [self.read(one) for one in json.loads(path.read_bytes())] if path.exists() else []
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise StoreError(
                f"{path} cannot be read ({error}). Move it away and give `{self.command}` again: it is made anew."
            ) from error

    def change(self, run: Run, change: Callable[[list[T]], Sequence[T] | None]) -> None:
        """Write what `change` makes of them, atomically and under the run's lock; None leaves them as they are.

        Raises `StoreError` where the file is broken, the disk refuses, or another process has the run.
        """
        lock = run.lock()
        try:
            after = change(self.all(run))
            if after is None:
                return
            draft = run.path / f"{self.file}.tmp"
            draft.write_text(json.dumps([asdict(one) for one in after], indent=1), "utf-8")  # type: ignore[call-overload]
            sync(draft)
            draft.replace(run.path / self.file)
        except OSError as error:
            raise StoreError(
                f"{self.file} could not be written in {run.path} ({error.strerror}). Mend that and give "
                f"`{self.command}` again."
            ) from error
        finally:
            lock.release()
