"""Who is given which item, and what becomes of an answer: the rules, each inside one transaction.

The rules: an item never has more votes and leases than its quota; nobody is given an item they have answered; what a
rater has in hand comes first; gold comes at places in a rater's sequence that only the queue's seed and the rater's
name decide. On PostgreSQL a transaction locks the rater first, then one item, and an assignment is only written
while its item is locked, so nobody waits in a circle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gadfly.review._records import (
    LONGEST,
    Answer,
    Assignment,
    DeniedError,
    Item,
    RefusedError,
    checked_answer,
    checked_rule,
    storable,
)
from gadfly.review._tables import answers, assignments, decisions, items, log, queues, raters, some

__all__ = [
    "answered",
    "assignment_by_id",
    "held",
    "lapsing",
    "lease",
    "let_go",
    "note",
    "release_lapsed",
    "undone",
]

STANDING = ("answered", "asked")
"""The states of an assignment whose answer counts; `asked` is one of which a second answer is due."""

_NOT_YOURS = "This item was not given to you; open your link again to go on where you were."
_ROOM = sa.or_(items.c.quota.is_(None), items.c.taken < items.c.quota)
_WANTING = sa.and_(items.c.gold.is_(None), items.c.taken < items.c.quota)

_SHOWN = (
    sa.select(
        assignments.c.id,
        assignments.c.item_id,
        assignments.c.state,
        assignments.c.leased,
        assignments.c.leased_until,
        assignments.c.pointed_out,
        assignments.c.why,
        *some(items, "payload", "position", "run", "case_id", "gold", "quota", "queue_id"),
        raters.c.name.label("rater"),
        raters.c.id.label("rater_id"),
        queues.c.name.label("queue"),
        *some(queues, "kind", "lease_s"),
    )
    .join(items, items.c.id == assignments.c.item_id)
    .join(raters, raters.c.id == assignments.c.rater_id)
    .join(queues, queues.c.id == items.c.queue_id)
)


def held(connection: sa.Connection, rater_id: int, now: datetime) -> Assignment | None:
    """What the rater has in hand, if half its lease is still to run (else it is renewed, in `lease`)."""
    row = connection.execute(_in_hand(rater_id)).first()
    if row is None or (row.state == "leased" and row.leased_until - now < timedelta(seconds=row.lease_s / 2)):
        return None
    return _assignment(connection, row)


def lapsing(connection: sa.Connection, now: datetime) -> bool:
    """Whether any lease has run out and not been released."""
    return connection.execute(_lapsed(now).limit(1)).first() is not None


def release_lapsed(connection: sa.Connection, now: datetime) -> None:
    """Let go of every lease that has run out, but for items that someone is answering at this moment."""
    gone = connection.execute(_lapsed(now).with_for_update(of=items, skip_locked=True, key_share=True))
    for row in gone.all():
        # another process may have released it between the two statements
        let_go(connection, row.id, row.item_id)
        note(connection, row.queue_id, now, row.name, "lapse", {"item": row.item_id})


def lease(connection: sa.Connection, rater_id: int, now: datetime) -> Assignment | None:
    """The item this rater should look at now, theirs until its lease runs out; None when none is left for them."""
    rater = connection.execute(
        sa.select(
            *some(raters, "id", "name", "shown", "queue_id"), *some(queues, "seed", "gold_share", "lease_s")
        )
        .join(queues)
        .where(raters.c.id == rater_id)
        .with_for_update(of=raters, key_share=True)
    ).one()
    times = {"leased": now, "leased_until": now + timedelta(seconds=rater.lease_s)}
    if mine := connection.execute(_in_hand(rater_id)).first():
        _update(connection, mine.id, leased_until=times["leased_until"])
        return _assignment(connection, mine)
    if left := connection.execute(_lost_with_room(rater_id)).first():
        _take(connection, left.item_id, 1)
        _update(connection, left.id, state="leased", **times)
        note(connection, rater.queue_id, now, rater.name, "lease", {"item": left.item_id})
        return assignment_by_id(connection, left.id, rater_id)
    item = _gold(connection, rater) or _wanting(connection, rater)
    if item is None:
        return None
    _take(connection, item.id, 1)
    row = {"item_id": item.id, "rater_id": rater_id, "state": "leased", "gold": item.gold, **times}
    made = connection.execute(sa.insert(assignments).values(row)).inserted_primary_key
    connection.execute(sa.update(raters).where(raters.c.id == rater_id).values(shown=raters.c.shown + 1))
    note(connection, rater.queue_id, now, rater.name, "lease", {"item": item.id})
    return assignment_by_id(connection, made[0], rater_id) if made else None


def answered(
    connection: sa.Connection, assignment_id: int, rater_id: int, answer: Answer, attempt: int, now: datetime
) -> str:
    """Store an answer; returns why it is refused, or nothing.

    An answer that comes when the item is filled is kept in the log before it is refused. The same answer sent again
    (a page that never saw the reply) is taken for the one stored.
    """
    row = _locked(connection, assignment_id, rater_id)
    answer = checked_answer(answer, row.kind)
    if why := _repeated(connection, row, answer, attempt):
        return "" if why == "same" else why
    if attempt == 1 and row.state == "lapsed":
        if row.quota is not None and row.taken >= row.quota:
            late = {"item": row.item_id, "attempt": attempt, **asdict(answer)}
            note(connection, row.queue_id, now, row.rater, "late", late)
            return (
                "Your time on this item ran out and others have answered it since, so your answer is not counted; "
                "it is kept in the log. Go on with the next item."
            )
        _take(connection, row.item_id, 1)
    values = {"assignment_id": assignment_id, "attempt": attempt, "at": now, **asdict(answer)}
    connection.execute(sa.insert(answers).values(values))
    when = {"answered": now} if attempt == 1 else {}  # the first: `undo` goes by it
    _update(connection, assignment_id, state="answered", value=answer.value, **when)
    weigh(connection, row.item_id)
    what = {"item": row.item_id, "attempt": attempt, **asdict(answer)}
    note(connection, row.queue_id, now, row.rater, "answer", what)
    return ""


def undone(connection: sa.Connection, rater_id: int, now: datetime) -> Assignment | None:
    """Withdraw the rater's last answer and put its item back in their hands; None when they have none.

    Raises `RefusedError` when a lead has decided the item since.
    """
    last = connection.execute(
        sa.select(assignments.c.id)
        .where(assignments.c.rater_id == rater_id, assignments.c.answered.is_not(None))
        .order_by(assignments.c.answered.desc(), assignments.c.id.desc())
        .limit(1)
    ).scalar()
    if last is None:
        return None
    row = _locked(connection, last, rater_id)
    if row.state not in STANDING:
        return None
    if connection.execute(sa.select(decisions.c.id).where(decisions.c.item_id == row.item_id)).first():
        raise RefusedError("A lead has decided this item since; ask them if your answer should change.")
    connection.execute(sa.delete(answers).where(answers.c.assignment_id == last))
    until = now + timedelta(seconds=row.lease_s)
    times = {"leased": now, "leased_until": until}
    _update(connection, last, state="leased", value=None, answered=None, pointed_out=None, why="", **times)
    weigh(connection, row.item_id)
    note(connection, row.queue_id, now, row.rater, "undo", {"item": row.item_id})
    return assignment_by_id(connection, last, rater_id)


def pointed_out(
    connection: sa.Connection, assignment_id: int, rater_id: int, rule: int, why: str, now: datetime
) -> Assignment:
    """Keep which guideline help named after the first answer, and ask for a second. Called again: nothing changes.

    Raises `RefusedError` when there is no first answer yet, or a second one already.
    """
    row = _locked(connection, assignment_id, rater_id)
    if row.state == "answered" and row.pointed_out is None:
        words = storable(why)[: LONGEST["reason"]]
        _update(connection, assignment_id, state="asked", pointed_out=checked_rule(rule), why=words)
        note(connection, row.queue_id, now, row.rater, "point_out", {"item": row.item_id, "rule": rule})
    elif row.state != "asked":
        raise RefusedError("Help comes between a first answer and a second one.")
    return assignment_by_id(connection, assignment_id, rater_id)


def assignment_by_id(connection: sa.Connection, assignment_id: int, rater_id: int) -> Assignment:
    """One of the rater's assignments as it stands; `DeniedError` when it is not theirs."""
    row = connection.execute(_SHOWN.where(assignments.c.id == assignment_id)).first()
    if row is None or rater_id != row.rater_id:
        raise DeniedError(_NOT_YOURS)
    return _assignment(connection, row)


