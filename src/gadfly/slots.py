"""Texts with slots: names in braces that are filled in later; `{{` and `}}` stand for braces themselves.

Slots are filled once: a value that holds braces is never read for slots again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from gadfly.errors import InputError

__all__ = ["Template", "fill", "fill_known", "slots", "template"]

_BRACES = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}|[{}]")


def template(text: object) -> object:
    """The text as it is; `ValueError` for braces that are neither a slot nor doubled."""
    if isinstance(text, str):
        for found in _BRACES.finditer(text):
            if found[0] in ("{", "}"):
                near = text[max(0, found.start() - 10) : found.end() + 20]
                raise ValueError(
                    f"a slot is a name in braces, and a brace itself is doubled; here is {near!r}"
                )
    return text


Template = Annotated[str, BeforeValidator(template)]
"""A text with slots, in a pydantic model."""


def slots(text: str) -> set[str]:
    """The names of a text's slots."""
    return {found[1] for found in _BRACES.finditer(text) if found[1]}


def fill(text: str, values: Mapping[str, Any]) -> str:
    """The text with its slots filled; a list's items stand with commas. Raises `InputError` for one without a value."""

    def value(found: re.Match[str]) -> str:
        if not found[1]:
            return found[0][0]
        if found[1] not in values:
            raise InputError(f"There is no value for {{{found[1]}}} in the case's data.")
        given = values[found[1]]
        return ", ".join(map(str, given)) if isinstance(given, list | tuple) else str(given)

    return _BRACES.sub(value, text)


def fill_known(text: str, values: Mapping[str, str]) -> str:
    """The text with those slots filled that have a value; the others and doubled braces stay."""
    return _BRACES.sub(lambda found: values.get(found[1] or "", found[0]), text)
