"""Reaching models: any Inspect provider, the local engine, weights, serving."""

from typing import TYPE_CHECKING, Any

from gadfly.models._brief import Brief, briefly
from gadfly.models._inert import as_material, inert
from gadfly.models._resolve import model
from gadfly.models._scripted import scripted
from gadfly.models._system import Reply, System, direct_transport
from gadfly.models._tools import ToolCall
from gadfly.models._transport import Retry

if TYPE_CHECKING:
    from gadfly.models._engine import Engine
    from gadfly.models._local import LocalModel
    from gadfly.models._provider import Call, model_of, recording
    from gadfly.models._request import LogitsMask, Request, Sample
    from gadfly.models._serve import serve
    from gadfly.models._weights import known as known_models

__all__ = [
    "Brief",
    "Call",
    "Engine",
    "LocalModel",
    "LogitsMask",
    "Reply",
    "Request",
    "Retry",
    "Sample",
    "System",
    "ToolCall",
    "as_material",
    "briefly",
    "direct_transport",
    "inert",
    "known_models",
    "model",
    "model_of",
    "recording",
    "scripted",
    "serve",
]

_LATE = {
    "Call": ("_provider", "Call"),
    "Engine": ("_engine", "Engine"),
    "LocalModel": ("_local", "LocalModel"),
    "LogitsMask": ("_request", "LogitsMask"),
    "Request": ("_request", "Request"),
    "Sample": ("_request", "Sample"),
    "model_of": ("_provider", "model_of"),
    "recording": ("_provider", "recording"),
    "known_models": ("_weights", "known"),
    "serve": ("_serve", "serve"),
}
"""Names that bring torch and transformers with them, which takes seconds: loaded when first used."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home, attribute = _LATE[name]
    return getattr(import_module(f"{__name__}.{home}"), attribute)
