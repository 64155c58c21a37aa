"""The error model, stated once.

A failure belongs to exactly one boundary, is recorded once, and never takes its siblings with it:

- **Usage**: what the user typed or wrote (a name, a file, a key) cannot work. Raised before anything runs:
  `UnknownNameError`, `InputError`, `MissingKeyError`.
- **Call**: a model did not answer. `CallError` is raised by `System` once retries are exhausted; the runner records its
  `cause` in that case's row and goes on. When `fatal` is true every further case would fail alike (a refused
  key, an unknown model): the run stops, keeps what it has and can be resumed.
- **Judge**: a judge could not tell. No exception: a `Judgement` whose score is missing, with its cause.
- **Store**: what is on disk cannot be read or written: `StoreError`. Nothing on disk is altered.

Everything here derives from `GadflyError`: the command line prints its one sentence, which says what happened and
what to do, without a traceback. Any other exception is a bug in gadfly and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "CallError",
    "GadflyError",
    "InputError",
    "MissingKeyError",
    "StoreError",
    "UnknownNameError",
]


class GadflyError(Exception):
    """A failure the user can mend; its message is one sentence that names the fix."""


class InputError(GadflyError, ValueError):
    """A value, file or option that cannot be used."""


class MissingKeyError(GadflyError, PermissionError):
    """A credential is absent; the message names the variable to set."""


class StoreError(GadflyError, OSError):
    """A run on disk cannot be read or written."""


class UnknownNameError(GadflyError, LookupError):
    """A name that nothing answers to; the message names the nearest that exist, up to `LISTED`."""

    LISTED = 20

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        tail = f" {hint}" if hint else ""
        left = len(names) - self.LISTED
        if left > 0:
            names = difflib.get_close_matches(name.lower(), names, n=self.LISTED, cutoff=0.0)
        more = f" and {left:,} more" if left > 0 else ""
        super().__init__(
            f"There is no {kind} {name!r}.{guess} Known: {', '.join(names) or 'none'}{more}.{tail}"
        )


class CallError(GadflyError, RuntimeError):
    """A model call that failed for good.

    `cause` is a short stable word kept in the case's row: `unauthorized`, `not_found`, `rate_limited`,
    `server_error`, `unreachable`, `timeout`, `bad_reply`, `empty_reply`, `no_choice`, `context_overflow`, `rejected`.
    `cut`: nothing was said because all tokens allowed were used up before. `usage`, a `Usage`, is what was paid for all
    the same; None where nothing was.
    """

    def __init__(
        self, message: str, cause: str, *, fatal: bool = False, cut: bool = False, usage: Any = None
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.fatal = fatal
        self.cut = cut
        self.usage = usage
