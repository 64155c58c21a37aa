"""A run on disk: `run.json` with what was run, two append-only tables with what came out.

    RUN/run.json            spec, seed, players' fingerprints, versions, git state, judges, progress
    RUN/transcripts/        one row per case
    RUN/judgements/         one row per case and judge

`Run` is the reading side and also what the runner writes through. Rows become `Transcript` and `Judgement`
here and nowhere else.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from filelock import FileLock, Timeout

from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.runs._table import Table, storage_error, sync
from gadfly.transcripts import Case, Judgement, Transcript, Turn, Usage

if TYPE_CHECKING:  # together 60 MB of memory that playing cases does not need
    import duckdb
    import pandas as pd

logger = logging.getLogger("gadfly")

__all__ = ["FORMAT", "Run", "all_runs", "home", "open_run"]

FORMAT = 1

TEXT, WHOLE, REAL = pa.string(), pa.int64(), pa.float64()


def _fields(**columns: pa.DataType) -> list[pa.Field[Any]]:
    return [pa.field(name, kind) for name, kind in columns.items()]


TURN = pa.struct(_fields(speaker=TEXT, text=TEXT, stop=TEXT))
USAGE = pa.struct(_fields(role=TEXT, input_tokens=WHOLE, output_tokens=WHOLE, cost=REAL))
TRANSCRIPTS = pa.schema(
    _fields(
        case_id=TEXT,
        index=WHOLE,
        seed=WHOLE,
        data=TEXT,
        turns=pa.list_(TURN),
        outcome=TEXT,
        cause=TEXT,
        usage=pa.list_(USAGE),
        metadata=TEXT,
    )
)
JUDGEMENTS = pa.schema(
    _fields(
        case_id=TEXT,
        index=WHOLE,
        judge=TEXT,
        score=REAL,
        cause=TEXT,
        rationale=TEXT,
        uncertainty=REAL,
        evidence=pa.list_(TEXT),
        metadata=TEXT,
    )
)

CASES_VIEW = """
create view cases as
select t.case_id, t.index,
       list_last(list_filter(t.turns, lambda x: x.speaker in ('attacker', 'user'))).text as question,
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
    `verdict` (the judge named first), `status` (`running`, `interrupted`, `stopped`, `complete`), `players`,
    `versions`, `git`, `command` and the `directory` it was given in, `wall_s`. `status` speaks of every
    case that was ever asked for. Two things are not on disk. `cut`: whether Ctrl-C ended the call of `run` that
    returned this, be it in the run's very last cases; if not, the cases of that call are all there. `by`: the judge
    asked for by `as_judged_by`, empty for the run's own.
    """

    path: Path
    info: dict[str, Any]
    cut: bool = field(default=False, compare=False)
    by: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """The run's name, which is its directory's."""
        return self.path.name

    @property
    def found_by(self) -> str:
        """What `open_run` finds it by: its id where runs live, elsewhere its directory."""
        return self.id if home().resolve() in self.path.resolve().parents else str(self.path)

    @property
    def status(self) -> str:
        """`info["status"]`, except that a run whose process is gone is `interrupted`, not `running`."""
        said = str(self.info.get("status", "interrupted"))
        if said != "running":
            return said
        with suppress(StoreError):
            self.lock().release()
            return "interrupted"
        return said

    def as_judged_by(self, judge: str) -> Run:
        """The run with this judge's verdicts as those that count; for an empty name, with those that do already. On
        disk nothing changes. Raises `InputError` for a judge that has not judged it.
        """
        known = self.info.get("judges", {})
        if judge and judge not in known:
            these = f"these have: {', '.join(known)}" if known else "nobody has"
            raise InputError(f"{judge!r} has not judged run {self.id}; {these}.")
        return replace(self, info={**self.info, "verdict": judge}, by=judge) if judge else self

    @property
    def transcript_table(self) -> Table:
        """The rows of transcripts."""
        return Table(self.path / "transcripts", TRANSCRIPTS)

    @property
    def judgement_table(self) -> Table:
        """The rows of judgements."""
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

    def judged(self) -> Iterator[tuple[Transcript, list[Judgement]]]:
        """Every transcript with its judgements, by case index, streamed."""
        database = _database(os.getpid())
        with database.cursor() as one, database.cursor() as other:
            told = _rows(self._relation(one, self.transcript_table).order('"index"'))
            judgements = _rows(self._relation(other, self.judgement_table).order('"index", judge'))
            grouped = groupby(judgements, key=lambda row: row["index"])
            index, group = next(grouped, (-1, iter(())))
            for row in told:
                while 0 <= index < row["index"]:
                    index, group = next(grouped, (-1, iter(())))
                yield (
                    transcript_from_row(row),
                    [judgement_from_row(j) for j in group] if index == row["index"] else [],
                )

    def sql(self, query: str) -> pd.DataFrame:
        """Ask DuckDB about this run: the tables `transcripts` and `judgements`, and the view `cases` that
        joins them.

        Raises `InputError` with DuckDB's sentence when the query is wrong.
        """
        import duckdb

        with self._connect() as connection:
            try:
                result = connection.execute(query)
                if result is None:
                    raise InputError(
                        "The query is empty. Try: select outcome, count(*) from transcripts group by all"
                    )
                return result.df()
            except duckdb.Error as error:
                self._blame_parts()
                raise InputError(f"The query cannot be run: {str(error).splitlines()[0]}") from error

    def frame(self) -> pd.DataFrame:
        """One row per case and judge: index, question, reply, outcome, cause, judge, score, missing, …"""
        return self.sql('select * from cases order by "index", judge')

    def save(self, **changes: Any) -> Run:
        """Write `run.json` anew, atomically, with these changes; returns the run as it now is."""
        info = {**self.info, **changes}
        temporary = self.path / "run.json.tmp"
        try:
            temporary.write_text(json.dumps(info, indent=1))
            sync(temporary)
            temporary.replace(self.path / "run.json")
        except OSError as error:
            raise storage_error(error, self.path / "run.json") from error
        return replace(self, info=info)

    def lock(self) -> FileLock:
        """The lock a writer holds; raises `StoreError` when another process already runs this run."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            lock.acquire(timeout=0.2)
        except Timeout as error:
            raise StoreError(
                f"Run {self.id} is being run by another process. Wait for it, or end it first."
            ) from error
        except OSError as error:
            raise StoreError(
                f"Nothing can be written in {self.path} ({error.strerror}). Choose another directory for "
                f"runs, for example GADFLY_RUNS=~/gadfly-runs."
            ) from error
        return lock

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """A connection with views over the sealed parts, which DuckDB streams, and the open journal."""
        import duckdb

        connection = duckdb.connect(":memory:")
        for name, table in (("judgements", self.judgement_table), ("transcripts", self.transcript_table)):
            self._relation(connection, table).create_view(name)
        connection.execute(CASES_VIEW)
        return connection

    def _relation(self, connection: duckdb.DuckDBPyConnection, table: Table) -> duckdb.DuckDBPyRelation:
        """All rows of a table. Raises the `StoreError` that names the corrupt part, if there is one."""
        import duckdb

        parts, rest = table.snapshot()
        rows = connection.from_arrow(rest)
        try:
            return connection.read_parquet([str(part) for part in parts]).union(rows) if parts else rows
        except duckdb.Error:
            self._blame_parts()
            raise

    def _blame_parts(self) -> None:
        """Raise the `StoreError` that names the corrupt part, if that is why DuckDB failed."""
        for table in (self.transcript_table, self.judgement_table):
            for _ in table.batches():
                pass


