"""A model that did not answer, in one sentence that names the fix.

Both ways of calling end here: our own client knows an HTTP status and the service's words; Inspect's
providers raise whatever their client library raises, which mostly carries a status too.
"""

from __future__ import annotations

import re

from inspect_ai.model import Model

from gadfly.errors import CallError, GadflyError

__all__ = ["PASSING", "call_error", "key_variable", "printable", "status_error"]

PASSING = ("rate_limited", "server_error", "timeout")
"""Causes that may pass by themselves."""

_TOO_LONG = re.compile(
    r"context.?(length|window)|maximum context|max.{0,20}(sequence|model).?len|too many (input )?tokens"
    r"|(prompt|input|request).{0,20}too (long|large)|reduce the length",
    re.IGNORECASE,
)
_REFUSED_CONTENT = re.compile(r"moderation|flagged|content.?(policy|filter)", re.IGNORECASE)
_CODE = re.compile(r"^Error code: \d+ - ")


def call_error(failure: Exception, model: Model, *, in_process: bool) -> BaseException:
    """What a provider raised, as ours; no status and no known kind is `"error"`.

    A `GadflyError` passes through, and so does whatever goes wrong within this process: that is a bug of
    ours (or of a script) and keeps its traceback, unless the network is not there.
    """
    root = _root(failure)
    if isinstance(root, GadflyError):
        return root
    if in_process:
        return (
            _offline(root, model) if isinstance(root, OSError) and "Connect" in type(root).__name__ else root
        )
    status = getattr(root, "status_code", None) or getattr(failure, "status_code", None)
    said = printable(str(getattr(root, "provider_message", None) or root))
    name = str(model)
    if isinstance(status, int):
        return status_error(status, said, name, key_variable(model))
    kind = type(root).__name__
    if "Timeout" in kind:
        return CallError(f"{name} did not answer in time ({kind}). Try a lower concurrency.", "timeout")
    if "Connect" in kind:
        return CallError(
            f"{name} cannot be reached ({said}). Check that its server runs.", "unreachable", fatal=True
        )
    if isinstance(root, ValueError | TypeError | KeyError | IndexError) or kind == "OpenAIResponseError":
        return CallError(
            f"{name} answered with something its client cannot read ({kind}: {said}).", "bad_reply"
        )
    return CallError(f"{name} failed with {kind}: {said}", "error")


def _offline(failure: OSError, model: Model) -> CallError:
    """A model that runs here and yet fetches something, as Inspect's mockllm does a tokenizer to count with."""
    return CallError(
        f"{model} runs here but fetches something first, and cannot ({printable(str(failure))}). Connect once, or name "
        "another model.",
        "unreachable",
        fatal=True,
    )


def status_error(status: int, said: str, model: str, key: str) -> CallError:
    """The failure an HTTP status stands for; `said` are the service's own words, `key` the variable of its
    key.
    """
    words = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if status in (400, 413, 422) and _TOO_LONG.search(said):
        return CallError(f"The prompt does not fit the context of {model} ({words}).", "context_overflow")
    if status in (401, 403) and not _REFUSED_CONTENT.search(said):
        return CallError(f"{model} refused the key ({words}). Check {key}.", "unauthorized", fatal=True)
    if status == 404:
        return CallError(f"{model} is not there ({words}). Check the name.", "not_found", fatal=True)
    if status == 429:
        spent = "quota" in said or "billing" in said
        advice = (
            "The account's quota is used up: add credit." if spent else "Lower the concurrency and resume."
        )
        return CallError(f"{model} is rate-limited ({words}). {advice}", "rate_limited", fatal=spent)
    if status in (408, 425):
        return CallError(f"{model} did not answer in time ({words}). Try a lower concurrency.", "timeout")
    if status >= 500 or status == 409:
        return CallError(f"{model} is failing on its side ({words}). Resume the run later.", "server_error")
    return CallError(f"{model} rejected the request ({words}).", "rejected", fatal=status == 402)


def key_variable(model: Model) -> str:
    """The environment variable that this model's key comes from."""
    variables = model.api.api_key_vars
    return variables[0] if variables else "its API key"


def printable(text: str, limit: int = 200) -> str:
    """A service's words on one line, without control characters, cut at `limit`."""
    clean = "".join(char if char.isprintable() else " " for char in text[: limit * 4])
    clean = _CODE.sub("", " ".join(clean.split()))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _root(failure: BaseException) -> BaseException:
    """The exception inside tenacity's RetryError and Inspect's wrappers, which hide the one that tells."""
    attempt = getattr(failure, "last_attempt", None)
    inner = attempt.exception() if attempt is not None else None
    if inner is None and type(failure).__name__ == "ModelGenerateError":
        inner = failure.__cause__
    return failure if inner is None else _root(inner)
