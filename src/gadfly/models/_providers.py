"""Our providers as Inspect knows them: `gadfly/…` for local weights, `scripted/…` for the fake.

Kept light: torch is imported when a local model is first named, not when Inspect lists what exists.
"""

from __future__ import annotations

from inspect_ai.model import ModelAPI, modelapi

from gadfly.models import _scripted

__all__ = ["_scripted", "gadfly"]


@modelapi(name="gadfly")
def gadfly() -> type[ModelAPI]:
    """Local models: `gadfly/smollm2`, `gadfly/<directory>`, `gadfly/<hub id>`, `…+<adapter directory>`."""
    from gadfly.models._provider import LocalProvider

    return LocalProvider
