"""What was said and weighed in debates with a person, kept as it happens: after a restart they go on where they were.

A run keeps a case when it is over, which takes a person minutes. Until then each move's outcome is a line of JSON in a
journal beside the run. A chair that is `Journalled` looks there before anybody is asked, so a case that is played again
from its beginning comes to where it was without asking a model or a person twice.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gadfly.debate import JudgeChair, Move, Position, Said, Weighed
from gadfly.debate._chairs import FAULTS, Relayed
from gadfly.documents import cut_half_a_line
from gadfly.errors import CallError, StoreError
from gadfly.transcripts import Usage

__all__ = ["Journal", "Journalled", "JournalledJudge"]

Entry = dict[str, Any]


class Journal:
    """Outcomes by what they are of: a case, what was done, in which seat, with which seed (each try has its own).

    `put` returns when the line has left this process, so `kill -9` cannot take it back; half a line at the end, from a
    kill in the middle of writing, is not read, and cut off by `take`. `caught_up` is set once something was
    asked for that is not here: from then on what happens is new. Writers raise `StoreError`.
    """

    def __init__(self) -> None:
        self.case = ""
        self.caught_up = asyncio.Event()
        self._kept: dict[tuple[str, ...], Entry] = {}

    def open(self, path: Path) -> None:
        """Read what is there; another process may be writing it."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
            whole = path.read_bytes()
        except OSError as error:
            raise self._trouble(error) from error
        self._kept = self._read(whole[: whole.rfind(b"\n") + 1])

    def take(self) -> None:
        """Read it anew and write there from now on: the run's lock is held, so nobody else does."""
        try:
            with self.path.open("r+b") as file:
                cut_half_a_line(file)
                file.seek(0)
                whole = file.read()
        except OSError as error:
            raise self._trouble(error) from error
        self._kept = self._read(whole)

    def _read(self, data: bytes) -> dict[tuple[str, ...], Entry]:
        try:
            return {self._key(row): row for row in map(json.loads, data.splitlines())}
        except (ValueError, KeyError, TypeError) as error:
            why = error if isinstance(error, ValueError) else "a line of it is no entry"
            raise StoreError(
                f"{self.path} is corrupt ({why}); move it away to begin its case anew."
            ) from error

    @staticmethod
    def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in ("case", "did", "seat", "seed"))

    def get(self, did: str, seat: str = "", seed: int = 0) -> Entry | None:
        """The outcome in the case under way; None, and then all that happens is new, where it is not known."""
        found = self._kept.get((self.case, did, seat, str(seed)))
        if found is None:
            self.caught_up.set()
        return found

    def all(self, did: str) -> list[Entry]:
        """The outcomes of one kind, in all cases."""
        return [row for row in self._kept.values() if row["did"] == did]

    def put(self, did: str, seat: str = "", seed: int = 0, **outcome: Any) -> None:
        """Keep an outcome of the case under way."""
        row = {"case": self.case, "did": did, "seat": seat, "seed": seed, **outcome}
        line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
        before = os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            os.ftruncate(self._file, before)
            raise self._trouble(error) from error
        self._kept[self._key(row)] = row

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self.path} cannot be written ({error.strerror or error}): mend that, then serve again; what was said is "
            "kept."
        )


@dataclass(frozen=True)
class Journalled(Relayed):
    """A chair that says again what it said before, and is asked only for what is new.

    A fault of its own (`FAULTS`) is kept as well, for it decides what comes next; a service that is down is not.
    """

    journal: Journal

    async def say(self, move: Move) -> Said:
        """What stands in the journal, else what the chair says now."""
        kept = await _kept(self.journal, ("said", move.seat, move.seed), lambda: self.chair.say(move))
        return Said(**{**kept, "usage": Usage(**kept["usage"])})


@dataclass(frozen=True)
class JournalledJudge(Journalled):
    """The same for the judge's chair."""

    chair: JudgeChair

    @property
    def decides(self) -> bool:
        """As the chair says."""
        return self.chair.decides

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """What stands in the journal, else what the judge makes of it now."""
        kept = await _kept(self.journal, ("weighed", "judge", seed), lambda: self.chair.weigh(position, seed))
        return Weighed(**{**kept, "usage": Usage(**kept["usage"]), "orders": tuple(kept["orders"])})


async def _kept(
    journal: Journal, key: tuple[str, str, int], ask: Callable[[], Awaitable[Said | Weighed]]
) -> dict[str, Any]:
    """An outcome's fields, from the journal or fresh; raises the `CallError` that it was."""
    if (row := journal.get(*key)) is None:
        try:
            journal.put(*key, outcome=asdict(await ask()))
        except CallError as error:
            if error.fatal or error.cause not in FAULTS:
                raise
            journal.put(*key, error=str(error), cause=error.cause, usage=asdict(error.usage or Usage()))
        row = journal.get(*key)
        assert row is not None
    if "outcome" not in row:
        raise CallError(row["error"], row["cause"], usage=Usage(**row["usage"]))
    outcome: dict[str, Any] = row["outcome"]
    return outcome
