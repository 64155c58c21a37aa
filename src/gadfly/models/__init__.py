"""Reaching models: any Inspect provider, the local engine, weights, serving."""

from gadfly.models._resolve import model
from gadfly.models._scripted import scripted
from gadfly.models._system import Reply, System, direct_transport
from gadfly.models._transport import Retry

__all__ = ["Reply", "Retry", "System", "direct_transport", "model", "scripted"]
