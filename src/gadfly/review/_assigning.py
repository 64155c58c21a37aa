"""Who is given which item, and what becomes of an answer: the rules, each inside one transaction.

The rules: an item never has more votes and leases than its quota; nobody is given an item they have answered; what a
rater has in hand comes first; gold comes at places in a rater's sequence that only the queue's seed and the rater's
name decide. On PostgreSQL a transaction locks the rater first, then one item, and an assignment is only written
while its item is locked, so nobody waits in a circle.

Statements are built once, below, and take their values when executed: building costs several times what SQLite takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import asdict, replace
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
    "answered_then_leased",
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
_RATER: sa.BindParameter[Any] = sa.bindparam("its_rater")
_ITEM: sa.BindParameter[Any] = sa.bindparam("its_item")
_ASSIGNMENT: sa.BindParameter[Any] = sa.bindparam("its")
_NOW: sa.BindParameter[Any] = sa.bindparam("now")
_OPEN = sa.text("gold IS NULL AND taken < quota")  # the words of the partial index
_SKIPPING: dict[str, Any] = {"of": items, "skip_locked": True, "key_share": True}

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
        *some(answers, "value", "reason", "seconds", "rule"),  # the first answer, if any
    )
    .join(items, items.c.id == assignments.c.item_id)
    .join(raters, raters.c.id == assignments.c.rater_id)
    .join(queues, queues.c.id == items.c.queue_id)
    .outerjoin(answers, sa.and_(answers.c.assignment_id == assignments.c.id, answers.c.attempt == 1))
)


_BY_ID = _SHOWN.where(assignments.c.id == _ASSIGNMENT)
_OTHER = assignments.alias("other")
_OTHER_VOTES = sa.and_(
    _OTHER.c.item_id == items.c.id, _OTHER.c.id != assignments.c.id, _OTHER.c.value.is_not(None)
)
_ITS = items.alias("its")
_ROOM = sa.or_(_ITS.c.quota.is_(None), _ITS.c.taken < _ITS.c.quota)
_UNFINISHED = (
    sa.select(_OTHER.c.id)
    .join(_ITS, _ITS.c.id == _OTHER.c.item_id)
    .where(
        _OTHER.c.rater_id == _RATER,
        _OTHER.c.id != _ASSIGNMENT,
        _OTHER.c.state.in_(("asked", "leased", "lapsed")),
        sa.or_(_OTHER.c.state != "lapsed", _ROOM),
    )
)
_RUN_OUT = sa.select(_OTHER.c.id).where(sa.text("other.state = 'leased'"), _OTHER.c.leased_until < _NOW)
_OWN = (
    sa.select(
        *some(assignments, "id", "item_id", "state", "pointed_out"),
        *some(items, "quota", "taken", "conflict", "gold", "queue_id"),
        raters.c.name.label("rater"),
        *some(queues, "kind", "lease_s"),
        answers.c.value,
        *(
            sa.select(least(_OTHER.c.value)).where(_OTHER_VOTES).scalar_subquery().label(name)
            for name, least in (("lowest", sa.func.min), ("highest", sa.func.max))
        ),
        _UNFINISHED.exists().label("unfinished"),
        _RUN_OUT.exists().label("run_out"),
    )
    .join(items, items.c.id == assignments.c.item_id)
    .join(raters, raters.c.id == assignments.c.rater_id)
    .join(queues, queues.c.id == items.c.queue_id)
    .outerjoin(answers, sa.and_(answers.c.assignment_id == assignments.c.id, answers.c.attempt == 1))
    .where(assignments.c.id == _ASSIGNMENT, assignments.c.rater_id == _RATER)
)
_IN_HAND = (
    _SHOWN.where(assignments.c.rater_id == _RATER, assignments.c.state.in_(("asked", "leased")))
    .order_by(assignments.c.state, assignments.c.leased.desc(), assignments.c.id.desc())  # asked first
    .limit(1)
)
_LAPSED = (
    sa.select(*some(assignments, "id", "item_id"), items.c.queue_id, raters.c.name)
    .join(items, items.c.id == assignments.c.item_id)
    .join(raters, raters.c.id == assignments.c.rater_id)
    .where(sa.text("state = 'leased'"), assignments.c.leased_until < _NOW)
)
_LOST_WITH_ROOM = (
    sa.select(*some(assignments, "id", "item_id"))
    .join(items, items.c.id == assignments.c.item_id)
    .where(
        assignments.c.rater_id == _RATER,
        assignments.c.state == "lapsed",
        sa.or_(items.c.quota.is_(None), items.c.taken < items.c.quota),
    )
    .order_by(assignments.c.leased.desc())
    .limit(1)
    .with_for_update(**_SKIPPING)
)
_AT_WORK = (
    sa.select(
        *some(raters, "id", "name", "shown", "queue_id"),
        *some(queues, "kind", "seed", "gold_share", "lease_s"),
        queues.c.name.label("queue"),
    )
    .join(queues)
    .where(raters.c.id == _RATER)
    .with_for_update(of=raters, key_share=True)
)
_MET = sa.select(assignments.c.id).where(
    assignments.c.item_id == items.c.id, assignments.c.rater_id == _RATER
)
_GIVEN = sa.select(*some(items, "id", "payload", "position", "run", "case_id", "gold", "quota"))
_GOLD = _GIVEN.where(items.c.id == _ITEM)
_NEW = sa.and_(items.c.queue_id == sa.bindparam("its_queue"), ~_MET.correlate(items).exists())
_NEW_GOLD = sa.select(items.c.id).where(_NEW, sa.text("gold IS NOT NULL")).order_by(items.c.position)
_NEW_OPEN = _GIVEN.where(_NEW, _OPEN).order_by(items.c.position).limit(1)
_NEW_FREE = _NEW_OPEN.with_for_update(**_SKIPPING)
_NEW_AWAITED = _NEW_OPEN.with_for_update(of=items, key_share=True)
_WHOSE = sa.select(assignments.c.item_id).where(
    assignments.c.id == _ASSIGNMENT, assignments.c.rater_id == _RATER
)
_LOCK = sa.select(items.c.id).where(items.c.id == _WHOSE.scalar_subquery()).with_for_update(key_share=True)
_LAST = (
    sa.select(assignments.c.id)
    .where(assignments.c.rater_id == _RATER, assignments.c.answered.is_not(None))
    .order_by(assignments.c.answered.desc(), assignments.c.id.desc())
    .limit(1)
)
_SECOND = sa.select(answers.c.value).where(answers.c.assignment_id == _ASSIGNMENT, answers.c.attempt == 2)
_VOTED = sa.select(assignments.c.value).where(
    assignments.c.item_id == _ITEM, assignments.c.value.is_not(None), assignments.c.gold.is_(None)
)
_TAKE = sa.update(items).where(items.c.id == _ITEM).values(taken=items.c.taken + sa.bindparam("change"))
_SHOW = sa.update(raters).where(raters.c.id == _RATER).values(shown=raters.c.shown + 1)
_WEIGH = (
    sa.update(items)
    .where(items.c.id == _ITEM, items.c.conflict != sa.bindparam("torn"))
    .values(conflict=sa.bindparam("torn"))
)
_MEET, _SAY, _LOG = sa.insert(assignments), sa.insert(answers).inline(), sa.insert(log).inline()
_CHANGE = sa.update(assignments).where(assignments.c.id == _ASSIGNMENT)
_RENEW = _CHANGE.where(assignments.c.state.in_(("asked", "leased")))
_LET_GO = _CHANGE.where(sa.text("state = 'leased'"), assignments.c.leased_until < _NOW).values(state="lapsed")


def held(connection: sa.Connection, rater_id: int, now: datetime) -> Assignment | None:
    """What the rater has in hand, if half its lease is still to run (else it is renewed, in `lease`)."""
    row = connection.execute(_IN_HAND, {"its_rater": rater_id}).first()
    if row is None or (row.state == "leased" and row.leased_until - now < timedelta(seconds=row.lease_s / 2)):
        return None
    return _assignment(row)


def lapsing(connection: sa.Connection, now: datetime) -> bool:
    """Whether any lease has run out and not been released."""
    return connection.execute(_LAPSED, {"now": now}).first() is not None


def release_lapsed(connection: sa.Connection, now: datetime) -> None:
    """Let go of every lease that has run out, but for items that someone is answering at this moment."""
    for row in connection.execute(_LAPSED.with_for_update(**_SKIPPING), {"now": now}).all():
        if let_go(connection, row.id, row.item_id, now):  # it may have been renewed or answered meanwhile
            note(connection, row.queue_id, now, row.name, "lapse", {"item": row.item_id})


def lease(connection: sa.Connection, rater_id: int, now: datetime) -> Assignment | None:
    """The item this rater should look at now, theirs until its lease runs out; None when none is left for them."""
    rater = connection.execute(_AT_WORK, {"its_rater": rater_id}).one()
    until = now + timedelta(seconds=rater.lease_s)
    mine = connection.execute(_IN_HAND, {"its_rater": rater_id}).first()
    if mine and connection.execute(_RENEW, {"its": mine.id, "leased_until": until}).rowcount:
        return replace(_assignment(mine), leased_until=until)
    if left := connection.execute(_LOST_WITH_ROOM, {"its_rater": rater_id}).first():
        _change(connection, left.id, state="leased", leased=now, leased_until=until)
        _take(connection, left.item_id, 1)
        note(connection, rater.queue_id, now, rater.name, "lease", {"item": left.item_id})
        return assignment_by_id(connection, left.id, rater_id)
    found = _gold(connection, rater) or _open(connection, rater)
    return None if found is None else _first_lease(connection, rater, found, now)


def answered_then_leased(
    connection: sa.Connection, assignment_id: int, rater_id: int, answer: Answer, attempt: int, now: datetime
) -> tuple[str, Assignment | None]:
    """Store an answer as `answered` does and lease the next item with it, which halves the work of an answer.

    No item where finding one may have to wait for another transaction while this one holds an item, or takes more
    than looking for a new one: `lease` in a transaction of its own is then the way.
    """
    rater = connection.execute(_AT_WORK, {"its_rater": rater_id}).first()
    row = _locked(connection, assignment_id, rater_id, now)
    if rater is None or (refused := _answered(connection, row, answer, attempt, now)):
        return refused, None
    if row.unfinished or row.run_out:
        return "", None
    who = {"its_queue": rater.queue_id, "its_rater": rater.id}
    found = _gold(connection, rater) or connection.execute(_NEW_FREE, who).first()
    return "", None if found is None else _first_lease(connection, rater, found, now)


def answered(
    connection: sa.Connection, assignment_id: int, rater_id: int, answer: Answer, attempt: int, now: datetime
) -> str:
    """Store an answer; returns why it is refused, or nothing.

    An answer that comes when the item is filled is kept in the log before it is refused. The same answer sent again
    (a page that never saw the reply) is taken for the one stored.
    """
    row = _locked(connection, assignment_id, rater_id, now)
    return _answered(connection, row, answer, attempt, now)


def undone(connection: sa.Connection, rater_id: int, now: datetime) -> Assignment | None:
    """Withdraw the rater's last answer and put its item back in their hands; None when they have none.

    Raises `RefusedError` when a lead has decided the item since.
    """
    last = connection.execute(_LAST, {"its_rater": rater_id}).scalar()
    if last is None:
        return None
    row = _locked(connection, last, rater_id, now)
    if row.state not in STANDING:
        return None
    if connection.execute(sa.select(decisions.c.id).where(decisions.c.item_id == row.item_id)).first():
        raise RefusedError("A lead has decided this item since; ask them if your answer should change.")
    connection.execute(sa.delete(answers).where(answers.c.assignment_id == last))
    until = now + timedelta(seconds=row.lease_s)
    times = {"leased": now, "leased_until": until}
    _change(connection, last, state="leased", value=None, answered=None, pointed_out=None, why="", **times)
    weigh(connection, row.item_id)
    note(connection, row.queue_id, now, row.rater, "undo", {"item": row.item_id})
    return assignment_by_id(connection, last, rater_id)


def pointed_out(
    connection: sa.Connection, assignment_id: int, rater_id: int, rule: int, why: str, now: datetime
) -> Assignment:
    """Keep which guideline help named after the first answer, and ask for a second. Called again: nothing changes.

    Raises `RefusedError` when there is no first answer yet, or a second one already.
    """
    row = _locked(connection, assignment_id, rater_id, now)
    if row.state == "answered" and row.pointed_out is None:
        words = storable(why)[: LONGEST["reason"]]
        _change(connection, assignment_id, state="asked", pointed_out=checked_rule(rule), why=words)
        note(connection, row.queue_id, now, row.rater, "point_out", {"item": row.item_id, "rule": rule})
    elif row.state != "asked":
        raise RefusedError("Help comes between a first answer and a second one.")
    return assignment_by_id(connection, assignment_id, rater_id)


def assignment_by_id(connection: sa.Connection, assignment_id: int, rater_id: int) -> Assignment:
    """One of the rater's assignments as it stands; `DeniedError` when it is not theirs."""
    row = connection.execute(_BY_ID, {"its": assignment_id}).first()
    if row is None or rater_id != row.rater_id:
        raise DeniedError(_NOT_YOURS)
    return _assignment(row)


