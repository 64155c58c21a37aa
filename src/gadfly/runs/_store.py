"""A run on disk: `run.json` with what was run, two append-only tables with what came out.

    RUN/run.json            spec, seed, players' fingerprints, versions, git state, judges, progress
    RUN/transcripts/        one row per case
    RUN/judgements/         one row per case and judge

`Run` is the reading side and also what the runner writes through. Rows become `Transcript` and `Judgement` here and
nowhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from filelock import FileLock, Timeout

from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.runs._table import Table
from gadfly.transcripts import Case, Judgement, Transcript, Turn, Usage

__all__ = ["FORMAT", "Run", "all_runs", "home", "open_run"]

FORMAT = 1

TRANSCRIPTS = pa.schema(
    [
        ("case_id", pa.string()),
        ("index", pa.int64()),
        ("seed", pa.int64()),
        ("data", pa.string()),
        ("turns", pa.list_(pa.struct([("speaker", pa.string()), ("text", pa.string()), ("stop", pa.string())]))),
        ("outcome", pa.string()),
        ("cause", pa.string()),
        (
            "usage",
            pa.list_(
                pa.struct(
                    [
                        ("role", pa.string()),
                        ("input_tokens", pa.int64()),
                        ("output_tokens", pa.int64()),
                        ("cost", pa.float64()),
                    ]
                )
            ),
        ),
        ("metadata", pa.string()),
    ]
)
JUDGEMENTS = pa.schema(
    [
        ("case_id", pa.string()),
        ("index", pa.int64()),
        ("judge", pa.string()),
        ("score", pa.float64()),
        ("cause", pa.string()),
        ("rationale", pa.string()),
        ("uncertainty", pa.float64()),
        ("evidence", pa.list_(pa.string())),
        ("metadata", pa.string()),
    ]
)

CASES_VIEW = """
create view cases as
select t.case_id, t.index,
       list_last(list_filter(t.turns, lambda x: x.speaker = 'attacker')).text as question,
       list_last(list_filter(t.turns, lambda x: x.speaker = 'target')).text as reply,
       t.outcome, t.cause, j.judge, j.score, j.cause as missing, j.rationale, j.evidence, t.metadata
