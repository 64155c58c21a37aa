"""What a form sends, read strictly: only the plain encoding, few fields, and a sentence for what is wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from gadfly.errors import InputError
from gadfly.review._records import Answer

__all__ = ["answer_in", "field", "number_in", "read_form", "seconds_in"]

_DAY = 86_400.0


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form; the last one wins where a name comes twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "That is not a form of this page: reload it and answer there.")
    try:
        text = (await request.body()).decode("utf-8")
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise InputError("The form cannot be read: reload the page and answer again.") from None
    return {name: values[-1] for name, values in fields.items()}


def field(form: Mapping[str, str], name: str) -> str:
    """One field, empty when absent."""
    return form.get(name, "").strip()


def number_in(form: Mapping[str, str], name: str) -> int:
    """A field that names something by its number. Raises `InputError` when it is none."""
    text = field(form, name)
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InputError("The form does not say which item it is about: reload the page and answer again.")
    return int(text)


def answer_in(form: Mapping[str, str], *, needs_reason: bool, name: str = "value") -> Answer:
    """The answer a form holds under a name; whether its value is one of the item's is the store's to check.

    `seconds` is what the page's script counted while the page was visible, where that is no longer than the time since
    it was sent; without a script it is that time.
    """
    reason = " ".join(field(form, "reason").split())
    if needs_reason and not reason:
        raise InputError("This queue asks for a reason: write one sentence, then answer.")
    if not field(form, name):
        raise InputError("Nothing was chosen: choose an answer, then send it.")
    rule = field(form, "rule")
    return Answer(
        field(form, name),
        reason=reason,
        seconds=seconds_in(form) or 0.0,  # what an answer says that was not timed
        rule=int(rule) if rule.isascii() and rule.isdecimal() and len(rule) < 5 else None,
    )


def seconds_in(form: Mapping[str, str]) -> float | None:
    """How long somebody looked before they sent a form: its `seconds`, or without a script the time since `shown`.

    Where that lies ahead, because the clock was set back, `seconds` may be up to a day; None where there is neither.
    """
    elapsed = min(_DAY, time.time() - (_float(field(form, "shown")) or math.inf))
    known = elapsed > -1
    seconds = _float(field(form, "seconds"))
    if seconds is not None and 0 <= seconds <= (elapsed + 1 if known else _DAY):
        return round(seconds, 2)
    return round(max(0.0, elapsed), 2) if known else None


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