def weigh(connection: sa.Connection, item_id: int) -> None:
    """Mark the item as in conflict when its voters disagree or one cannot tell, and as not when they do not."""
    values = set(connection.execute(_VOTED, {"its_item": item_id}).scalars())
    connection.execute(_WEIGH, {"its_item": item_id, "torn": _disagree(values)})


def let_go(connection: sa.Connection, assignment_id: int, item_id: int, now: datetime) -> bool:
    """End a lease that has run out by `now`, if it still is one; its item must be locked."""
    if not connection.execute(_LET_GO, {"its": assignment_id, "now": now}).rowcount:
        return False
    _take(connection, item_id, -1)
    return True


def note(
    connection: sa.Connection, queue_id: int, now: datetime, who: str, action: str, data: Mapping[str, Any]
) -> None:
    """Add to the log, in the transaction of what it tells of."""
    entry = {"queue_id": queue_id, "at": now, "who": who, "action": action, "data": json.dumps(data)}
    connection.execute(_LOG, entry)


def spoken(row: Any) -> Answer:
    """An answer from its row, or a decision from its."""
    return Answer(row.value, row.reason, row.seconds, row.rule)


def gold_is_due(place: int, share: float, seed: str) -> bool:
    """Whether a rater's item number `place` (from 0) is to be gold: one at random in each stretch of 1/share items."""
    if share > 0.5:
        return share == 1 or not gold_is_due(place, 1 - share, seed)
    stretches = {int(place * share), int((place + 1) * share)}
    return share > 0 and any(int((n + chance(f"{seed} gold {n}")) / share) == place for n in stretches)


