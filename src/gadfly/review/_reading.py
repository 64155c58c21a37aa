"""What a queue holds, read in bulk: labels, drawings, conflicts, progress. A fixed number of queries each."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from gadfly.review._assigning import item, spoken
from gadfly.review._records import (
    SCORES,
    Conflict,
    DrawnItem,
    DrawnRound,
    Label,
    LogEntry,
    Progress,
    QueueStatus,
    Rater,
    RaterStatus,
    Round,
    Vote,
)
from gadfly.review._tables import answers, assignments, decisions, items, log, queues, raters, rounds, some

__all__ = [
    "conflicts",
    "count_wanting",
    "draws",
    "labels",
    "log_entries",
    "progress",
    "progress_of",
    "status",
]


def _saying(value: float) -> sa.ColumnElement[bool]:
    return assignments.c.value.in_([word for word, its in SCORES.items() if its == value])


# Built once: `progress` is asked with every page.
_DONE, _HELD = assignments.c.value.is_not(None), assignments.c.state == "leased"
_OPEN = sa.and_(items.c.gold.is_(None), items.c.taken < items.c.quota)
_RIGHT = sa.or_(
    *(sa.and_(assignments.c.gold.is_(gold), _saying(said)) for gold, said in ((True, 1.0), (False, 0.0)))
)
_WANTING = (
    sa.select(sa.func.count())
    .select_from(items)
    .where(items.c.queue_id == sa.bindparam("its_queue"), sa.text("gold IS NULL AND taken < quota"))
)
_FAR = (
    sa.select(
        raters.c.id,
        sa.func.count().filter(_DONE).label("done"),
        sa.func.count().filter(_HELD).label("held"),
        sa.func.count().filter(sa.or_(_DONE, _HELD), _OPEN).label("met"),
        sa.func.count().filter(_DONE, assignments.c.gold.is_not(None)).label("gold"),
        sa.func.count().filter(_RIGHT).label("right"),
    )
    .outerjoin(assignments, assignments.c.rater_id == raters.c.id)
    .outerjoin(items, items.c.id == assignments.c.item_id)
    .group_by(raters.c.id)
)
_FAR_ALL = _FAR.where(raters.c.queue_id == sa.bindparam("its_queue"))
_FAR_ONE = _FAR.add_columns(raters.c.queue_id).where(raters.c.id == sa.bindparam("its_rater"))
_ABOUT = (items.c.id.label("item_id"), *some(items, "run", "case_id", "gold"), *some(raters, "name", "role"))


def labels(connection: sa.Connection, queue_id: int) -> list[Label]:
    """Every label of a queue in the order first given, then the leads' decisions."""
    return [
        *_votes(connection, items.c.queue_id == queue_id),
        *_decided(connection, items.c.queue_id == queue_id),
    ]


def draws(connection: sa.Connection, queue_id: int, run: str) -> list[DrawnRound]:
    """The rounds drawn from one run, and what came of each item."""
    of_run = sa.and_(items.c.queue_id == queue_id, items.c.run == run, items.c.gold.is_(None))
    votes, decided = _by_item(_votes(connection, of_run)), _by_item(_decided(connection, of_run))
    drawn: dict[int, list[DrawnItem]] = defaultdict(list)
    query = sa.select(
        *some(items, "id", "round_id", "case_id", "index", "draw", "probability", "lowest", "why")
    )
    for row in connection.execute(query.where(of_run).order_by(items.c.position)):
        said = tuple(label.vote for label in votes.get(row.id, ()))
        resolution = decided[row.id][0].vote if row.id in decided else None
        drawn[row.round_id].append(
            DrawnItem(
                row.id,
                row.case_id,
                row._mapping["index"],  # a row, being a tuple, has an `index` of its own
                row.draw,
                row.probability,
                row.lowest,
                row.why,
                said,
                resolution,
            )
        )
    found = sa.select(rounds).where(rounds.c.queue_id == queue_id, rounds.c.run == run).order_by(rounds.c.id)
    return [DrawnRound(_round(row), tuple(drawn[row.id])) for row in connection.execute(found)]


def conflicts(connection: sa.Connection, queue: Any, resolved: bool) -> list[Conflict]:
    """Items in conflict with their votes, those decided or those not."""
    torn = sa.and_(items.c.queue_id == queue.id, sa.text("conflict"))
    votes, decided = _by_item(_votes(connection, torn)), _by_item(_decided(connection, torn))
    query = sa.select(items, items.c.id.label("item_id"), queues.c.name.label("queue"), queues.c.kind).join(
        queues
    )
    return [
        Conflict(
            item(row),
            tuple(label.vote for label in votes.get(row.id, ())),
            decided[row.id][0].vote if row.id in decided else None,
        )
        for row in connection.execute(query.where(torn).order_by(items.c.position))
        if (row.id in decided) == resolved
    ]


