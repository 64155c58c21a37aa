"""Training: any player, any game, any judge, with TRL and PEFT underneath."""

from typing import TYPE_CHECKING, Any

from gadfly.training._folder import Folder, adapters_home

if TYPE_CHECKING:
    from gadfly.training._policy import Lora, trainable
    from gadfly.training._reinforce import Reinforcement, reinforce
    from gadfly.training._rollouts import Failure, Match
    from gadfly.training._session import Trained
    from gadfly.training._sft import Demonstration, Supervision, supervise

__all__ = [
    "Demonstration",
    "Failure",
    "Folder",
    "Lora",
    "Match",
    "Reinforcement",
    "Supervision",
    "Trained",
    "adapters_home",
    "reinforce",
    "supervise",
    "trainable",
]

_LATE = {
    "Demonstration": "_sft",
    "Failure": "_rollouts",
    "Lora": "_policy",
    "Match": "_rollouts",
    "Reinforcement": "_reinforce",
    "Supervision": "_sft",
    "Trained": "_session",
    "reinforce": "_reinforce",
    "supervise": "_sft",
    "trainable": "_policy",
}
"""Names that bring torch and transformers with them, which takes seconds: loaded when first used."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
