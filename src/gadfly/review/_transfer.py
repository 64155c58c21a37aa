"""Labels as JSON lines: what `export` writes is what `import` reads, and so are labels made elsewhere.

An import is checked whole before anything is written, and an error names the line and the field. A line needs `run`,
`case_id`, `rater` and `value`; the rest may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import EllipsisType
from typing import Any

import sqlalchemy as sa

from gadfly.errors import GadflyError, InputError
from gadfly.review._assigning import STANDING, note, weigh
from gadfly.review._records import (
    Answer,
    Label,
    Role,
    Vote,
    checked_answer,
    checked_name,
    checked_role,
    checked_rule,
    utc,
)
from gadfly.review._tables import answers, assignments, decisions, items, raters, some

__all__ = ["LONGEST_LINE", "Line", "exported", "parsed", "stored"]

LONGEST_LINE = 1_000_000
_SAID = ("value", "reason", "seconds", "rule")
_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "queue": (str, "text"),
    "run": (str, "text"),
    "case_id": (str, "text"),
    "rater": (str, "text"),
    "role": (str, "text"),
    "value": (str, "text"),
    "reason": (str, "text"),
    "seconds": ((int, float), "a number"),
    "rule": ((int, type(None)), "a whole number or null"),
    "pointed_out": ((int, type(None)), "a whole number or null"),
    "at": (str, "a time such as 2026-01-31T12:00:00+00:00"),
    "first": ((dict, type(None)), "an object or null"),
    "resolves": (bool, "true or false"),
    "gold": ((bool, type(None)), "true, false or null"),
}
_NEEDED = ("run", "case_id", "rater", "value")


@dataclass(frozen=True, slots=True)
class Line:
    """One label as read, with the number of its line, from 1."""

    number: int
    run: str
    case_id: str
    vote: Vote
    resolves: bool
    gold: bool | EllipsisType | None = ...  # left out


class _FieldError(ValueError):
    """What is wrong with one field of a line."""

    def __init__(self, field: str, said: str) -> None:
        super().__init__(said)
        self.field = field


def exported(queue: str, label: Label) -> dict[str, Any]:
    """A label as one JSON object."""
    vote = label.vote
    first = None
    if vote.first is not None and vote.first_at is not None:
        first = {**asdict(vote.first), "at": vote.first_at.isoformat()}
    return {
        "queue": queue,
        "run": label.run,
        "case_id": label.case_id,
        "rater": vote.rater,
        "role": vote.role,
        **asdict(vote.answer),
        "pointed_out": vote.pointed_out,
        "at": vote.at.isoformat(),
        "first": first,
        "resolves": label.resolves,
        "gold": label.gold,
    }


def parsed(queue: str, kind: str, lines: Iterable[str], now: datetime) -> list[Line]:
    """Every label in the lines, blank ones passed over. Raises `InputError` that names the line and the field."""
    found: dict[tuple[str, str, str, bool], Line] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = _line(number, _object(text), queue, kind, now)
        except _FieldError as error:
            raise _refusal(number, error.field, str(error)) from error
        key = (line.run, line.case_id, line.vote.rater, line.resolves)
        if key in found:
            raise _refusal(
                number, "rater", f"the same rater labelled the same item on line {found[key].number}"
            )
        found[key] = line
    return list(found.values())


def stored(connection: sa.Connection, queue: Any, lines: Sequence[Line], now: datetime) -> None:
    """Write the labels in this transaction; its caller undoes it when an `InputError` leaves it."""
    keys = sa.select(*some(items, "id", "run", "case_id", "gold")).where(items.c.queue_id == queue.id)
    known = {(row.run, row.case_id): row for row in connection.execute(keys)}
    for line in lines:
        _check_item(line, known.get((line.run, line.case_id)), queue.name)
    ids = _rater_ids(connection, queue.id, lines)
    touched = sorted({known[line.run, line.case_id].id for line in lines})
    for start in range(0, len(touched), 500):
        part = items.c.id.in_(touched[start : start + 500])
        connection.execute(
            sa.select(items.c.id).where(part).order_by(items.c.id).with_for_update(key_share=True)
        )
    met = _met(connection, queue.id)
    for line in lines:
        item, rater_id = known[line.run, line.case_id], ids[line.vote.rater]
        if line.resolves:
            _decide(connection, line, item.id, rater_id)
        else:
            _vote(connection, line, item, rater_id, met.get((item.id, rater_id)))
    for item_id in touched:
        weigh(connection, item_id)
    note(connection, queue.id, now, "", "import", {"labels": [_told(line) for line in lines]})


def _check_item(line: Line, item: Any, queue: str) -> None:
    if item is None:
        said = f"queue {queue!r} has no item {line.case_id[:100]!r} of run {line.run[:100]!r}"
        raise _refusal(line.number, "case_id", said)
    if line.gold is not Ellipsis and line.gold != item.gold:
        raise _refusal(line.number, "gold", f"here this item's known answer is {json.dumps(item.gold)}")


def _refusal(number: int, field: str, said: str) -> InputError:
    where = f"Line {number}, field {field}" if field else f"Line {number}"
    return InputError(f"{where}: {said.rstrip('.')}. Nothing was imported.")


def _object(text: str) -> dict[str, Any]:
    if len(text) > LONGEST_LINE:
        raise _FieldError("", f"it has {len(text):,} characters; a line may have {LONGEST_LINE:,}")
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (RecursionError, json.JSONDecodeError, ValueError) as error:
        if isinstance(error, _FieldError):
            raise
        raise _FieldError("", f"this is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise _FieldError("", "a label is a JSON object, {…}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _FieldError(name[:40], "it is given twice")
        found[name] = value
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _line(number: int, fields: dict[str, Any], queue: str, kind: str, now: datetime) -> Line:
    _check(fields, _NEEDED, _TYPES)
    if fields.get("queue", queue) != queue:
        raise _FieldError("queue", f"this label is for queue {fields['queue'][:100]!r}, not {queue!r}")
    rater, role = _passed("rater", checked_name, fields["rater"], "rater's name"), fields.get("role", "rater")
    _passed("role", checked_role, role)
    first, first_at = None, None
    if (given := fields.get("first")) is not None:
        _check(given, ("value",), {name: _TYPES[name] for name in (*_SAID, "at")}, "first.")
        first, first_at = _answer(given, kind, "first."), _moment(given, now, "first.")
    named = fields.get("pointed_out")
    if named is not None:
        _passed("pointed_out", checked_rule, named)
    vote = Vote(rater, role, _answer(fields, kind), _moment(fields, now), first, first_at, named)
    resolves = fields.get("resolves", False)
    if resolves and (role == "rater" or first):
        raise _FieldError("resolves", "only a lead's or an admin's one answer decides a conflict")
    return Line(number, fields["run"], fields["case_id"], vote, resolves, fields.get("gold", ...))


def _check(
    fields: Mapping[str, Any], needed: Iterable[str], types: Mapping[str, tuple[Any, str]], within: str = ""
) -> None:
    for name in needed:
        if name not in fields:
            raise _FieldError(within + name, "it is missing")
    for name, value in fields.items():
        if name not in types:
            raise _FieldError(within + name[:40], f"there is no such field; known are {', '.join(types)}")
        kinds, said = types[name]
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise _FieldError(within + name, f"it must be {said}; got {json.dumps(value)[:40]}")


def _answer(fields: Mapping[str, Any], kind: str, within: str = "") -> Answer:
    given = {name: fields[name] for name in _SAID if name in fields}
    try:
        given["seconds"] = float(given.get("seconds", 0.0))
    except OverflowError as error:
        raise _FieldError(f"{within}seconds", "it is too large to be a time") from error
    try:
        return checked_answer(Answer(**given), kind)
    except InputError as error:
        name, _, said = str(error).partition(" ")
        raise _FieldError(within + name, f"it {said}") from error


def _moment(fields: Mapping[str, Any], now: datetime, within: str = "") -> datetime:
    if "at" not in fields:
        return now
    try:
        return utc(datetime.fromisoformat(fields["at"]))
    except (ValueError, OverflowError) as error:
        raise _FieldError(
            f"{within}at", f"it must be {_TYPES['at'][1]}; got {fields['at'][:40]!r}"
        ) from error


def _passed(field: str, check: Any, value: Any, *more: str) -> Any:
    try:
        return check(value, *more)
    except GadflyError as error:
        raise _FieldError(field, str(error)) from error


def _rater_ids(connection: sa.Connection, queue_id: int, lines: Iterable[Line]) -> dict[str, int]:
    """The raters' ids by name, those new to the queue added; all locked, as whoever labels locks their own."""
    query = sa.select(*some(raters, "id", "name")).where(raters.c.queue_id == queue_id).order_by(raters.c.id)
    known = {row.name: row.id for row in connection.execute(query.with_for_update(key_share=True))}
    roles: dict[str, Role] = {
        line.vote.rater: line.vote.role for line in lines if line.vote.rater not in known
    }
    for name, role in roles.items():
        made = connection.execute(sa.insert(raters).values(queue_id=queue_id, name=name, role=role))
        known[name] = made.inserted_primary_key[0] if made.inserted_primary_key else 0
    return known


