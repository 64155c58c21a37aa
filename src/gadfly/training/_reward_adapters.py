"""Training K members' adapters at once: one pass over what the frozen trunk left, each member with its own bootstrap.

All members see the same minibatch and weigh its rows by their own bootstrap counts; no parameter is shared and Adam
works on each number alone, so a step of K members is K separate steps done together. Members start where bagged heads
end: `b` is zero and the heads are solved for the unadapted features, so adapters can only add.

Axes: K members, R rows, B rows of a minibatch, N texts, D features, W width of the last state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from gadfly.errors import GadflyError
from gadfly.judges._heads import Heads
from gadfly.judges._reward_tops import Adapters, Tops, fresh
from gadfly.judges._trunk import Stems
from gadfly.training._reward_data import Rows

__all__ = ["AdapterTraining", "Batch", "Members", "adapted_logits", "step", "train_adapters"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class AdapterTraining:
    """How adapters are trained. `rank` of the change to each projection."""

    rank: int = 8
    epochs: int = 3
    batch: int = 32
    lr: float = 1e-3
    head_lr: float = 1e-4
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    """A minibatch over U texts: their stems and standardised frozen features, the rows as places in them, and how much
    each row counts for each member.
    """

    stems: Stems
    frozen_U_D: torch.Tensor
    left_B: torch.Tensor
    right_B: torch.Tensor
    target_B: torch.Tensor
    weights_K_B: torch.Tensor


@dataclass
class Members:
    """What is trained: adapters, and heads over the frozen features, the last state and an intercept."""

    adapters: dict[str, torch.Tensor]
    frozen_K_D: torch.Tensor
    last_K_W: torch.Tensor
    intercepts_K: torch.Tensor

    @classmethod
    def start(cls, tops: Tops, heads: Heads, width: int, training: AdapterTraining) -> Members:
        """Adapters that change nothing, and heads as solved; their first `width` features are the frozen ones."""
        adapters = fresh(tops, len(heads.intercepts_M), training.rank, training.seed)
        coefficients = torch.from_numpy(heads.coefficients_M_D).float()
        made = cls(
            adapters,
            coefficients[:, :width].contiguous(),
            coefficients[:, width:].contiguous(),
            torch.from_numpy(heads.intercepts_M).float(),
        )
        for tensor in (*adapters.values(), made.frozen_K_D, made.last_K_W, made.intercepts_K):
            tensor.requires_grad_(True)
        return made

    @property
    def heads(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.frozen_K_D, self.last_K_W, self.intercepts_K

    def solved(self) -> tuple[Heads, Adapters]:
        """What was trained, detached."""
        coefficients = torch.cat([self.frozen_K_D, self.last_K_W], 1).detach().double().numpy()
        heads = Heads(np.ascontiguousarray(coefficients), self.intercepts_K.detach().double().numpy().copy())
        return heads, {name: tensor.detach() for name, tensor in self.adapters.items()}


@dataclass(frozen=True)
class Problem:
    """Everything a training needs of its texts: stems, features standardised (frozen ones only), the last state's
    centre and scale, the rows, their weights, and the heads' penalty.
    """

    tops: Tops
    stems: Stems
    frozen_N_D: Floats
    centre_W: torch.Tensor
    scale_W: torch.Tensor
    rows: Rows
    weights_R: Floats
    strength: float


def train_adapters(
    problem: Problem,
    heads: Heads,
    counts_K_R: Sequence[Floats],
    training: AdapterTraining,
    advance: Callable[[int], None] | None = None,
) -> tuple[Heads, Adapters]:
    """Heads and adapters of all members. `advance` is told of rows done.

    Raises `GadflyError` when the loss stops being a number.
    """
    members = Members.start(problem.tops, heads, problem.frozen_N_D.shape[1], training)
    optimiser = torch.optim.Adam(
        [
            {"params": list(members.adapters.values()), "lr": training.lr},
            {"params": list(members.heads), "lr": training.head_lr},
        ]
    )
    counts = np.array(counts_K_R) * problem.weights_R
    total = training.epochs * int(np.ceil(len(problem.rows) / training.batch))
    for number, picked in enumerate(_minibatches(len(problem.rows), training)):
        for group, rate in zip(optimiser.param_groups, (training.lr, training.head_lr), strict=True):
            group["lr"] = rate * (1 - number / total)  # to zero, so that where it stops does not matter
        loss = step(problem, members, batch_of(problem, picked, counts), optimiser)
        if not np.isfinite(loss):
            raise GadflyError(
                "The adapters' loss is no number any more; train with a smaller rank or share the trunk."
            )
        if advance:
            advance(len(picked))
    return members.solved()


def step(problem: Problem, members: Members, batch: Batch, optimiser: torch.optim.Optimizer) -> float:
    """One step of all members; returns the sum of their losses before it."""
    logits_K_B = adapted_logits(problem, members, batch)
    target_K_B = batch.target_B.expand_as(logits_K_B)
    fit = (
        batch.weights_K_B * binary_cross_entropy_with_logits(logits_K_B, target_K_B, reduction="none")
    ).mean(1)
    squares_K = members.frozen_K_D.square().sum(1) + members.last_K_W.square().sum(1)
    loss = (fit + squares_K / (2 * problem.strength * len(problem.rows))).sum()
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())


def adapted_logits(problem: Problem, members: Members, batch: Batch) -> torch.Tensor:
    """Each member's logit of each row, (K, B): a difference of rewards, or a reward and an intercept."""
    states_K_U_W = problem.tops(batch.stems, members.adapters)
    last_K_U_W = (states_K_U_W - problem.centre_W) / problem.scale_W
    reward_K_U = torch.einsum("kuw,kw->ku", last_K_U_W, members.last_K_W)
    reward_K_U = reward_K_U + members.frozen_K_D @ batch.frozen_U_D.T
    alone_B = batch.right_B < 0
    against_K_B = torch.where(
        alone_B, -members.intercepts_K[:, None], reward_K_U[:, batch.right_B.clamp(min=0)]
    )
    return reward_K_U[:, batch.left_B] - against_K_B


def batch_of(problem: Problem, picked: Ints, weights_K_R: Floats) -> Batch:
    """The minibatch of some rows, each text in it once."""
    rows = problem.rows[picked]
    used = np.unique(np.concatenate([rows.left_R, rows.right_R[rows.pairs]]))
    right = np.where(rows.pairs, np.searchsorted(used, rows.right_R), -1)
    return Batch(
        problem.stems[used.tolist()],
        torch.from_numpy(problem.frozen_N_D[used]).float(),
        torch.from_numpy(np.searchsorted(used, rows.left_R)),
        torch.from_numpy(right),
        torch.from_numpy(rows.target_R).float(),
        torch.from_numpy(weights_K_R[:, picked]).float(),
    )


def _minibatches(rows: int, training: AdapterTraining) -> Iterator[Ints]:
    rng = np.random.default_rng(training.seed)
    for _ in range(training.epochs):
        order = rng.permutation(rows)
        for start in range(0, rows, training.batch):
            yield order[start : start + training.batch]