def progress(connection: sa.Connection, queue_id: int) -> Mapping[int, Progress]:
    """How far each rater of a queue is."""
    wanting = count_wanting(connection, queue_id)
    found = connection.execute(_FAR_ALL, {"its_queue": queue_id})
    return {row.id: _far(row, wanting) for row in found}


def progress_of(connection: sa.Connection, rater_id: int, wanting: Callable[[int], int]) -> Progress:
    """How far one rater is, given how many items of their queue want votes."""
    row = connection.execute(_FAR_ONE, {"its_rater": rater_id}).one()
    return _far(row, wanting(row.queue_id))


def count_wanting(connection: sa.Connection, queue_id: int) -> int:
    """How many of a queue's items want votes."""
    return int(connection.execute(_WANTING, {"its_queue": queue_id}).scalar_one())


def _far(row: Any, wanting: int) -> Progress:
    return Progress(row.done, max(0, wanting - row.met + row.held), row.right, row.gold)


def status(connection: sa.Connection, queue: Any) -> QueueStatus:
    """Where a queue stands."""
    ordinary, votes = items.c.gold.is_(None), _votes(connection, items.c.queue_id == queue.id)
    given = [label for label in votes if label.gold is None]
    answered = {key: len(labels) for key, labels in _by_item(given).items()}
    query = sa.select(*some(items, "id", "quota", "conflict")).where(items.c.queue_id == queue.id, ordinary)
    rows = connection.execute(query).all()
    decided = _by_item(_decided(connection, items.c.queue_id == queue.id))
    done = sum(answered.get(row.id, 0) >= row.quota for row in rows)
    gold = sa.select(sa.func.count()).select_from(items).where(items.c.queue_id == queue.id, ~ordinary)
    return QueueStatus(
        queue.name,
        items=len(rows),
        done=done,
        open=len(rows) - done,
        conflicts=sum(bool(row.conflict) and row.id not in decided for row in rows),
        resolved=len(decided),
        labels=len(given),
        gold=connection.execute(gold).scalar_one(),
        raters=_rater_statuses(connection, queue, votes),
    )


def log_entries(connection: sa.Connection, queue_id: int) -> list[LogEntry]:
    """The log of a queue, in order."""
    query = sa.select(log).where(log.c.queue_id == queue_id).order_by(log.c.id)
    return [
        LogEntry(row.id, row.at, row.who, row.action, json.loads(row.data))
        for row in connection.execute(query)
    ]


def _rater_statuses(connection: sa.Connection, queue: Any, votes: Iterable[Label]) -> tuple[RaterStatus, ...]:
    mine: dict[str, list[Vote]] = defaultdict(list)
    for label in votes:
        mine[label.vote.rater].append(label.vote)
    far = progress(connection, queue.id)
    found = connection.execute(sa.select(raters).where(raters.c.queue_id == queue.id).order_by(raters.c.name))
    return tuple(
        RaterStatus(
            Rater(row.id, queue.name, row.name, row.role, row.expires),
            row.revoked is not None,
            far[row.id],
            statistics.median(vote.answer.seconds for vote in mine[row.name]) if mine[row.name] else None,
            max((vote.at for vote in mine[row.name]), default=None),
        )
        for row in found
    )


def _votes(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Label]:
    query = (
        sa.select(*_ABOUT, *answers.c, assignments.c.pointed_out)
        .join(assignments, assignments.c.id == answers.c.assignment_id)
        .join(items, items.c.id == assignments.c.item_id)
        .join(raters, raters.c.id == assignments.c.rater_id)
        .where(which)
        .order_by(answers.c.attempt, answers.c.id)
    )
    firsts: dict[int, Any] = {}
    seconds: dict[int, Any] = {}
    for row in connection.execute(query):
        (firsts if row.attempt == 1 else seconds)[row.assignment_id] = row
    return [_label(seconds.get(key, row), row if key in seconds else None) for key, row in firsts.items()]


def _decided(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Label]:
    query = (
        sa.select(
            *_ABOUT,
            sa.null().label("pointed_out"),
            *[column for column in decisions.c if column.name != "item_id"],
        )
        .join(items, items.c.id == decisions.c.item_id)
        .join(raters, raters.c.id == decisions.c.rater_id)
        .where(which)
        .order_by(decisions.c.id)
    )
    return [_label(row, None, resolves=True) for row in connection.execute(query)]


def _label(row: Any, first: Any, *, resolves: bool = False) -> Label:
    before, at = (None, None) if first is None else (spoken(first), first.at)
    vote = Vote(row.name, row.role, spoken(row), row.at, before, at, row.pointed_out)
    return Label(row.item_id, row.run, row.case_id, row.gold, vote, resolves)


def _by_item(found: Iterable[Label]) -> dict[int, list[Label]]:
    grouped: dict[int, list[Label]] = defaultdict(list)
    for label in found:
        grouped[label.item].append(label)
    return grouped


def _round(row: Any) -> Round:
    return Round(**{field.name: getattr(row, field.name) for field in fields(Round)})