def _met(connection: sa.Connection, queue_id: int) -> dict[tuple[int, int], Any]:
    query = sa.select(*some(assignments, "id", "item_id", "rater_id", "state")).join(items)
    found = connection.execute(query.where(items.c.queue_id == queue_id))
    return {(row.item_id, row.rater_id): row for row in found}


def _vote(connection: sa.Connection, line: Line, item: Any, rater_id: int, met: Any) -> None:
    if met is not None and met.state in STANDING:
        said = f"{line.vote.rater!r} has labelled this item already"
        raise _refusal(line.number, "rater", said)
    at = line.vote.first_at or line.vote.at
    values = {"state": "answered", "answered": at, "value": line.vote.answer.value}
    values |= {"pointed_out": line.vote.pointed_out}
    if met is None:
        new = {"item_id": item.id, "rater_id": rater_id, "gold": item.gold, "leased": at, "leased_until": at}
        made = connection.execute(sa.insert(assignments).values(**new, **values)).inserted_primary_key
        key = made[0] if made else 0
    else:
        key = met.id
        connection.execute(sa.update(assignments).where(assignments.c.id == key).values(values))
    if met is None or met.state == "lapsed":
        more = items.c.taken + 1
        roomy = sa.case((items.c.quota < more, more), else_=items.c.quota)
        connection.execute(sa.update(items).where(items.c.id == item.id).values(taken=more, quota=roomy))
    said_at = [(line.vote.answer, line.vote.at)]
    if line.vote.first is not None:
        said_at.insert(0, (line.vote.first, at))
    for attempt, (answer, moment) in enumerate(said_at, start=1):
        row = {"assignment_id": key, "attempt": attempt, "at": moment, **asdict(answer)}
        connection.execute(sa.insert(answers).values(row))


def _decide(connection: sa.Connection, line: Line, item_id: int, rater_id: int) -> None:
    if connection.execute(sa.select(decisions.c.id).where(decisions.c.item_id == item_id)).first():
        raise _refusal(line.number, "resolves", "a lead has decided this item already")
    values = {"item_id": item_id, "rater_id": rater_id, "at": line.vote.at, **asdict(line.vote.answer)}
    connection.execute(sa.insert(decisions).values(values))


def _told(line: Line) -> list[str]:
    return [line.run, line.case_id, line.vote.rater, line.vote.answer.value]