def weigh(connection: sa.Connection, item_id: int) -> None:
    """Mark the item as in conflict when its voters disagree or one cannot tell, and as not when they do not."""
    voted = sa.select(assignments.c.value).where(
        assignments.c.item_id == item_id, assignments.c.value.is_not(None), assignments.c.gold.is_(None)
    )
    values = set(connection.execute(voted).scalars())
    in_conflict = len(values) > 1 or "cannot_tell" in values
    change = sa.update(items).where(items.c.id == item_id, items.c.conflict != in_conflict)
    connection.execute(change.values(conflict=in_conflict))


def let_go(connection: sa.Connection, assignment_id: int, item_id: int) -> None:
    """End a lease, if it still is one; its item must be locked."""
    ended = sa.update(assignments).where(assignments.c.id == assignment_id, assignments.c.state == "leased")
    if connection.execute(ended.values(state="lapsed")).rowcount:
        _take(connection, item_id, -1)


def note(
    connection: sa.Connection, queue_id: int, now: datetime, who: str, action: str, data: Mapping[str, Any]
) -> None:
    """Add to the log, in the transaction of what it tells of."""
    entry = {"queue_id": queue_id, "at": now, "who": who, "action": action, "data": json.dumps(data)}
    connection.execute(sa.insert(log).values(entry))


def spoken(row: Any) -> Answer:
    """An answer from its row, or a decision from its."""
    return Answer(row.value, row.reason, row.seconds, row.rule)


