"""A training on disk: what is trained how, its curve, its rollouts, its checkpoints, and the adapter that came out.

    DIR/training.json              what decides the outcome (`spec`), versions, status, why it ended
    DIR/curve.jsonl                one line per step
    DIR/rollouts.jsonl             one line per case played in reinforcement
    DIR/checkpoints/checkpoint-N/  the adapter, the optimiser and the random numbers after step N
    DIR/adapter_model.safetensors  and adapter_config.json: what `gadfly/MODEL+DIR` loads

A checkpoint appears under its name only when it is whole, and lines of steps after it are cut off before training goes
on: a training killed at any moment and started again writes the lines that an uninterrupted one writes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout
from safetensors import SafetensorError

from gadfly.documents import cut_half_a_line
from gadfly.errors import InputError, StoreError
from gadfly.runs import provenance

__all__ = ["Folder", "adapters_home"]

KEPT = 2
"""Checkpoints that are kept; the one before the last is there in case the disk filled up."""


OWN = {"training.tmp", ".lock"}
"""What a first `open` leaves behind when it is killed."""


def adapters_home() -> Path:
    """Where trained adapters are kept unless told otherwise: `$GADFLY_ADAPTERS` or `./gadfly-adapters`."""
    return Path(os.environ.get("GADFLY_ADAPTERS") or "gadfly-adapters")


@dataclass(frozen=True)
class Folder:
    """One training's directory; `open` makes it or checks that what is there is the same training."""

    path: Path

    @classmethod
    def open(cls, path: Path, spec: Mapping[str, Any]) -> Folder:
        """Raises `InputError` when another training is there, and `StoreError` when nothing can be written."""
        folder = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"Nothing can be written in {path} ({error.strerror}); name another --output."
            ) from error
        wanted = json.loads(json.dumps(dict(spec)))
        found = folder.info
        if not found and any(one.name not in OWN for one in path.iterdir()):
            raise InputError(f"{path} holds something that is no training; name another --output.")
        changed = [key for key in wanted if found and found["spec"].get(key) != wanted[key]]
        if changed and not folder.begun:  # refused before its first step, and now corrected
            with folder.lock():
                folder.note(spec=wanted)
        elif changed:
            places = [_places(found["spec"].get(key), wanted[key], key) for key in changed]
            was = ", ".join(islice(chain.from_iterable(places), 3))
            raise InputError(f"{path} holds another training ({was}); name another --output or remove it.")
        if not found:
            folder.note(spec=wanted, status="running", **provenance())
        return folder

    @property
    def info(self) -> dict[str, Any]:
        """`training.json`; empty when there is none."""
        try:
            return dict(json.loads((self.path / "training.json").read_text("utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path / 'training.json'} cannot be read: {error}.") from error

    @property
    def begun(self) -> bool:
        """Whether anything has been trained, here or in a training that this one consists of."""
        parts = (Folder(file.parent) for file in self.path.glob("*/training.json"))
        here = self.done or self.last_checkpoint is not None or any(True for _ in self.read("curve"))
        return here or any(part.begun for part in parts)

    @property
    def done(self) -> bool:
        """Whether the training has ended by itself and its adapter is there."""
        return (
            self.info.get("status") in ("complete", "ended")
            and (self.path / "adapter_model.safetensors").exists()
        )

    def lock(self) -> AcquireReturnProxy[Any]:
        """Held until the end of a `with`. Raises `InputError` when another process trains here."""
        try:
            with self.writing():
                return FileLock(self.path / ".lock", timeout=0).acquire()
        except Timeout as error:
            raise InputError(
                f"Another process is training in {self.path}; wait for it or stop it."
            ) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within it, a disk that refuses is a `StoreError`."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            if isinstance(error, (StoreError, Timeout)):
                raise
            why = getattr(error, "strerror", None) or error
            raise StoreError(
                f"{self.path} cannot be written ({why}); mend that, then give the same command again: what was trained "
                "until the last checkpoint is kept."
            ) from error

    def _put(self, name: str, text: str) -> None:
        """Write a file, whole or not at all."""
        target = self.path / name
        draft = target.with_suffix(".tmp")
        with self.writing():
            try:
                draft.write_text(text, "utf-8")
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)

    def note(self, **facts: Any) -> None:
        """Change some of `training.json`, atomically. Raises `StoreError`, as all that writes here does."""
        self._put("training.json", json.dumps(self.info | facts, indent=1))

    def append(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add lines to `curve` or `rollouts`, in the place of a last one that was cut off by a kill."""
        with self.writing(), (self.path / f"{table}.jsonl").open("a+b") as file:
            cut_half_a_line(file)
            file.writelines(json.dumps(dict(row)).encode() + b"\n" for row in rows)

    def read(self, table: str) -> Iterator[dict[str, Any]]:
        """The lines of `curve` or `rollouts`, without a last one that was cut off by a kill."""
        path = self.path / f"{table}.jsonl"
        if not path.exists():
            return
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)

    def rewind(self, step: int) -> None:
        """Cut off the lines of steps after `step`."""
        for table in ("curve", "rollouts"):
            kept = [row for row in self.read(table) if row["step"] <= step]
            self._put(f"{table}.jsonl", "".join(json.dumps(row) + "\n" for row in kept))

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def whole_checkpoints(self) -> list[Path]:
        """Those that were finished, the earliest first."""
        found = self.checkpoints.glob("checkpoint-*[0-9]")
        return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))

    @property
    def last_checkpoint(self) -> Path | None:
        """The latest whole one."""
        found = self.whole_checkpoints
        return found[-1] if found else None

    def forget_old_checkpoints(self) -> None:
        """Keep the last few, and none that was not finished."""
        for path in [*self.whole_checkpoints[:-KEPT], *self.checkpoints.glob("*.part")]:
            shutil.rmtree(path)


def _places(was: Any, now: Any, place: str) -> Iterator[str]:
    """What changed between two JSON values, as "protocol.round.0.words was 90", however deep it lies."""
    if isinstance(was, dict) and isinstance(now, dict):
        pairs = [(key, was.get(key), now.get(key)) for key in {**was, **now}]
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        pairs = [(str(n), one, other) for n, (one, other) in enumerate(zip(was, now, strict=True))]
    else:
        yield f"{place} was {json.dumps(was)[:80]}"
        return
    for key, one, other in pairs:
        if one != other:
            yield from _places(one, other, f"{place}.{key}")
