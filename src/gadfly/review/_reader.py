"""Reading JSON values that were kept, strictly: what is wrong is said with the name of the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gadfly.errors import InputError

__all__ = ["list_in", "object_in", "spans_in", "text_in"]


def list_in(data: Mapping[str, Any], name: str, place: str) -> list[Any]:
    """A list, empty where there is none. Raises `InputError`."""
    value = data.get(name, [])
    if not isinstance(value, list | tuple):
        raise InputError(f"{place}.{name} must be a list, got {type(value).__name__}.")
    return list(value)


def object_in(data: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
    """An object. Raises `InputError`."""
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise InputError(f"{place}.{name} must be an object with turns, got {type(value).__name__}.")
    return value


def text_in(data: Any, name: str, place: str) -> str:
    """A text. Raises `InputError`."""
    value = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(value, str):
        raise InputError(f"{place}.{name} must be text, got {type(value).__name__}.")
    return value


def spans_in(data: Mapping[str, Any], place: str) -> tuple[tuple[int, int], ...]:
    """The (start, end) pairs under `spans`, none where there are none. Raises `InputError`."""
    found = list_in(data, "spans", place)
    for n, span in enumerate(found):
        if not (isinstance(span, list | tuple) and len(span) == 2 and all(type(end) is int for end in span)):
            raise InputError(f"{place}.spans[{n}] must be a [start, end] pair of whole numbers.")
    return tuple((start, end) for start, end in found)