def chance(*parts: object) -> float:
    """A number in [0, 1) that only `parts` decide, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _in_hand(rater_id: int) -> sa.Select[Any]:
    mine = _SHOWN.where(assignments.c.rater_id == rater_id, assignments.c.state.in_(("asked", "leased")))
    newest = assignments.c.state, assignments.c.leased.desc(), assignments.c.id.desc()  # asked comes first
    return mine.order_by(*newest).limit(1)


def _lapsed(now: datetime) -> sa.Select[Any]:
    return (
        sa.select(*some(assignments, "id", "item_id"), items.c.queue_id, raters.c.name)
        .join(items, items.c.id == assignments.c.item_id)
        .join(raters, raters.c.id == assignments.c.rater_id)
        .where(sa.text("state = 'leased'"), assignments.c.leased_until < now)
    )


def _lost_with_room(rater_id: int) -> sa.Select[Any]:
    return (
        sa.select(*some(assignments, "id", "item_id"))
        .join(items, items.c.id == assignments.c.item_id)
        .where(assignments.c.rater_id == rater_id, assignments.c.state == "lapsed", _ROOM)
        .order_by(assignments.c.leased.desc())
        .limit(1)
        .with_for_update(of=items, skip_locked=True, key_share=True)
    )


def _gold(connection: sa.Connection, rater: Any) -> Any:
    if chance(rater.seed, rater.name, "gold", rater.shown) >= rater.gold_share:
        return None
    unseen = sa.select(*some(items, "id", "gold")).where(
        items.c.queue_id == rater.queue_id, sa.text("gold IS NOT NULL"), _unmet(rater.id)
    )
    found = connection.execute(unseen.order_by(items.c.position)).all()
    return found[int(len(found) * chance(rater.seed, rater.name, "which", rater.shown))] if found else None


def _wanting(connection: sa.Connection, rater: Any) -> Any:
    """The first item in order that wants a vote and is new to the rater; waits for others only at the very end."""
    query = (
        sa.select(*some(items, "id", "gold"))
        .where(items.c.queue_id == rater.queue_id, _WANTING, _unmet(rater.id))
        .order_by(items.c.position)
        .limit(1)
    )
    free = connection.execute(query.with_for_update(of=items, skip_locked=True, key_share=True)).first()
    if free is not None or connection.dialect.name == "sqlite":
        return free
    while connection.execute(query).first() is not None:  # there is one, but someone has it locked
        if (free := connection.execute(query.with_for_update(of=items, key_share=True)).first()) is not None:
            return free
    return None


def _unmet(rater_id: int) -> sa.ColumnElement[bool]:
    met = sa.select(assignments.c.id).where(
        assignments.c.item_id == items.c.id, assignments.c.rater_id == rater_id
    )
    return ~met.correlate(items).exists()


def _locked(connection: sa.Connection, assignment_id: int, rater_id: int) -> Any:
    """An own assignment with its item's state, read after the item is locked."""
    mine = assignments.c.id == assignment_id, assignments.c.rater_id == rater_id
    item_id = connection.execute(sa.select(assignments.c.item_id).where(*mine)).scalar()
    if item_id is None:
        raise DeniedError(_NOT_YOURS)
    connection.execute(sa.select(items.c.id).where(items.c.id == item_id).with_for_update(key_share=True))
    return connection.execute(_SHOWN.add_columns(items.c.taken).where(*mine)).one()


def _repeated(connection: sa.Connection, row: Any, answer: Answer, attempt: int) -> str:
    """Why this attempt is not due: `same` when it is stored already as it is sent, else a sentence; or nothing."""
    said = sa.select(answers.c.value).where(answers.c.assignment_id == row.id, answers.c.attempt == attempt)
    before = connection.execute(said).scalar()
    if before is not None:
        told = f"You have answered this item already ({before.replace('_', ' ')}); undo it to change it."
        return "same" if before == answer.value else told
    if attempt == 2 and row.state not in STANDING:
        return "A second answer needs a first one: answer the item before changing your mind."
    return ""


def _take(connection: sa.Connection, item_id: int, change: int) -> None:
    connection.execute(sa.update(items).where(items.c.id == item_id).values(taken=items.c.taken + change))


def _update(connection: sa.Connection, assignment_id: int, **values: Any) -> None:
    connection.execute(sa.update(assignments).where(assignments.c.id == assignment_id).values(**values))


def item(row: Any) -> Item:
    """An item from a row with its queue's name and kind."""
    return Item(
        row.item_id,
        row.queue,
        row.kind,
        json.loads(row.payload),
        row.position,
        row.run,
        row.case_id,
        row.gold,
        row.quota,
    )


def _assignment(connection: sa.Connection, row: Any) -> Assignment:
    place = (row.id, item(row), row.rater, row.leased_until)
    if row.state not in STANDING:
        return Assignment(*place)
    said = sa.select(answers).where(answers.c.assignment_id == row.id, answers.c.attempt == 1)
    first = spoken(connection.execute(said).one())
    return Assignment(*place, attempt=2, first=first, pointed_out=row.pointed_out, why=row.why)
