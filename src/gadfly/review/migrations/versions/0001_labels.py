"""Queues, rounds, items, raters, their assignments and answers, leads' decisions, and the log that cannot be altered.

Frozen: what changes later is a migration of its own. There is no way down, it would drop labels.
"""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Every table, then the log's triggers."""
    _queues()
    _raters()
    _items()
    _assignments()
    _answers()
    _secret()
    _log()


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _to(table: str, name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{table}.id"), nullable=False)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _wholes(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _reals(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Float, nullable=False) for name in names]


def _moment(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _some(index: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(index, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _queues() -> None:
    op.create_table(
        "review_queues",
        _key(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        *_texts("kind", "question", "guidelines"),
        *_wholes("raters"),
        *_reals("double_share", "gold_share"),
        *_wholes("lease_s"),
        sa.Column("explain", sa.Boolean, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        _moment("created"),
    )
    op.create_table(
        "review_rounds",
        _key(),
        _to("review_queues", "queue_id"),
        *_texts("run", "policy", "judge", "frame_digest"),
        *_wholes("frame"),
        sa.Column("seed", sa.BigInteger, nullable=False),
        _moment("created"),
    )
    op.create_index("ix_review_rounds_queue_id", "review_rounds", ["queue_id"])


def _raters() -> None:
    op.create_table(
        "review_raters",
        _key(),
        _to("review_queues", "queue_id"),
        *_texts("name", "role"),
        sa.Column("token", sa.LargeBinary, unique=True),
        _moment("expires", nullable=True),
        _moment("revoked", nullable=True),
        *_wholes("shown"),
        sa.UniqueConstraint("queue_id", "name"),
    )


def _items() -> None:
    op.create_table(
        "review_items",
        _key(),
        _to("review_queues", "queue_id"),
        sa.Column("round_id", sa.Integer, sa.ForeignKey("review_rounds.id")),
        *_texts("run", "case_id", "payload", "why"),
        *_wholes("position", "index", "draw", "taken"),
        *_reals("probability", "lowest"),
        sa.Column("gold", sa.Boolean),
        sa.Column("quota", sa.Integer),
        sa.Column("conflict", sa.Boolean, nullable=False),
        sa.CheckConstraint("taken >= 0 AND taken <= quota", name="quota"),
        sa.UniqueConstraint("queue_id", "run", "case_id"),
        sa.UniqueConstraint("queue_id", "position"),
    )
    wanted = ["queue_id", "position"]
    _some("ix_review_items_wanting", "review_items", wanted, "gold IS NULL AND taken < quota")
    _some("ix_review_items_gold", "review_items", wanted, "gold IS NOT NULL")
    _some("ix_review_items_conflict", "review_items", wanted, "conflict")


def _assignments() -> None:
    op.create_table(
        "review_assignments",
        _key(),
        _to("review_items", "item_id"),
        _to("review_raters", "rater_id"),
        *_texts("state"),
        _moment("leased"),
        _moment("leased_until"),
        _moment("answered", nullable=True),
        sa.Column("value", sa.Text),
        sa.Column("pointed_out", sa.Integer),
        *_texts("why"),
        sa.Column("gold", sa.Boolean),
        sa.UniqueConstraint("item_id", "rater_id"),
        sa.CheckConstraint("(state IN ('answered', 'asked')) = (value IS NOT NULL)", name="answered"),
    )
    op.create_index("ix_review_assignments_state", "review_assignments", ["rater_id", "state"])
    op.create_index("ix_review_assignments_answered", "review_assignments", ["rater_id", "answered"])
    _some("ix_review_assignments_leases", "review_assignments", ["leased_until"], "state = 'leased'")


def _answers() -> None:
    op.create_table(
        "review_answers",
        _key(),
        _to("review_assignments", "assignment_id"),
        *_wholes("attempt"),
        *_said(),
        sa.UniqueConstraint("assignment_id", "attempt"),
    )
    op.create_table(
        "review_decisions",
        _key(),
        _to("review_items", "item_id"),
        _to("review_raters", "rater_id"),
        *_said(),
        sa.UniqueConstraint("item_id"),
    )


def _said() -> list[sa.Column[Any]]:
    return [*_texts("value", "reason"), *_reals("seconds"), sa.Column("rule", sa.Integer), _moment("at")]


def _secret() -> None:
    table = op.create_table("review_secret", _key(), sa.Column("value", sa.LargeBinary, nullable=False))
    op.execute(sa.insert(table).values(value=secrets.token_bytes(32)))


def _log() -> None:
    op.create_table(
        "review_log",
        _key(),
        _to("review_queues", "queue_id"),
        _moment("at"),
        *_texts("who", "action", "data"),
    )
    op.create_index("ix_review_log_queue_id", "review_log", ["queue_id"])
    for statement in ALTERATIONS_REFUSED[op.get_bind().dialect.name]:
        op.execute(statement)


ALTERATIONS_REFUSED = {
    "sqlite": (
        """CREATE TRIGGER review_log_no_update BEFORE UPDATE ON review_log
           BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
        """CREATE TRIGGER review_log_no_delete BEFORE DELETE ON review_log
           BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
        # INSERT OR REPLACE deletes without firing the trigger above
        """CREATE TRIGGER review_log_no_replace BEFORE INSERT ON review_log
           WHEN EXISTS (SELECT 1 FROM review_log WHERE id = NEW.id)
           BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION review_log_append_only() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$""",
        """CREATE TRIGGER review_log_no_change BEFORE UPDATE OR DELETE ON review_log
           FOR EACH ROW EXECUTE FUNCTION review_log_append_only()""",
        """CREATE TRIGGER review_log_no_truncate BEFORE TRUNCATE ON review_log
           FOR EACH STATEMENT EXECUTE FUNCTION review_log_append_only()""",
    ),
}