def chance(seed: str) -> float:
    """A number in [0, 1) that only the seed decides, the same on every machine."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") / 2**64


def _gold(connection: sa.Connection, rater: Any) -> Any:
    if not gold_is_due(rater.shown, rater.gold_share, f"{rater.seed} {rater.name}"):
        return None
    found = connection.execute(_NEW_GOLD, {"its_queue": rater.queue_id, "its_rater": rater.id}).all()
    if not found:
        return None
    which = found[int(len(found) * chance(f"{rater.seed} {rater.name} which {rater.shown}"))]
    return connection.execute(_GOLD, {"its_item": which.id}).one()


def _open(connection: sa.Connection, rater: Any) -> Any:
    """The first item in order that wants a vote and is new to the rater; waits for others only at the very end."""
    who = {"its_queue": rater.queue_id, "its_rater": rater.id}
    free = connection.execute(_NEW_FREE, who).first()
    if free is not None or connection.dialect.name == "sqlite":
        return free
    while connection.execute(_NEW_OPEN, who).first() is not None:  # there is one, but someone has it locked
        waited = connection.begin_nested()
        if (free := connection.execute(_NEW_AWAITED, who).first()) is not None:
            waited.commit()
            return free
        waited.rollback()  # lets go of items waited for in vain: held while waiting again they make a deadlock
    return None


def _first_lease(connection: sa.Connection, rater: Any, found: Any, now: datetime) -> Assignment:
    """An item that is new to the rater, leased to them."""
    until = now + timedelta(seconds=rater.lease_s)
    row = {"item_id": found.id, "rater_id": rater.id, "state": "leased", "gold": found.gold}
    made = connection.execute(_MEET, row | {"leased": now, "leased_until": until}).inserted_primary_key
    assert made is not None
    connection.execute(_SHOW, {"its_rater": rater.id})
    _take(connection, found.id, 1)
    note(connection, rater.queue_id, now, rater.name, "lease", {"item": found.id})
    shown = (json.loads(found.payload), found.position, found.run, found.case_id, found.gold, found.quota)
    return Assignment(made[0], Item(found.id, rater.queue, rater.kind, *shown), rater.name, until)


def _answered(connection: sa.Connection, row: Any, answer: Answer, attempt: int, now: datetime) -> str:
    answer = checked_answer(answer, row.kind)
    if why := _repeated(connection, row, answer, attempt):
        return "" if why == "same" else why
    what = {"item": row.item_id, "attempt": attempt, **asdict(answer)}
    if attempt == 1 and row.state == "lapsed":
        if row.quota is not None and row.taken >= row.quota:
            note(connection, row.queue_id, now, row.rater, "late", what)
            return (
                "Your time on this item ran out and others have answered it since, so your answer is not counted; "
                "it is kept in the log. Go on with the next item."
            )
        _take(connection, row.item_id, 1)
    values = {"assignment_id": row.id, "attempt": attempt, "at": now, **asdict(answer)}
    connection.execute(_SAY, values)
    when = {"answered": now} if attempt == 1 else {}  # the first: `undo` goes by it
    _change(connection, row.id, state="answered", value=answer.value, **when)
    torn = row.gold is None and _disagree({answer.value, row.lowest, row.highest} - {None})
    if torn != row.conflict:
        connection.execute(_WEIGH, {"its_item": row.item_id, "torn": torn})
    note(connection, row.queue_id, now, row.rater, "answer", what)
    return ""


def _locked(connection: sa.Connection, assignment_id: int, rater_id: int, now: datetime) -> Any:
    """An own assignment with its item's state, read after the item is locked."""
    mine = {"its": assignment_id, "its_rater": rater_id}
    if connection.dialect.name != "sqlite":  # a writer there is alone
        connection.execute(_LOCK, mine)
    row = connection.execute(_OWN, mine | {"now": now}).first()
    if row is None:
        raise DeniedError(_NOT_YOURS)
    return row


def _disagree(values: Set[str]) -> bool:
    return len(values) > 1 or "cannot_tell" in values


def _repeated(connection: sa.Connection, row: Any, answer: Answer, attempt: int) -> str:
    """Why this attempt is not due: `same` when it is stored already as it is sent, else a sentence; or nothing."""
    before = row.value if attempt == 1 else connection.execute(_SECOND, {"its": row.id}).scalar()
    if before is not None:
        told = f"You have answered this item already ({before.replace('_', ' ')}); undo it to change it."
        return "same" if before == answer.value else told
    if attempt == 2 and row.state != "asked":
        return "A second answer needs a first one and help in between; undo the first one to change it."
    return ""


def _take(connection: sa.Connection, item_id: int, change: int) -> None:
    connection.execute(_TAKE, {"its_item": item_id, "change": change})


def _change(connection: sa.Connection, assignment_id: int, **values: Any) -> None:
    connection.execute(_CHANGE, {"its": assignment_id, **values})


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


def _assignment(row: Any) -> Assignment:
    place = (row.id, item(row), row.rater, row.leased_until)
    if row.state not in STANDING:
        return Assignment(*place)
    return Assignment(*place, attempt=2, first=spoken(row), pointed_out=row.pointed_out, why=row.why)
