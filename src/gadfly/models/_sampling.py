"""One token for each sequence of a batch.

A sequence's randomness is its own: one uniform number per token from Philox(seed, sample), whatever else is
in the batch. The number is inverted through the cumulative probabilities in descending order, so that small
differences in the logits rarely change the token. Axes: N sequences, V vocabulary, C candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["Draw", "draw", "uniforms"]

CANDIDATES = 256
"""How many of the likeliest tokens are looked at first; a sequence that needs more has its row sorted whole."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How one sequence's next token is drawn. `u` in [0, 1); a temperature of 0 takes the likeliest token."""

    temperature: float
    top_p: float
    u: float


def uniforms(seed: int, sample: int, count: int) -> npt.NDArray[np.float64]:
    """The random numbers of one sample of a request: the first `count` of its own stream."""
    key = np.array([seed % 2**64, sample], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def draw(
    logits_N_V: torch.Tensor,
    draws: Sequence[Draw],
    few: Mapping[int, npt.NDArray[np.integer]] = MappingProxyType({}),
) -> list[int | None]:
    """One token per row. Temperature is applied first, then top_p: the fewest likeliest tokens whose mass
    reaches it. Ties go to the lower id in greedy rows and among few. None for a row with a NaN or all -inf.

    `few` holds ids, ascending, for some of the rows: these are drawn from as if all other logits were -inf.
    """
    tokens: list[int | None] = [None] * len(draws)
    for i, values_A in _picked(logits_N_V, few).items():
        at = _of_few(values_A, draws[i])
        tokens[i] = None if at is None else int(few[i][at])
    wide = [i for i in range(len(draws)) if i not in few]
    if wide:
        rows = logits_N_V[wide] if few else logits_N_V
        for i, token in zip(wide, _of_many(rows, [draws[i] for i in wide]), strict=True):
            tokens[i] = token
    return tokens


def _picked(
    logits_N_V: torch.Tensor, few: Mapping[int, npt.NDArray[np.integer]]
) -> dict[int, npt.NDArray[np.float32]]:
    """The logits of few ids of some rows, all fetched at once."""
    if not few:
        return {}
    size = logits_N_V.shape[1]
    places = torch.from_numpy(np.concatenate([ids_A.astype(np.int64) + i * size for i, ids_A in few.items()]))
    values = logits_N_V.reshape(-1)[places.to(logits_N_V.device)].cpu().numpy()
    return dict(zip(few, np.split(values, np.cumsum([len(ids) for ids in few.values()])[:-1]), strict=True))


def _of_few(logits_A: npt.NDArray[np.float32], d: Draw) -> int | None:
    """Which of few tokens is drawn; the same one as from a whole row in which all others are -inf."""
    best = logits_A.max()
    if not np.isfinite(best):
        return None
    if len(logits_A) == 1 or d.temperature == 0:
        return int(logits_A.argmax())
    scaled_A = (logits_A.astype(np.float64) - best) / d.temperature
    order_A = np.argsort(-scaled_A, kind="stable")
    mass_A = np.exp(scaled_A[order_A]).cumsum()
    return int(order_A[_place(mass_A / mass_A[-1], d)])


def _of_many(logits_N_V: torch.Tensor, draws: list[Draw]) -> list[int | None]:
    """One token of all for each row."""
    tokens = [0] * len(draws)
    greedy = [i for i, d in enumerate(draws) if d.temperature == 0]
    random = [i for i, d in enumerate(draws) if d.temperature != 0]
    if greedy:
        rows = logits_N_V if not random else logits_N_V[greedy]
        for i, token in zip(greedy, rows.argmax(-1).tolist(), strict=True):
            tokens[i] = token
    if random:
        rows = logits_N_V if not greedy else logits_N_V[random]
        for i, token in zip(random, _sampled(rows, [draws[i] for i in random]), strict=True):
            tokens[i] = token
    finite = torch.isfinite(logits_N_V.amax(-1)).tolist()
    return [token if usable else None for token, usable in zip(tokens, finite, strict=True)]


def _sampled(logits_N_V: torch.Tensor, draws: list[Draw]) -> list[int]:
    temperature = torch.tensor([d.temperature for d in draws], device=logits_N_V.device)
    scaled_N_V = logits_N_V / temperature[:, None]
    total_N = scaled_N_V.logsumexp(-1, keepdim=True)
    best, ids_N_C = scaled_N_V.topk(min(CANDIDATES, scaled_N_V.shape[-1]), -1)
    mass_N_C = (best - total_N).exp().cpu().double().numpy().cumsum(-1)
    ids = ids_N_C.cpu().numpy()
    tokens = []
    for i, d in enumerate(draws):
        whole = mass_N_C.shape[1] == scaled_N_V.shape[-1]
        target = None if d.top_p < 1 else d.u * (mass_N_C[i, -1] if whole else 1.0)
        if target is None and (whole or mass_N_C[i, -1] >= d.top_p):
            kept = min(int(np.searchsorted(mass_N_C[i], d.top_p)), mass_N_C.shape[1] - 1)
            target = d.u * mass_N_C[i, kept]
        if target is None or (target >= mass_N_C[i, -1] and not whole):
            tokens.append(_exact(scaled_N_V[i] - total_N[i], d))
        else:
            at = int(np.searchsorted(mass_N_C[i], target, side="right"))
            tokens.append(int(ids[i, min(at, mass_N_C.shape[1] - 1)]))
    return tokens


def _exact(logprobs_V: torch.Tensor, d: Draw) -> int:
    """The same draw with the whole row sorted."""
    ordered, ids = logprobs_V.sort(descending=True)
    return int(ids[_place(ordered.exp().cpu().double().numpy().cumsum(), d)])


def _place(mass: npt.NDArray[np.float64], d: Draw) -> int:
    """Where `u` falls in the cumulative mass of all tokens, the likeliest first."""
    kept = len(mass) - 1 if d.top_p >= 1 else min(int(np.searchsorted(mass, d.top_p)), len(mass) - 1)
    return min(int(np.searchsorted(mass, d.u * mass[kept], side="right")), kept)