def open_run(run: str | Path) -> Run:
    """Open a run by its directory, its id, or the start of its id.

    Raises `UnknownNameError` when there is none, `StoreError` when `run.json` is unreadable or newer than
    this gadfly.
    """
    path = Path(run)
    if not (path / "run.json").exists():
        path = _find(str(run))
    try:
        info = json.loads((path / "run.json").read_bytes())
        written_in = info["format"]
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise StoreError(
            f"{path / 'run.json'} cannot be read as a run ({error}). Restore it, or move {path} away and "
            f"start anew."
        ) from error
    if written_in > FORMAT:
        raise StoreError(
            f"Run {path.name} was written by gadfly {info.get('versions', {}).get('gadfly', '?')} in "
            f"format {written_in}; this one reads up to {FORMAT}. Upgrade gadfly: pip install -U gadfly."
        )
    return Run(path, info)


def all_runs(directory: Path | None = None) -> list[Run]:
    """Every run under `directory` (default `home()`), newest first. One that cannot be read is logged and
    left out.
    """
    runs = []
    for path in (directory or home()).glob("*/run.json"):
        try:
            runs.append(open_run(path.parent))
        except StoreError as error:
            logger.warning("%s", error)
    return sorted(runs, key=lambda run: str(run.info.get("started", "")), reverse=True)


def _find(name: str) -> Path:
    """The run so named; else one of those that lie together in a directory, `standard-smollm2-1/pressure-…`."""
    known = {path.parent.name: path.parent for path in sorted(home().glob("*/run.json"))}
    inside = {
        f"{path.parts[-3]}/{path.parts[-2]}": path.parent for path in sorted(home().glob("*/*/run.json"))
    }
    matches = [run for run in known if run.startswith(name)]
    matches = matches or [
        run for run in inside if run.startswith(name) or run.partition("/")[2].startswith(name)
    ]
    if len(matches) == 1:
        return {**known, **inside}[matches[0]]
    if len(matches) > 1:
        raise InputError(f"{name!r} could be {', '.join(matches)}. Type more of it.")
    hint = f"gadfly runs lists those in {home()}; GADFLY_RUNS names another place."
    raise UnknownNameError("run", name, known, hint)


def transcript_row(transcript: Transcript) -> dict[str, Any]:
    """A transcript as a row. Text that is not valid Unicode is mended: a lone surrogate becomes "?"."""
    case = transcript.case
    return {
        "case_id": case.id,
        "index": case.index,
        "seed": case.seed,
        "data": _dump(case.data),
        "turns": [
            {"speaker": _clean(t.speaker), "text": _clean(t.text), "stop": t.stop} for t in transcript.turns
        ],
        "outcome": transcript.outcome,
        "cause": _clean(transcript.cause),
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
        "cause": _clean(judgement.cause),
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


_encode = json.JSONEncoder(ensure_ascii=False).encode


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """One DuckDB for all that this process streams: to start one takes 40 ms, another cursor nothing."""
    import duckdb

    atexit.register(_database.cache_clear)  # DuckDB complains of what is left when Python ends
    return duckdb.connect(":memory:")


def _rows(rows: duckdb.DuckDBPyRelation) -> Iterator[dict[str, Any]]:
    reader: Any = rows.to_arrow_reader(1_000)
    for batch in reader:
        yield from batch.to_pylist()


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _dump(value: Any) -> str:
    return _clean(_encode(dict(value)))
