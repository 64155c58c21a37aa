"""Training: any player, any game, any judge, with TRL and PEFT underneath."""

from typing import TYPE_CHECKING, Any

from gadfly.training._folder import Folder, adapters_home

if TYPE_CHECKING:
    from gadfly.training._policy import Lora, learner_of, trainable
    from gadfly.training._preference import Preference, Preferring, confidence, prefer
    from gadfly.training._reinforce import Reinforcement, reinforce
    from gadfly.training._reward import train_reward
    from gadfly.training._reward_adapters import AdapterTraining
    from gadfly.training._reward_data import Row, Rows, read_rows, rows_of, to_rows
    from gadfly.training._reward_learner import RewardLearner, reward_learner
    from gadfly.training._reward_settings import RewardSettings
    from gadfly.training._rollouts import Failure, Match
    from gadfly.training._session import Trained, adapter_digest
    from gadfly.training._sft import Demonstration, Supervision, supervise

__all__ = [
    "AdapterTraining",
    "Demonstration",
    "Failure",
    "Folder",
    "Lora",
    "Match",
    "Preference",
    "Preferring",
    "Reinforcement",
    "RewardLearner",
    "RewardSettings",
    "Row",
    "Rows",
    "Supervision",
    "Trained",
    "adapter_digest",
    "adapters_home",
    "confidence",
    "learner_of",
    "prefer",
    "read_rows",
    "reinforce",
    "reward_learner",
    "rows_of",
    "supervise",
    "to_rows",
    "train_reward",
    "trainable",
]

_LATE = {
    "AdapterTraining": "_reward_adapters",
    "Demonstration": "_sft",
    "Failure": "_rollouts",
    "Lora": "_policy",
    "Match": "_rollouts",
    "Preference": "_preference",
    "Preferring": "_preference",
    "Reinforcement": "_reinforce",
    "RewardLearner": "_reward_learner",
    "RewardSettings": "_reward_settings",
    "Row": "_reward_data",
    "Rows": "_reward_data",
    "Supervision": "_sft",
    "Trained": "_session",
    "adapter_digest": "_session",
    "confidence": "_preference",
    "learner_of": "_policy",
    "prefer": "_preference",
    "read_rows": "_reward_data",
    "reinforce": "_reinforce",
    "reward_learner": "_reward_learner",
    "rows_of": "_reward_data",
    "supervise": "_sft",
    "to_rows": "_reward_data",
    "train_reward": "_reward",
    "trainable": "_policy",
}
"""Names that bring torch and transformers with them, which takes seconds: loaded when first used."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