from transcripts t left join judgements j using (case_id)
"""


def home() -> Path:
    """Where runs live: `$GADFLY_RUNS`, else `gadfly-runs` in the current directory."""
    return Path(os.environ.get("GADFLY_RUNS", "gadfly-runs"))


@dataclass(frozen=True)
class Run:
    """One run's directory.

    `info` is `run.json` as last read or written: `spec`, `seed`, `cases` (how many were asked for), `judges`,
    `status` (`running`, `interrupted`, `stopped`, `complete`), `fingerprints`, `versions`, `git`, `command`, `wall_s`.
    """

    path: Path
    info: dict[str, Any]

    @property
    def id(self) -> str:
        """The run's name, which is its directory's."""
        return self.path.name

    @property
    def transcript_table(self) -> Table:
        """The rows of transcripts, for reading."""
        return Table(self.path / "transcripts", TRANSCRIPTS)

    @property
    def judgement_table(self) -> Table:
        """The rows of judgements, for reading."""
        return Table(self.path / "judgements", JUDGEMENTS)

    def transcripts(self) -> Iterator[Transcript]:
        """Every transcript in the order written, streamed: constant memory at any size."""
        for batch in self.transcript_table.batches():
            yield from map(transcript_from_row, batch.to_pylist())

    def judgements(self, judge: str | None = None) -> Iterator[Judgement]:
        """Every judgement, or one judge's, streamed."""
        for batch in self.judgement_table.batches():
            for row in batch.to_pylist():
                if judge is None or row["judge"] == judge:
                    yield judgement_from_row(row)

    def sql(self, query: str) -> pd.DataFrame:
        """Ask DuckDB about this run: the tables `transcripts` and `judgements`, and the view `cases` that joins them.

        Raises `InputError` with DuckDB's sentence when the query is wrong.
        """
        with duckdb.connect(":memory:") as connection:
            self._attach(connection, "transcripts", self.transcript_table)
            self._attach(connection, "judgements", self.judgement_table)
            connection.execute(CASES_VIEW)
            try:
                return connection.execute(query).df()
            except duckdb.Error as error:
                raise InputError(f"The query cannot be run: {str(error).splitlines()[0]}") from error

    def frame(self) -> pd.DataFrame:
        """One row per case and judge: index, question, reply, outcome, cause, judge, score, missing, …"""
        return self.sql('select * from cases order by "index", judge')

    def save(self, **changes: Any) -> Run:
        """Write `run.json` anew, atomically, with these changes; returns the run as it now is."""
        info = {**self.info, **changes}
        temporary = self.path / "run.json.tmp"
        temporary.write_text(json.dumps(info, indent=1, ensure_ascii=False))
        temporary.replace(self.path / "run.json")
        return Run(self.path, info)

    def lock(self) -> FileLock:
        """The lock a writer holds; raises `StoreError` when another process already runs this run."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"Run {self.id} is being run by another process. Wait for it, or end it first."
            ) from error
        return lock

    @staticmethod
    def _attach(connection: duckdb.DuckDBPyConnection, name: str, table: Table) -> None:
        """Make a view over the sealed parts, which DuckDB streams, and the open journal, which is small."""
        connection.register(f"{name}_open", table.open_rows())
        sources = [f"select * from {name}_open"]
        if parts := table.parts():
            listed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
            sources.insert(0, f"select * from read_parquet([{listed}])")
        try:
            connection.execute(f"create view {name} as {' union all '.join(sources)}")
        except duckdb.Error as error:
            raise StoreError(f"A part file under {table.directory} cannot be read: {error}") from error


def open_run(run: str | Path) -> Run:
    """Open a run by its directory, its id, or the start of its id.

    Raises `UnknownNameError` when there is none, `StoreError` when `run.json` is unreadable or newer than this gadfly.
    """
    path = Path(run)
    if not (path / "run.json").exists():
        path = _find(str(run))
    try:
        info = json.loads((path / "run.json").read_text())
    except ValueError as error:
        raise StoreError(f"{path / 'run.json'} is not JSON ({error}). Restore it or start the run anew.") from error
    if info.get("format", 0) > FORMAT:
        raise StoreError(
            f"Run {path.name} was written by gadfly {info.get('versions', {}).get('gadfly', '?')} in format "
            f"{info['format']}; this one reads up to {FORMAT}. Upgrade gadfly: pip install -U gadfly."
        )
    return Run(path, info)


def all_runs(directory: Path | None = None) -> list[Run]:
    """Every run under `directory` (default `home()`), newest first."""
    found = (directory or home()).glob("*/run.json")
    runs = [open_run(path.parent) for path in found]
    return sorted(runs, key=lambda run: run.info.get("started", ""), reverse=True)


def _find(name: str) -> Path:
    known = sorted(path.parent for path in home().glob("*/run.json"))
    matches = [path for path in known if path.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if len(matches) > 1:
        raise InputError(f"{name!r} could be {', '.join(path.name for path in matches)}. Type more of it.")
    raise UnknownNameError("run", name, [path.name for path in known], f"Runs are looked for in {home()}.")


def transcript_row(transcript: Transcript) -> dict[str, Any]:
    """A transcript as a row; text that is not valid Unicode is mended (a lone surrogate becomes "?")."""
    case = transcript.case
    return {
        "case_id": case.id,
        "index": case.index,
        "seed": case.seed,
        "data": _dump(case.data),
        "turns": [{"speaker": t.speaker, "text": _clean(t.text), "stop": t.stop} for t in transcript.turns],
        "outcome": transcript.outcome,
        "cause": transcript.cause,
        "usage": [
            {"role": role, "input_tokens": u.input_tokens, "output_tokens": u.output_tokens, "cost": u.cost}
            for role, u in transcript.usage.items()
        ],
        "metadata": _dump(transcript.metadata),
    }


def transcript_from_row(row: dict[str, Any]) -> Transcript:
    """The inverse of `transcript_row`."""
    return Transcript(
        case=Case(row["case_id"], row["index"], row["seed"], json.loads(row["data"])),
        turns=tuple(Turn(t["speaker"], t["text"], t["stop"]) for t in row["turns"]),
        outcome=row["outcome"],
        cause=row["cause"],
        usage={u["role"]: Usage(u["input_tokens"], u["output_tokens"], u["cost"]) for u in row["usage"]},
        metadata=json.loads(row["metadata"]),
    )


def judgement_row(judgement: Judgement, index: int) -> dict[str, Any]:
    """A judgement as a row, with its case's index so that resuming needs no join."""
    return {
        "case_id": judgement.case_id,
        "index": index,
        "judge": judgement.judge,
        "score": judgement.score,
        "cause": judgement.cause,
        "rationale": _clean(judgement.rationale),
        "uncertainty": judgement.uncertainty,
        "evidence": [_clean(text) for text in judgement.evidence],
        "metadata": _dump(judgement.metadata),
    }


def judgement_from_row(row: dict[str, Any]) -> Judgement:
    """The inverse of `judgement_row`."""
    return Judgement(
        case_id=row["case_id"],
        judge=row["judge"],
        score=row["score"],
        cause=row["cause"],
        rationale=row["rationale"],
        uncertainty=row["uncertainty"],
        evidence=tuple(row["evidence"]),
        metadata=json.loads(row["metadata"]),
    )


def indices(batches: Iterable[pa.Table]) -> Iterator[int]:
    """The `index` column of a table, streamed."""
    for batch in batches:
        yield from batch["index"].to_pylist()


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _dump(value: Any) -> str:
    return _clean(json.dumps(dict(value), ensure_ascii=False))
