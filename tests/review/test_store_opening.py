"""Opening the labels: where they are, what a token opens, what the log allows, and errors that name the fix."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from review_desk import Clock, Desk, drawn, gold

from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.review._database import Database, address
from gadfly.review._records import DeniedError, NewItem, QueueSpec, Round
from gadfly.review._store import Store
from gadfly.review._tables import VERSION_TABLE, metadata

Desks = Callable[..., Desk]


def test_the_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    with Database(database_url).read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_labels_are_there_when_the_store_is_opened_again(desk: Desks, database_url: str) -> None:
    at = desk(2)
    at.says("ann", "fails")
    with Store(database_url) as again:
        assert again.ratings("claims") == at.store.ratings("claims")
        assert again.secret() == at.store.secret() and len(again.secret()) == 32


def test_a_newer_gadflys_labels_are_left_alone(database_url: str) -> None:
    database = Database(database_url)
    with database.write() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"kept by a newer gadfly \(tables 9999.*upgrade gadfly"):
        Store(database_url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("://labels.db", "cannot be read. Write sqlite:///labels.db or postgresql"),
        ("mysql://host/labels", "in SQLite or PostgreSQL, not in 'mysql'"),
        ("sqlite://", "only in memory would be lost"),
        ("sqlite:///:memory:", "only in memory would be lost"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        address(url)


def test_the_address_is_that_of_the_environment_or_a_file_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GADFLY_REVIEW", raising=False)
    assert address().database == "gadfly-review.db"
    monkeypatch.setenv("GADFLY_REVIEW", "postgres://ann:word@host/labels")
    assert address().drivername == "postgresql+psycopg"


def test_a_database_that_cannot_be_used_says_so_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, but long enough to be read as one: " * 40)
    for url in (f"sqlite:///{tmp_path}/none/labels.db", f"sqlite:///{tmp_path}/notes.db"):
        with pytest.raises(StoreError, match=r"cannot be used: .*Check that the file is"):
            Store(url)
    with pytest.raises(StoreError, match=r"ann:\*\*\*@.*Check that PostgreSQL runs there") as refused:
        Store(f"postgresql://ann:word@/labels?host={tmp_path}")
    assert "word@" not in str(refused.value)


# --- tokens and roles -----------------------------------------------------------------------------------


def test_a_token_opens_its_queue_until_it_expires_is_revoked_or_replaced(desk: Desks, clock: Clock) -> None:
    at = desk(1)
    tokens = [at.store.add_rater("claims", name, "lead", days=1) for name in ("ann", "bob")]
    assert (at.store.rater(tokens[0]).name, at.store.rater(tokens[0]).role) == ("ann", "lead")
    at.store.revoke("claims", "bob")
    replaced = at.store.add_rater("claims", "ann", days=1)
    for token, said in (
        (tokens[0], "not known"),
        (tokens[1], "was withdrawn"),
        ("forged\ud800\0", "not known"),
    ):
        with pytest.raises(DeniedError, match=said):
            at.store.rater(token)
    clock.passes(86_400)
    with pytest.raises(DeniedError, match="This link ran out on 02 January 2026"):
        at.store.rater_by_id(at.store.raters("claims")[0].id)
    with pytest.raises(DeniedError, match="ran out"):
        at.store.rater(replaced)


def test_the_database_holds_no_token(desk: Desks) -> None:
    at = desk(1)
    token = at.store.add_rater("claims", "ann")
    with at.store._database.read() as connection:
        rows = [str(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    assert len(token) >= 43 and not any(token in row for row in rows)


def test_one_who_labelled_elsewhere_has_no_link(desk: Desks) -> None:
    at = desk(1)
    at.store.import_("claims", ['{"run": "run", "case_id": "c0", "rater": "zoe", "value": "fails"}'])
    with pytest.raises(DeniedError, match="not known"):
        at.store.rater_by_id(at.store.raters("claims")[0].id)


# --- the log --------------------------------------------------------------------------------------------

ALTERATIONS = (
    "UPDATE review_log SET who = 'bob'",
    "DELETE FROM review_log",
    "TRUNCATE review_log",
    "INSERT OR REPLACE INTO review_log SELECT id, queue_id, at, 'bob', action, data FROM review_log",
)


@pytest.mark.parametrize("statement", ALTERATIONS)
def test_the_log_can_only_grow(desk: Desks, database_url: str, statement: str) -> None:
    at = desk(1)
    at.says("ann")
    before = at.store.log("claims")
    connection = sa.create_engine(address(database_url)).connect()
    with connection, pytest.raises(sa.exc.DatabaseError):
        connection.execute(sa.text(statement))
    assert at.store.log("claims") == before


def test_the_log_tells_every_change(desk: Desks) -> None:
    at = desk(1, 1)
    at.says("ann", "cannot_tell")
    at.store.undo(at.rater("ann").id)
    at.store.revoke("claims", "ann")
    told = [(entry.who, entry.action) for entry in at.store.log("claims")]
    by_hand = [("", action) for action in ("create", "add_round", "add_gold", "add_rater")]
    assert told == [*by_hand, ("ann", "lease"), ("ann", "answer"), ("ann", "undo"), ("", "revoke")]


# --- queues and rounds ----------------------------------------------------------------------------------


def test_a_queue_is_read_back_as_it_was_created(store: Store) -> None:
    spec = QueueSpec("q", "compare", "Which?", "1. Rule", 3, 0.5, 0.25, 60, True, 2**40)
    store.create(spec)
    assert store.spec("q") == spec and store.queues() == ["q"]
    with pytest.raises(InputError, match="There is already a queue 'q'"):
        store.create(spec)
    with pytest.raises(UnknownNameError, match=r"There is no queue 'p'\. Did you mean|There is no queue 'p'"):
        store.spec("p")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a\u202eb"},
        {"kind": "poem"},
        {"raters": 0},
        {"double_share": 1.5},
        {"lease_s": 0},
    ],
)
def test_a_queue_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        QueueSpec(**{"name": "q", **wrong})


def test_a_round_is_appended_whole_or_not_at_all(desk: Desks) -> None:
    at = desk(2)
    for bad, said in (
        (drawn(1), "Case c0 of run run is already in queue 'claims'"),
        (gold(1), "Case g0 is gold, which is not drawn"),
        ([NewItem("other", "c", {})], "Case c is of run other, but the round drew from run"),
        ([NewItem("run", "c", {"x": object()})], "What is shown of case c is not JSON"),
        ([NewItem("run", "c", {"x": "y" * 4_000_001})], "an item may have 4,000,000"),
        ([NewItem("run", "c", {}, quota=0)], "needs a quota of at least one vote"),
    ):
        with pytest.raises(InputError, match=said):
            at.store.add_round("claims", Round("run"), [*drawn(1, 9), *bad])
    assert at.store.status("claims").items == 2


def test_rounds_come_back_in_the_order_drawn_with_their_chances_and_votes(desk: Desks) -> None:
    at = desk(0)
    drawing = Round("run", "epistemic", "tuned", 5, 1_000, "abc")
    new = [
        NewItem("run", f"c{n}", {}, index=9 - n, draw=n, probability=0.25, lowest=0.1, why="torn")
        for n in range(2)
    ]
    at.store.add_round("claims", drawing, new)
    at.says("ann", "fails")
    [empty, found] = at.store.draws("claims", "run")
    first, second = found.items
    assert (found.round.policy, found.round.frame, found.round.frame_digest) == ("epistemic", 1_000, "abc")
    assert (first.index, first.draw, first.probability, first.lowest, first.why) == (9, 0, 0.25, 0.1, "torn")
    assert (first.label, second.label, empty.items) == (1.0, None, ())


def test_status_counts_items_labels_and_raters(desk: Desks) -> None:
    at = desk(3, 1, raters=2)
    at.says("ann", "fails", seconds=4.0), at.says("bob", "passes", seconds=8.0), at.says("ann", seconds=2.0)
    status = at.store.status("claims")
    assert (status.items, status.done, status.open, status.conflicts, status.labels) == (3, 1, 2, 1, 3)
    assert [(one.rater.name, one.progress.done, one.median_s) for one in status.raters] == [
        ("ann", 2, 3.0),
        ("bob", 1, 8.0),
    ]


def test_text_from_models_is_kept_as_it_came(desk: Desks) -> None:
    at = desk(0)
    hostile = "<script>\0\x1b[31m\u202e\ud800" + "x" * 200_000
    at.store.add_round("claims", Round("run"), [NewItem("run", "c", {"turns": [hostile]})])
    assert at.store.next(at.rater("ann").id).item.payload == {"turns": [hostile]}


def test_postgres_without_a_server_is_not_a_traceback(postgres: str) -> None:
    with psycopg.connect(postgres) as connection, pytest.raises(StoreError, match="does not exist"):
        Store(postgres.replace("/postgres?", "/nothing_here?"))
    assert connection.closed
