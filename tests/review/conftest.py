"""An empty store on each of the two databases, and a queue in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from review_desk import Clock, Desk, drawn, gold

import postgres_server
from gadfly.review._records import QueueSpec, Round
from gadfly.review._store import Store

ALONE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server for the session."""
    if postgres_server.binaries() is None:
        pytest.skip(postgres_server.MISSING)
    with postgres_server.server("fsync=off") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind; PostgreSQL's is emptied: each new one is three hundred files to delete."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labels.db'}"
    server: str = request.getfixturevalue("postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(ALONE)
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[Store]:
    with Store(database_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def desk(store: Store) -> Callable[..., Desk]:
    """`desk(cases, gold=0, raters=1, …)`: a queue of so many drawn cases; the rest as in `QueueSpec`."""

    def make(cases: int, golden: int = 0, **spec: object) -> Desk:
        store.create(QueueSpec("claims", **{"double_share": 0.0, "gold_share": 0.0, **spec}))
        store.add_round("claims", Round("run"), drawn(cases))
        if golden:
            store.add_gold("claims", gold(golden))
        return Desk(store)

    return make
