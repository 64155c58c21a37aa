"""Where queues, items, raters and labels are kept: the one way to them, for the page and the command line.

`Store` speaks in the records of `_records.py` and is safe to use from many threads and processes at once. What it
returns from has happened: it is on disk. Assignment rules are in `_assigning.py`, bulk reading in `_reading.py`,
export and import in `_transfer.py`.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from gadfly.errors import InputError, UnknownNameError
from gadfly.review import _assigning as assigning
from gadfly.review import _reading as reading
from gadfly.review import _transfer as transfer
from gadfly.review._database import Database, again
from gadfly.review._records import (
    Answer,
    Assignment,
    Conflict,
    DeniedError,
    DrawnRound,
    Label,
    LogEntry,
    NewItem,
    Progress,
    QueueSpec,
    QueueStatus,
    Rater,
    RefusedError,
    Role,
    Round,
    Vote,
    checked_answer,
    checked_name,
    checked_role,
)
from gadfly.review._tables import assignments, decisions, items, queues, raters, rounds, secret, some

__all__ = ["LARGEST_PAYLOAD", "Store"]

LARGEST_PAYLOAD = 4_000_000
"""Characters of JSON an item's payload may have."""


MANY = 1_000
"""Items that want votes beyond which they are counted once a second: a page of PostgreSQL's took 2 ms for 5,000."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The labels at a URL (`$GADFLY_REVIEW`, or `sqlite:///gadfly-review.db`), whose tables it makes or migrates.

    `clock` says what time it is; tests of leases and expiry hand in their own.
    """

    def __init__(self, url: str | None = None, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._database = Database(url)
        self._clock = clock
        self._counted: dict[int, tuple[int, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return str(self._database)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def create(self, spec: QueueSpec) -> None:
        """Make a queue; its name must be new."""
        now = self._clock()
        values = {column: getattr(spec, column) for column in _SPEC}
        with self._database.write() as connection:
            if spec.name in _names(connection):
                raise InputError(f"There is already a queue {spec.name!r}; choose another name.")
            made = connection.execute(sa.insert(queues).values(created=now, **values)).inserted_primary_key
            assert made is not None
            assigning.note(connection, made[0], now, "", "create", values)

    def queues(self) -> list[str]:
        """The names of all queues, sorted."""
        with self._database.read() as connection:
            return _names(connection)

    def spec(self, queue: str) -> QueueSpec:
        """A queue as it was created."""
        with self._database.read() as connection:
            row = _queue(connection, queue)
        return QueueSpec(**{column: getattr(row, column) for column in _SPEC})

    def add_round(self, queue: str, drawing: Round, new: Sequence[NewItem]) -> list[int]:
        """Append what was drawn, in the order drawn; the ids of the items. All of it or, on an error, none.

        Raises `InputError` for an item that is already in the queue, is gold, or comes from another run.
        """
        for entry in new:
            if entry.gold is not None:
                raise InputError(f"Case {entry.case_id} is gold, which is not drawn: add it with add_gold.")
            if entry.run != drawing.run:
                raise InputError(
                    f"Case {entry.case_id} is of run {entry.run}, but the round drew from {drawing.run}."
                )
        now = self._clock()
        with self._database.write() as connection:
            row = _queue(connection, queue, lock=True)
            drawn = {
                name: getattr(drawing, name)
                for name in ("run", "policy", "judge", "seed", "frame", "frame_digest", "chosen")
            }
            values = {"queue_id": row.id, "created": drawing.created or now, **drawn}
            made = connection.execute(sa.insert(rounds).values(values)).inserted_primary_key
            assert made is not None
            ids = _append(connection, row, new, made[0], _quotas(connection, row, new))
            assigning.note(connection, row.id, now, "", "add_round", {**drawn, "items": len(ids)})
            if connection.dialect.name == "postgresql":  # for a minute it would plan for an empty table
                connection.exec_driver_sql("ANALYZE review_items")
        return ids

    def add_gold(self, queue: str, new: Sequence[NewItem]) -> list[int]:
        """Append items whose answer is known, to be mixed in for every rater; the ids of the items.

        Raises `InputError` for an item that is already in the queue or has no known answer.
        """
        for entry in new:
            if entry.gold is None:
                raise InputError(f"Case {entry.case_id} has no known answer, so it cannot be gold.")
        now = self._clock()
        with self._database.write() as connection:
            row = _queue(connection, queue, lock=True)
            ids = _append(connection, row, new, None, [None] * len(new))
            assigning.note(connection, row.id, now, "", "add_gold", {"items": len(ids)})
        return ids

    def add_rater(self, queue: str, name: str, role: Role = "rater", days: float = 30) -> str:
        """A token that opens the queue to a person for `days`. It is shown here once: only its SHA-256 is kept.

        For a name that is there already, the new token replaces the old one, and the role is the new one.
        """
        checked_name(name, "rater's name")
        checked_role(role)
        if not 0 < days <= 3_650:
            raise InputError(f"A link lasts more than 0 and at most 3650 days; got {days:g}.")
        token, now = secrets.token_urlsafe(32), self._clock()
        values = {
            "role": role,
            "token": _hashed(token),
            "expires": now + timedelta(days=days),
            "revoked": None,
        }
        with self._database.write() as connection:
            row = _queue(connection, queue, lock=True)
            known = sa.and_(raters.c.queue_id == row.id, raters.c.name == name)
            if not connection.execute(sa.update(raters).where(known).values(values)).rowcount:
                connection.execute(sa.insert(raters).values(queue_id=row.id, name=name, **values))
            assigning.note(
                connection, row.id, now, "", "add_rater", {"name": name, "role": role, "days": days}
            )
        return token

    def rater(self, token: str) -> Rater:
        """Whose token this is. Raises `DeniedError` when it is unknown, has expired or was revoked."""
        return self._admitted(_BY_TOKEN, _hashed(token))

    def rater_by_id(self, rater_id: int) -> Rater:
        """A rater whose session is open. Raises `DeniedError` as `rater` does."""
        return self._admitted(_BY_ID, rater_id)

    def secret(self) -> bytes:
        """32 random bytes, made with the database: what a page signs its sessions with, so that they survive it."""
        with self._database.read() as connection:
            return bytes(connection.execute(sa.select(secret.c.value)).scalar_one())

    def _admitted(self, query: sa.Select[Any], key: bytes | int) -> Rater:
        with self._database.glance() as connection:
            row = connection.execute(query, {"its": key}).first()
        if row is None or row.token is None:
            raise DeniedError("This link is not known: copy it whole, or ask for a new one.")
        if row.revoked is not None:
            raise DeniedError("This link was withdrawn: ask whoever sent it for a new one.")
        if row.expires <= self._clock():
            raise DeniedError(f"This link ran out on {row.expires:%d %B %Y}: ask for a new one.")
        return _rater(row)

    def raters(self, queue: str) -> list[Rater]:
        """Everyone in a queue, by name, those who only labelled elsewhere too."""
        with self._database.read() as connection:
            found = sa.select(raters, sa.literal(queue).label("queue")).order_by(raters.c.name)
            return [
                _rater(row)
                for row in connection.execute(found.where(raters.c.queue_id == _queue(connection, queue).id))
            ]

    @again
    def revoke(self, queue: str, name: str) -> None:
        """Close the queue to a rater at once, and let go of what they have in hand; their labels stay."""
        now = self._clock()
        with self._database.write() as connection:
            row = _queue(connection, queue, lock=True)
            rater_id = _rater_id(connection, row.id, name)
            connection.execute(sa.update(raters).where(raters.c.id == rater_id).values(revoked=now))
            in_hand = (
                sa.select(*some(assignments, "id", "item_id"))
                .join(items, items.c.id == assignments.c.item_id)
                .where(assignments.c.rater_id == rater_id, assignments.c.state == "leased")
                .order_by(items.c.id)
                .with_for_update(of=items, key_share=True)
            )
            forever = datetime.max.replace(tzinfo=UTC)
            for held in connection.execute(in_hand).all():
                assigning.let_go(connection, held.id, held.item_id, forever)
            assigning.note(connection, row.id, now, "", "revoke", {"name": name})

    @again
    def next(self, rater_id: int) -> Assignment | None:
        """What this rater should look at: what they have in hand, else an item that wants a vote and is new to them.

        None when nothing is left for them now. An item whose lease ran out goes to whoever comes next.
        """
        now = self._clock()
        with self._database.glance() as connection:
            if found := assigning.held(connection, rater_id, now):
                return found
            stale = assigning.lapsing(connection, now)
        if stale:
            with self._database.write(survives_power_cut=False) as connection:
                assigning.release_lapsed(connection, now)
        with self._database.write(survives_power_cut=False) as connection:
            return assigning.lease(connection, rater_id, now)

    def assignment(self, assignment_id: int, rater_id: int) -> Assignment:
        """One of the rater's own assignments. Raises `DeniedError` for another's."""
        with self._database.glance() as connection:
            return assigning.assignment_by_id(connection, assignment_id, rater_id)

    @again
    def answer(self, assignment_id: int, rater_id: int, answer: Answer, attempt: int = 1) -> None:
        """Store an answer: the first, or a second one beside it, which then stands.

        The same answer sent again changes nothing. Raises `InputError` for what cannot be an answer, `DeniedError`
        for another's item, `RefusedError` for one that was answered otherwise or comes too late.
        """
        if attempt not in (1, 2):
            raise InputError(f"attempt must be 1 or 2; got {attempt}.")
        with self._database.write() as connection:
            now = self._clock()
            refused = assigning.answered(connection, assignment_id, rater_id, answer, attempt, now)
        if refused:
            raise RefusedError(refused)

    @again
    def answer_and_next(
        self, assignment_id: int, rater_id: int, answer: Answer, attempt: int = 1
    ) -> Assignment | None:
        """`answer` and then `next`, mostly in one transaction."""
        if attempt not in (1, 2):
            raise InputError(f"attempt must be 1 or 2; got {attempt}.")
        with self._database.write() as connection:
            given = (assignment_id, rater_id, answer, attempt, self._clock())
            refused, leased = assigning.answered_then_leased(connection, *given)
        if refused:
            raise RefusedError(refused)
        return leased or self.next(rater_id)

    @again
    def point_out(self, assignment_id: int, rater_id: int, rule: int, why: str) -> Assignment:
        """Keep that help named this guideline after the first answer; `next` asks for a second one until it is given.

        The first answer stands meanwhile. Raises `RefusedError` without a first answer or after a second.
        """
        with self._database.write() as connection:
            return assigning.pointed_out(connection, assignment_id, rater_id, rule, why, self._clock())

    @again
    def undo(self, rater_id: int) -> Assignment | None:
        """Withdraw the rater's last answer (the log keeps it) and give them its item again; None if they have none.

        Raises `RefusedError` when a lead has decided the item since.
        """
        with self._database.write() as connection:
            return assigning.undone(connection, rater_id, self._clock())

    @again
    def volunteer(self, queue: str, entry: NewItem, rater: Rater, answer: Answer) -> None:
        """An answer that nobody asked for, to an item which is added where it is new, by a rater who may be of another
        queue. Raises `RefusedError` when they answered it before.
        """
        now = self._clock()
        with self._database.write() as connection:
            row = _queue(connection, queue, lock=True)
            its = sa.and_(
                items.c.queue_id == row.id, items.c.run == entry.run, items.c.case_id == entry.case_id
            )
            if connection.execute(sa.select(items.c.id).where(its)).first() is None:
                _append(connection, row, [entry], _round_of(connection, row, entry.run, now), [row.raters])
            vote = Vote(rater.name, rater.role, checked_answer(answer, row.kind), now)
            if connection.execute(_HAS_ANSWERED.where(its, raters.c.name == rater.name)).first():
                raise RefusedError("You have judged this already.")
            transfer.stored(connection, row, [transfer.Line(1, entry.run, entry.case_id, vote, False)], now)

    def progress(self, rater_id: int) -> Progress:
        """How far a rater is. Where very many items are left, their number is up to a second old."""
        with self._database.glance() as connection:
            return reading.progress_of(connection, rater_id, lambda queue: self._wanting(connection, queue))

    def _wanting(self, connection: sa.Connection, queue_id: int) -> int:
        count, until = self._counted.get(queue_id, (0, 0.0))
        if time.monotonic() >= until:
            count = reading.count_wanting(connection, queue_id)
            self._counted[queue_id] = (count, time.monotonic() + 1 if count > MANY else 0.0)
        return count

    def status(self, queue: str) -> QueueStatus:
        """How far a queue is, and each of its raters."""
        with self._database.read() as connection:
            return reading.status(connection, _queue(connection, queue))

    def conflicts(self, queue: str, *, resolved: bool = False) -> list[Conflict]:
        """Items whose raters disagree or of which one cannot tell, undecided or (`resolved`) decided, in order."""
        with self._database.read() as connection:
            return reading.conflicts(connection, _queue(connection, queue), resolved)

    @again
    def resolve(self, item_id: int, lead_id: int, answer: Answer) -> None:
        """A lead's decision on an item in conflict; a later one replaces it (the log keeps both).

        Raises `DeniedError` for one who is not a lead or an admin of the queue, `RefusedError` for an item that is
        not in conflict.
        """
        now = self._clock()
        with self._database.write() as connection:
            query = sa.select(items, queues.c.kind).join(queues).where(items.c.id == item_id)
            row = connection.execute(query.with_for_update(of=items, key_share=True)).first()
            lead = connection.execute(sa.select(raters).where(raters.c.id == lead_id)).one()
            if row is None or row.queue_id != lead.queue_id or lead.role not in ("lead", "admin"):
                raise DeniedError("Only a lead of this queue decides its conflicts.")
            if not row.conflict:
                raise RefusedError("This item is not in conflict (any more): its raters agree.")
            said = _columns(checked_answer(answer, row.kind))
            connection.execute(sa.delete(decisions).where(decisions.c.item_id == item_id))
            values = {"item_id": item_id, "rater_id": lead_id, "at": now, **said}
            connection.execute(sa.insert(decisions).values(values))
            assigning.note(connection, row.queue_id, now, lead.name, "resolve", {"item": item_id, **said})

    def ratings(self, queue: str) -> list[Label]:
        """Every label in the order first given, leads' decisions last."""
        with self._database.read() as connection:
            return reading.labels(connection, _queue(connection, queue).id)

    def draws(self, queue: str, run: str) -> list[DrawnRound]:
        """The rounds drawn from a run, in order, each with its items in the order drawn and their votes."""
        with self._database.read() as connection:
            return reading.draws(connection, _queue(connection, queue).id, run)

    def export(self, queue: str) -> Iterator[dict[str, Any]]:
        """Every label as one JSON object, in `ratings`' order; `import_` takes them."""
        for label in self.ratings(queue):
            yield transfer.exported(queue, label)

    def import_(self, queue: str, lines: Iterable[str]) -> int:
        """Labels from JSON lines, as `export` gives them or made elsewhere; how many. All of them, or none.

        Raises `InputError` that names the line and the field. A rater unknown here is added, without a link; an item
        whose quota the votes exceed has its quota raised to hold them.
        """
        with self._database.read() as connection:
            kind = _queue(connection, queue).kind
        now = self._clock()
        read = transfer.parsed(queue, kind, lines, now)
        with self._database.write() as connection:
            transfer.stored(connection, _queue(connection, queue, lock=True), read, now)
        return len(read)

    def log(self, queue: str) -> list[LogEntry]:
        """Every change to a queue, in order. The database refuses to alter or remove any."""
        with self._database.read() as connection:
            return reading.log_entries(connection, _queue(connection, queue).id)

    def version(self, queue: str) -> str:
        """A digest of a queue's labels: the same for the same labels, wherever they are kept."""
        lines = sorted(json.dumps(label, sort_keys=True) for label in self.export(queue))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


_SPEC = (
    "name",
    "kind",
    "question",
    "guidelines",
    "raters",
    "double_share",
    "gold_share",
    "lease_s",
    "explain",
    "seed",
)


_PEOPLE = sa.select(raters, queues.c.name.label("queue")).join(queues)
_BY_TOKEN = _PEOPLE.where(raters.c.token == sa.bindparam("its"))
_BY_ID = _PEOPLE.where(raters.c.id == sa.bindparam("its"))


_HAS_ANSWERED = (
    sa.select(assignments.c.id)
    .join(items, items.c.id == assignments.c.item_id)
    .join(raters, raters.c.id == assignments.c.rater_id)
    .where(assignments.c.state.in_(assigning.STANDING))
)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _names(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.select(queues.c.name).order_by(queues.c.name)).scalars())


def _queue(connection: sa.Connection, name: str, *, lock: bool = False) -> Any:
    query = sa.select(queues).where(queues.c.name == name)
    row = connection.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise UnknownNameError("queue", name, _names(connection))
    return row


def _rater(row: Any) -> Rater:
    return Rater(row.id, row.queue, row.name, row.role, row.expires)


def _rater_id(connection: sa.Connection, queue_id: int, name: str) -> int:
    query = sa.select(*some(raters, "id", "name")).where(raters.c.queue_id == queue_id)
    known = {row.name: int(row.id) for row in connection.execute(query.with_for_update(key_share=True))}
    if name not in known:
        raise UnknownNameError("rater", name, known)
    return known[name]


def _columns(answer: Answer) -> dict[str, Any]:
    names = ("value", "reason", "seconds", "rule")
    return {name: getattr(answer, name) for name in names}


def _quotas(connection: sa.Connection, queue: Any, new: Sequence[NewItem]) -> list[int | None]:
    """Votes each new item gets: so many doubled, at random places, that the queue's share of doubled items is met."""
    if queue.raters > 1:
        return [entry.quota or queue.raters for entry in new]
    ordinary = sa.select(sa.func.count(), sa.func.count().filter(items.c.quota > 1)).where(
        items.c.queue_id == queue.id, items.c.gold.is_(None)
    )
    total, doubled = connection.execute(ordinary).one()
    free = [n for n, entry in enumerate(new) if entry.quota is None]
    wanted = round(queue.double_share * (total + len(new))) - doubled
    chosen = random.Random(f"{queue.seed} {total}").sample(free, max(0, min(wanted, len(free))))
    twice = set(chosen)
    return [entry.quota or (2 if n in twice else 1) for n, entry in enumerate(new)]


def _round_of(connection: sa.Connection, queue: Any, run: str, now: datetime) -> int:
    """The round of a queue that takes what comes by itself from one run; made where there is none."""
    found = sa.select(rounds.c.id).where(rounds.c.queue_id == queue.id, rounds.c.run == run)
    if (known := connection.execute(found).scalar()) is not None:
        return int(known)
    values = {"queue_id": queue.id, "created": now, "run": run, "policy": "volunteered", "judge": ""}
    made = connection.execute(sa.insert(rounds).values(**values, seed=0, frame=0, frame_digest=""))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def _append(
    connection: sa.Connection,
    queue: Any,
    new: Sequence[NewItem],
    round_id: int | None,
    quotas: Sequence[int | None],
) -> list[int]:
    keys = sa.select(*some(items, "run", "case_id")).where(items.c.queue_id == queue.id)
    seen: set[tuple[str, str]] = {(row.run, row.case_id) for row in connection.execute(keys)}
    last = connection.execute(
        sa.select(sa.func.max(items.c.position)).where(items.c.queue_id == queue.id)
    ).scalar()
    start = 0 if last is None else last + 1
    rows = []
    for n, (entry, quota) in enumerate(zip(new, quotas, strict=True)):
        if (entry.run, entry.case_id) in seen:
            raise InputError(f"Case {entry.case_id} of run {entry.run} is already in queue {queue.name!r}.")
        seen.add((entry.run, entry.case_id))
        place = {"queue_id": queue.id, "round_id": round_id, "position": start + n, "quota": quota}
        rows.append({**place, **_item_columns(entry), "draw": entry.draw if entry.draw >= 0 else n})
    if rows:
        connection.execute(sa.insert(items), rows)
    added = sa.select(items.c.id).where(items.c.queue_id == queue.id, items.c.position >= start)
    return list(connection.execute(added.order_by(items.c.position)).scalars())


def _item_columns(entry: NewItem) -> Mapping[str, Any]:
    if entry.quota is not None and entry.quota < 1:
        raise InputError(f"Case {entry.case_id} needs a quota of at least one vote; got {entry.quota}.")
    try:
        payload = json.dumps(entry.payload, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"What is shown of case {entry.case_id} is not JSON: {error}.") from error
    if len(payload) > LARGEST_PAYLOAD:
        raise InputError(
            f"Case {entry.case_id} has {len(payload):,} characters to show; an item may have {LARGEST_PAYLOAD:,}."
        )
    names = ("run", "case_id", "index", "probability", "lowest", "why", "gold")
    return {"payload": payload, **{name: getattr(entry, name) for name in names}}
