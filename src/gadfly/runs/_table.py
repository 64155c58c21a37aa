"""An append-only table on disk that survives being killed at any moment.

A table is a sequence of numbered segments. The open segment is a JSON-lines journal, one `write` per batch of
rows, so a row has left this process before anyone counts it: `kill -9` cannot take it back. A full journal is
*sealed*: written as Parquet under a temporary name, synced, renamed, and only then deleted, so a journal
beside its Parquet twin is known to be superseded. A line torn by a kill is dropped on recovery, and its case
is played again.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gadfly.errors import StoreError

__all__ = ["SEGMENT_BYTES", "SEGMENT_ROWS", "Row", "Table", "storage_error"]

SEGMENT_ROWS = 2_000
SEGMENT_BYTES = 16 << 20
"""A journal is sealed when it has this many rows or bytes: what is held in memory, and read twice after a
crash.
"""

Row = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Table:
    """Rows of one Arrow schema under one directory.

    Reading needs no lock. Writing (`append`, `seal`, `recover`, `drop`) is for one process at a time: the
    run's lock sees to that. Writers raise `StoreError` when the disk refuses; what was written before stays.
    """

    def __init__(self, directory: Path, schema: pa.Schema) -> None:
        self.directory = directory
        self.schema = schema
        self._pending: list[Row] = []
        self._descriptor: int | None = None
        self._length = 0
        self._number = 0

    def append(self, rows: Sequence[Row]) -> None:
        """Put rows on disk; they are there when this returns."""
        if not rows:
            return
        data = b"".join(_encode(row).encode() + b"\n" for row in rows)
        try:
            self._write(data)
        except OSError as error:
            raise storage_error(error, self.directory) from error
        self._pending.extend(rows)
        if len(self._pending) >= SEGMENT_ROWS or self._length >= SEGMENT_BYTES:
            self.seal()

    def seal(self) -> None:
        """Turn the open journal into a Parquet part. Does nothing when it is empty; can be tried again when
        it fails.
        """
        if self._descriptor is None:
            return
        if self._pending:
            write_part(self._part(self._number), pa.Table.from_pylist(self._pending, schema=self.schema))
        sealed = self._journal(self._number)
        self._pending, self._number = [], self._number + 1
        os.close(self._descriptor)
        self._descriptor = None
        with suppress(OSError):  # beside its part it counts for nothing
            sealed.unlink()

    def recover(self) -> None:
        """Make the table writable after whatever happened to its last writer."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for leftover in self.directory.glob("*.tmp"):
                leftover.unlink()
            for journal in self._journals():
                part = journal.with_suffix(".parquet")
                rows = [] if part.exists() else list(read_journal(journal))
                if rows:
                    write_part(part, pa.Table.from_pylist(rows, schema=self.schema))
                journal.unlink()
        except OSError as error:
            raise storage_error(error, self.directory) from error
        self._number = max((int(part.stem) for part in self.parts()), default=-1) + 1

    def parts(self) -> list[Path]:
        """The sealed parts, oldest first."""
        return sorted(part for part in self.directory.glob("*.parquet") if part.stem.isdecimal())

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Every row as Arrow tables in the order written, one segment in memory at a time."""
        parts, rest = self.snapshot()
        for part in parts:
            yield self._read(part, columns)
        if rest.num_rows:
            yield rest.select(list(columns)) if columns else rest

    def between(self, first: int, last: int) -> list[Row]:
        """The sealed rows whose `index` is in [first, last), by index; parts that hold none are not read."""
        wanted = (pc.field("index") >= first) & (pc.field("index") < last)
        rows = [row for part in self.parts() for row in self._read(part, None, wanted).to_pylist()]
        return sorted(rows, key=lambda row: row["index"])

    def snapshot(self) -> tuple[list[Path], pa.Table]:
        """The sealed parts and the rows not sealed yet: each row in one of them, even while a run goes on."""
        opened = {journal.stem: list(read_journal(journal)) for journal in self._journals()}
        parts = self.parts()  # listed after the journals were read: what was sealed in between is here
        sealed = {part.stem for part in parts}
        rows = [row for stem, kept in opened.items() if stem not in sealed for row in kept]
        return parts, pa.Table.from_pylist(rows, schema=self.schema)

    def drop(self, unwanted: Callable[[pa.Table], Any]) -> int:
        """Forget the sealed rows for which `unwanted` is true; returns how many."""
        dropped = 0
        for part in self.parts():
            table = self._read(part, None)
            keep = table.filter(pc.invert(unwanted(table)))
            dropped += table.num_rows - keep.num_rows
            if not keep.num_rows:
                part.unlink()
            elif keep.num_rows < table.num_rows:
                write_part(part, keep)
        return dropped

    def _write(self, data: bytes) -> None:
        """All of `data` or, when the disk refuses, none of it: half a line would spoil the next one."""
        if self._descriptor is None:
            path = self._journal(self._number)
            self._descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
            self._length = os.fstat(self._descriptor).st_size
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._length)
            raise
        self._length += len(data)

    def _read(
        self, part: Path, columns: Sequence[str] | None, wanted: pc.Expression | None = None
    ) -> pa.Table:
        try:
            return pq.read_table(part, columns=list(columns) if columns else None, filters=wanted)
        except (pa.ArrowException, OSError) as error:
            raise corrupt(part, error) from error

    def _journals(self) -> list[Path]:
        return sorted(path for path in self.directory.glob("*.jsonl") if path.stem.isdecimal())

    def _journal(self, number: int) -> Path:
        return self.directory / f"{number:06}.jsonl"

    def _part(self, number: int) -> Path:
        return self.directory / f"{number:06}.parquet"


def read_journal(path: Path) -> Iterator[Row]:
    """The whole lines of a journal; a torn one is skipped. Nothing when it has just been sealed."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            with suppress(ValueError):
                if line.endswith(b"\n"):
                    yield json.loads(line)


def write_part(path: Path, table: pa.Table) -> None:
    """Write one Parquet part atomically."""
    temporary = path.with_suffix(".tmp")
    try:
        pq.write_table(table, temporary, compression="zstd")
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise storage_error(error, path.parent) from error


def sync(path: Path) -> None:
    """Have the disk itself hold this file or directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def corrupt(part: Path, error: Exception) -> StoreError:
    """What to say about a part that cannot be read."""
    return StoreError(
        f"The part file {part} is corrupt ({str(error).splitlines()[0]}). Move it away and run "
        f"`gadfly resume {part.parents[1].name}`: only what it held is made again."
    )


def storage_error(error: OSError, directory: Path) -> StoreError:
    """What to say about a disk that refuses a write under `directory`, which is one of a run's tables."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    what = "The disk is full" if full else f"Writing failed ({error.strerror or error})"
    fix = "Free some space" if full else "Mend that"
    return StoreError(
        f"{what}: {directory}. Every finished case is kept. {fix} and run "
        f"`gadfly resume {directory.parent.name}`."
    )
