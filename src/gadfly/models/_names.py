"""How a local model is named: `base[@dtype][+adapter]`, as in `qwen2.5-coder-1.5b@int8` or `smollm2+runs/adapter`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gadfly.errors import InputError

__all__ = ["DTYPES", "LocalName", "local_name"]

DTYPES = ("float32", "bfloat16", "float16", "int8")
"""What weights may be kept as. `int8` is on the CPU alone."""


@dataclass(frozen=True, slots=True)
class LocalName:
    """A short name, directory or hub id; what its weights are kept as ("auto": as the hardware likes); an adapter's
    directory.
    """

    base: str
    dtype: str = "auto"
    adapter: str | None = None

    def __str__(self) -> str:
        dtype = "" if self.dtype == "auto" else f"@{self.dtype}"
        return self.base + dtype + (f"+{self.adapter}" if self.adapter else "")


def local_name(text: str) -> LocalName:
    """The parts of a name; a path that exists is all base, whatever is in it.

    Raises `InputError` for a dtype that does not exist.
    """
    if Path(text).expanduser().exists():
        return LocalName(text)
    rest, _, adapter = text.partition("+")
    base, at, dtype = rest.rpartition("@")
    if not at or "/" in dtype or Path(rest).expanduser().exists():
        return LocalName(rest, adapter=adapter or None)
    if dtype not in DTYPES:
        raise InputError(f"There is no dtype {dtype!r}; after the @ comes one of {', '.join(DTYPES)}.")
    return LocalName(base, dtype, adapter or None)
