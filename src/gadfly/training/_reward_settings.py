"""How a reward model is trained: what its members share, what they are, and on what they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gadfly.errors import InputError
from gadfly.training._reward_adapters import AdapterTraining

__all__ = ["TRUNKS", "RewardSettings"]

Share = Literal["trunk", "layers", "none"]
Head = Literal["bagged", "laplace"]

TRUNKS = ("smollm2", "gemma3-270m", "all-minilm-l6-v2")
"""What members stand on that share nothing; the first is what those stand on that do."""
_DRAWS = 32  # from a Laplace posterior: they cost nothing, and five would estimate a variance badly


@dataclass(frozen=True)
class RewardSettings:
    """How to train. `share` is what members have in common: "trunk" (a head each), "layers" (all but the top `layers`,
    which each adapts for itself, and a head), "none" (a pretrained trunk each, with `members` heads on every one).

    `head`: "bagged" heads on bootstraps, or "laplace", samples from the posterior of one. `members` is a fold's, where
    there are folds. `trunks` names one trunk, or several where nothing is shared. `reads`: what of a transcript is
    read, "reply", "dialogue" or "auto", which takes the dialogue where the texts to learn from are dialogues.
    `label_weight` counts where labels stand beside pairs. The threshold of one that learned from labels finds `recall`
    of what people flag with `confidence`.
    """

    share: Share = "trunk"
    head: Head = "bagged"
    trunks: tuple[str, ...] = ()
    members: int = 5
    layers: int = 1
    adapters: AdapterTraining = AdapterTraining()  # noqa: RUF009 - frozen
    label_weight: float = 1.0
    reads: str = "auto"
    recall: float = 0.95
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        for word, value, choices in (
            ("Members share", self.share, ("trunk", "layers", "none")),
            ("A head is", self.head, ("bagged", "laplace")),
            ("A reward model reads", self.reads, ("auto", "reply", "dialogue")),
        ):
            if value not in choices:
                raise InputError(f"{word} one of {', '.join(choices)}; got {value!r}.")
        if self.members < 1 or self.layers < 1:
            raise InputError(
                f"There is at least one member and one adapted layer; got {self.members}, {self.layers}."
            )
        if self.share == "layers" and self.head == "laplace":
            raise InputError(
                "A Laplace posterior is over one head: share the trunk with it, or take bagged heads."
            )
        if self.share == "none" and len(self.on) < 2:
            raise InputError("Members that share nothing need two trunks or more; name them with --trunk.")
        if self.share != "none" and len(self.on) > 1:
            raise InputError(f"{len(self.on)} trunks are named and members share one; let them share none.")
        if self.label_weight < 0:
            raise InputError(f"A label's weight is 0 or more; got {self.label_weight!r}.")

    @property
    def on(self) -> tuple[str, ...]:
        """The trunks' names."""
        return self.trunks or (TRUNKS if self.share == "none" else TRUNKS[:1])

    @property
    def each(self) -> int:
        """Members a fold and a trunk."""
        return max(self.members, _DRAWS) if self.head == "laplace" else self.members

    @property
    def adapted(self) -> int:
        """How many top layers members adapt."""
        return self.layers if self.share == "layers" else 0
