"""gadfly: find out whether a language model can be trusted.

    import gadfly

    gadfly.audit("gadfly/smollm2").write("report.html")

Six nouns: a `Model` answers; a `Game` makes players produce a `Transcript`; a `Judge` turns transcripts into
`Judgement`s; judgements become an `Estimate`. Everything else is in the subpackages.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect_ai.model import Model

    from gadfly.auditing import Plan, audit, audit_async
    from gadfly.judges import Judge
    from gadfly.models import System, model
    from gadfly.runs import Game, as_task, open_run, run
    from gadfly.stats import Estimate
    from gadfly.transcripts import Judgement, Transcript

__all__ = [
    "Estimate",
    "Game",
    "Judge",
    "Judgement",
    "Model",
    "Plan",
    "System",
    "Transcript",
    "as_task",
    "audit",
    "audit_async",
    "model",
    "open_run",
    "run",
]

_HOME = {
    "Estimate": "gadfly.stats",
    "Game": "gadfly.runs",
    "Judge": "gadfly.judges",
    "Judgement": "gadfly.transcripts",
    "Model": "inspect_ai.model",
    "Plan": "gadfly.auditing",
    "System": "gadfly.models",
    "Transcript": "gadfly.transcripts",
    "as_task": "gadfly.runs",
    "audit": "gadfly.auditing",
    "audit_async": "gadfly.auditing",
    "model": "gadfly.models",
    "open_run": "gadfly.runs",
    "run": "gadfly.runs",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that `gadfly --help` does not wait for torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'gadfly' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
