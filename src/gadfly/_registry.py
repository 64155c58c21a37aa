"""What Inspect finds through its entry point: our model providers and tasks."""

from __future__ import annotations

from gadfly.models import _providers

__all__ = ["_providers"]
