"""One database, SQLite or PostgreSQL: opened, brought to this version's tables, read from and written to.

A write is one transaction, on disk when it returns; only leases do not wait for the disk, which a power cut may then
take. On SQLite writers of this process take turns here (SQLite's own waiting is unfair and slow), and `BEGIN
IMMEDIATE` keeps those of other processes apart.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, NoSuchModuleError

from gadfly.errors import InputError, StoreError
from gadfly.review._tables import HEAD, VERSION_TABLE

__all__ = ["Database", "address", "again"]

P = ParamSpec("P")
T = TypeVar("T")
TRIES = 5
"""How often a write is tried that PostgreSQL undid to end a deadlock."""

DEFAULT = "sqlite:///gadfly-review.db"
MIGRATIONS = Path(__file__).parent / "migrations"
_OPENING = 0x6ADF17  # the advisory lock that PostgreSQL openers take in turn


def again(write: Callable[P, T]) -> Callable[P, T]:
    """The same, tried again where PostgreSQL undid all of it: of writers that wait for each other it undoes one."""

    @wraps(write)
    def tried(*args: P.args, **named: P.kwargs) -> T:
        for _ in range(TRIES - 1):
            try:
                return write(*args, **named)
            except StoreError as error:
                orig = getattr(error.__cause__, "orig", None)
                if getattr(orig, "sqlstate", "") not in ("40P01", "40001"):
                    raise
        return write(*args, **named)

    return tried


def address(url: str | None = None) -> sa.URL:
    """The database to use: `url`, else `$GADFLY_REVIEW`, else a file in the current directory. What has no :// is the
    path of a file.

    Raises `InputError` for what is no SQLite or PostgreSQL URL.
    """
    given = url or os.environ.get("GADFLY_REVIEW") or DEFAULT
    if "://" not in given and not given.startswith("sqlite:"):
        return sa.URL.create("sqlite+pysqlite", database=str(Path(given)))
    hint = "Write sqlite:///labels.db or postgresql://user:password@host/database."
    try:
        parsed = sa.make_url(given)
    except ArgumentError as error:
        raise InputError(f"The address of the labels (GADFLY_REVIEW) cannot be read. {hint}") from error
    kind = parsed.drivername.split("+")[0]
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise InputError(f"Labels are kept in SQLite or PostgreSQL, not in {kind!r}. {hint}")
    if not parsed.database or parsed.database == ":memory:":
        raise InputError("Labels that are only in memory would be lost: name a file, sqlite:///labels.db.")
    return parsed.set(drivername="sqlite+pysqlite")


class Database:
    """A database at this version's tables.

    Raises `StoreError` when it cannot be reached or read, or when a newer gadfly made it.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = address(url)
        self._lite = self.url.get_backend_name() == "sqlite"
        if self._lite:
            _keep_private(Path(self.url.database or ""))
        self._turn: AbstractContextManager[Any] = _Turns() if self._lite else nullcontext()
        self._engine = self._connected()
        self._reader = self._glancer = self._engine
        if not self._lite:
            self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ")
            self._glancer = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writer = self._engine.execution_options(synchronous="FULL")
        self._leaser = self._engine.execution_options(synchronous="NORMAL")
        try:
            self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database and must not write."""
        with self._blaming(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[sa.Connection]:
        """A connection for statements that need not see one state: half the round trips on PostgreSQL."""
        with self._blaming(), self._glancer.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, survives_power_cut: bool = True) -> Iterator[sa.Connection]:
        """A transaction: all of it kept at the end, or none of it when an exception leaves it.

        One that need not survive a power cut, only the death of this process, does not wait for the disk.
        """
        engine = self._writer if survives_power_cut else self._leaser
        with self._turn, self._blaming(), engine.begin() as connection:
            if not (survives_power_cut or self._lite):
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
            yield connection

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _connected(self) -> sa.Engine:
        options: dict[str, Any] = {"pool_size": 20, "max_overflow": 30, "pool_use_lifo": True}
        if not self._lite:
            options |= {"pool_size": 10, "max_overflow": 20}
        try:
            engine = sa.create_engine(self.url, **options)
        except (ImportError, NoSuchModuleError) as error:
            raise StoreError(
                "Labels in PostgreSQL need its driver: run pip install 'gadfly[postgres]'."
            ) from error
        if self._lite:
            sa.event.listen(engine, "connect", _prepare)
            sa.event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.IntegrityError:
            raise
        except (DatabaseError, InterfaceError) as error:
            said = (
                str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error).__name__
            )
            raise StoreError(f"The labels in {self} cannot be used: {said}. {self._remedy()}") from error

    def _remedy(self) -> str:
        if self._lite:
            return (
                "Check that the file is a database of gadfly's, its directory exists and can be written to."
            )
        return "Check that PostgreSQL runs there, and the user, the password and the database's name."

    def _bring_up_to_date(self) -> None:
        with self.read() as connection:
            if _version(connection) == HEAD:
                return
        with self.write() as connection:
            if not self._lite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_OPENING)))
            _migrate(connection, str(self))


class _Turns:
    """A lock that is had in the order asked for; `threading.Lock` lets some wait four times as long as others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()  # whoever is before releases it

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(
        sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))
    ).scalar()


def _migrate(connection: sa.Connection, name: str) -> None:
    from alembic import command  # half a second, and needed once in a database's life
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    found = _version(connection)
    if found is not None and found not in known:
        raise StoreError(
            f"The labels in {name} were kept by a newer gadfly (tables {found}, this one knows {HEAD}): "
            "upgrade gadfly, or name another database with GADFLY_REVIEW."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _keep_private(file: Path) -> None:
    """Make the file so that only its owner reads it: it holds what sessions are signed with. SQLite's own follow it."""
    with suppress(OSError):  # what is wrong with the place is said on connecting
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # `_begin` says how a transaction begins, not Python's driver
    for setting in ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: sa.Connection) -> None:
    synchronous = connection.get_execution_options().get("synchronous")
    if synchronous is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
