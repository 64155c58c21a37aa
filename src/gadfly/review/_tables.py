"""The tables that hold queues, items, raters and their labels, and how a database is brought to them.

Two numbers make assignment cheap and safe. `review_items.taken` counts an item's votes and leases, and the database
itself refuses `taken > quota`; a partial index holds only the items that still want votes. An assignment is one
rater's one meeting with an item, and unique as such. The log refuses to be altered, by triggers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

__all__ = [
    "HEAD",
    "VERSION_TABLE",
    "answers",
    "assignments",
    "decisions",
    "items",
    "log",
    "metadata",
    "queues",
    "raters",
    "rounds",
    "secret",
    "some",
]

HEAD = "0001"
"""The newest migration. A database at another one is migrated when it is opened."""

VERSION_TABLE = "review_version"


class Moment(TypeDecorator[datetime]):
    """A moment, UTC-aware on both sides; SQLite itself keeps no zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMES)


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _to(table: str, name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{table}.id"), nullable=False, **options)


def some(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    """Columns of a table by name."""
    return [table.c[name] for name in names]


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, default="")


queues = sa.Table(
    "review_queues",
    metadata,
    _key(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _text("kind"),
    _text("question"),
    _text("guidelines"),
    sa.Column("raters", sa.Integer, nullable=False),
    sa.Column("double_share", sa.Float, nullable=False),
    sa.Column("gold_share", sa.Float, nullable=False),
    sa.Column("lease_s", sa.Integer, nullable=False),
    sa.Column("explain", sa.Boolean, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("created", Moment, nullable=False),
)

rounds = sa.Table(
    "review_rounds",
    metadata,
    _key(),
    _to("review_queues", "queue_id", index=True),
    _text("run"),
    _text("policy"),
    _text("judge"),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("frame", sa.Integer, nullable=False),
    _text("frame_digest"),
    sa.Column("chosen", sa.Text, nullable=False, server_default=""),
    sa.Column("created", Moment, nullable=False),
)

items = sa.Table(
    "review_items",
    metadata,
    _key(),
    _to("review_queues", "queue_id"),
    sa.Column("round_id", sa.Integer, sa.ForeignKey("review_rounds.id")),
    _text("run"),
    _text("case_id"),
    _text("payload"),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("draw", sa.Integer, nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("lowest", sa.Float, nullable=False),
    _text("why"),
    sa.Column("gold", sa.Boolean),
    sa.Column("quota", sa.Integer),  # null: no bound (gold)
    sa.Column("taken", sa.Integer, nullable=False, default=0),
    sa.Column("conflict", sa.Boolean, nullable=False, default=False),
    sa.CheckConstraint("taken >= 0 AND taken <= quota", name="quota"),
    sa.UniqueConstraint("queue_id", "run", "case_id"),
    sa.UniqueConstraint("queue_id", "position"),
)
for _name, _which in (
    ("wanting", "gold IS NULL AND taken < quota"),
    ("gold", "gold IS NOT NULL"),
    ("conflict", "conflict"),
):
    sa.Index(
        f"ix_review_items_{_name}",
        items.c.queue_id,
        items.c.position,
        sqlite_where=sa.text(_which),
        postgresql_where=sa.text(_which),
    )

raters = sa.Table(
    "review_raters",
    metadata,
    _key(),
    _to("review_queues", "queue_id"),
    _text("name"),
    _text("role"),
    sa.Column("token", sa.LargeBinary, unique=True),  # SHA-256; null for one who labelled elsewhere
    sa.Column("expires", Moment),
    sa.Column("revoked", Moment),
    sa.Column("shown", sa.Integer, nullable=False, default=0),  # items leased so far: decides when gold comes
    sa.UniqueConstraint("queue_id", "name"),
)

assignments = sa.Table(
    "review_assignments",
    metadata,
    _key(),
    _to("review_items", "item_id"),
    _to("review_raters", "rater_id"),
    _text(
        "state"
    ),  # leased; lapsed: its lease ran out; answered; asked: answered, and a second answer is due
    sa.Column("leased", Moment, nullable=False),
    sa.Column("leased_until", Moment, nullable=False),
    sa.Column("answered", Moment),
    sa.Column("value", sa.Text),  # the standing answer's
    sa.Column("pointed_out", sa.Integer),  # the guideline that help named, with its words
    _text("why"),
    sa.Column("gold", sa.Boolean),  # the item's, so that a rater's gold is found without it
    sa.UniqueConstraint("item_id", "rater_id"),
    sa.CheckConstraint("(state IN ('answered', 'asked')) = (value IS NOT NULL)", name="answered"),
)
sa.Index("ix_review_assignments_state", assignments.c.rater_id, assignments.c.state)
sa.Index("ix_review_assignments_answered", assignments.c.rater_id, assignments.c.answered)
_LEASED = sa.text("state = 'leased'")
sa.Index(
    "ix_review_assignments_leases",
    assignments.c.leased_until,
    sqlite_where=_LEASED,
    postgresql_where=_LEASED,
)


def _said() -> list[sa.Column[Any]]:
    return [
        _text("value"),
        _text("reason"),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("rule", sa.Integer),
        sa.Column("at", Moment, nullable=False),
    ]


answers = sa.Table(
    "review_answers",
    metadata,
    _key(),
    _to("review_assignments", "assignment_id"),
    sa.Column("attempt", sa.Integer, nullable=False),
    *_said(),
    sa.UniqueConstraint("assignment_id", "attempt"),
)

decisions = sa.Table(  # a lead's, one for an item
    "review_decisions",
    metadata,
    _key(),
    _to("review_items", "item_id"),
    _to("review_raters", "rater_id"),
    *_said(),
    sa.UniqueConstraint("item_id"),
)

secret = sa.Table(  # one row, made with the table: what sessions are signed with
    "review_secret",
    metadata,
    _key(),
    sa.Column("value", sa.LargeBinary, nullable=False),
)

log = sa.Table(
    "review_log",
    metadata,
    _key(),
    _to("review_queues", "queue_id", index=True),
    sa.Column("at", Moment, nullable=False),
    _text("who"),
    _text("action"),
    _text("data"),
)
