"""An append-only table on disk that survives being killed at any moment.

A table is a sequence of numbered segments. The open segment is a JSON-lines journal, one `write` per batch of rows, so
a row is on disk before anyone counts it. A full journal is *sealed*: written as Parquet under a temporary name,
renamed, and only then deleted, so after a crash a journal beside its Parquet twin is known to be superseded. A line
torn by a kill or a full disk is dropped on recovery, and its case is played again.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gadfly.errors import StoreError

__all__ = ["SEGMENT_ROWS", "Row", "Table"]

SEGMENT_ROWS = 2_000
Row = dict[str, Any]


class Table:
    """Rows of one Arrow schema under one directory.

    Reading needs no lock. Writing (`append`, `seal`, `recover`, `drop`) is for one process at a time: the run's lock
    sees to that.
    """

    def __init__(self, directory: Path, schema: pa.Schema) -> None:
        self.directory = directory
        self.schema = schema
        self._pending: list[Row] = []
        self._descriptor: int | None = None
        self._number = 0

    def append(self, rows: Sequence[Row]) -> None:
        """Put rows on disk; returns once they are there. Raises `StoreError` when the disk is full."""
        if not rows:
            return
        data = b"".join(
            json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
            for row in rows
        )
        try:
            self._write(data)
            self._pending.extend(rows)
            if len(self._pending) >= SEGMENT_ROWS:
                self.seal()
        except OSError as error:
            raise _storage_error(error, self.directory) from error

    def seal(self) -> None:
        """Turn the open journal into a Parquet part. Does nothing when it is empty."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        if self._pending:
            write_part(self._part(self._number), self._pending, self.schema)
            self._pending = []
        self._journal(self._number).unlink(missing_ok=True)
        self._number += 1

    def recover(self) -> None:
        """Make the table writable after whatever happened to its last writer."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for leftover in self.directory.glob("*.tmp"):
            leftover.unlink()
        for journal in sorted(self.directory.glob("*.jsonl")):
            part = journal.with_suffix(".parquet")
            rows = [] if part.exists() else list(read_journal(journal))
            if rows:
                write_part(part, rows, self.schema)
            journal.unlink()
        numbers = [int(part.stem) for part in self.parts()]
        self._number = max(numbers, default=-1) + 1

    def parts(self) -> list[Path]:
        """The sealed parts, oldest first."""
        return sorted(self.directory.glob("*.parquet"))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Every row as Arrow tables in the order written, one segment in memory at a time, open journal last."""
        for part in self.parts():
            yield self._read(part, columns)
        rest = self.open_rows()
        if rest.num_rows:
            yield rest.select(list(columns)) if columns else rest

    def open_rows(self) -> pa.Table:
        """The rows of the journal that is not sealed yet."""
        journals = [j for j in sorted(self.directory.glob("*.jsonl")) if not j.with_suffix(".parquet").exists()]
        rows = [row for journal in journals for row in read_journal(journal)]
        return pa.Table.from_pylist(rows, schema=self.schema)

    def drop(self, column: str, value: str) -> int:
        """Forget every row whose `column` equals `value`; returns how many. Used to play failed cases again."""
        dropped = 0
        for part in self.parts():
            table = self._read(part, None)
            keep = table.filter(pa.compute.not_equal(table[column], value))
            if keep.num_rows < table.num_rows:
                dropped += table.num_rows - keep.num_rows
                write_part(part, keep.to_pylist(), self.schema)
        return dropped

    def _write(self, data: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(
                self._journal(self._number), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644
            )
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _read(self, part: Path, columns: Sequence[str] | None) -> pa.Table:
        try:
            return pq.read_table(part, columns=list(columns) if columns else None, memory_map=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(
                f"The part file {part} is corrupt ({str(error).splitlines()[0]}). Move it away and run "
                f"`gadfly resume {part.parents[1].name}`: only its cases are played again."
            ) from error

    def _journal(self, number: int) -> Path:
        return self.directory / f"{number:06}.jsonl"

    def _part(self, number: int) -> Path:
        return self.directory / f"{number:06}.parquet"


def read_journal(path: Path) -> Iterator[Row]:
    """The whole lines of a journal; a torn last line is skipped."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except ValueError:
                continue
            yield row


def write_part(path: Path, rows: Sequence[Row], schema: pa.Schema) -> None:
    """Write one Parquet part atomically."""
    temporary = path.with_suffix(".tmp")
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), temporary, compression="zstd")
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def _storage_error(error: OSError, directory: Path) -> StoreError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    what = "The disk is full" if full else f"Writing failed ({error.strerror})"
    fix = "Free some space" if full else "Mend that"
    return StoreError(
        f"{what}: {directory}. Every finished case is kept. {fix} and run `gadfly resume {directory.parent.name}`."
    )
