"""A judge that learned from people: a linear ensemble over embeddings, calibrated, with its card.

A round of it is `heads.safetensors`, `judge.json` and `card.json`; see `_rounds` for where they lie.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gadfly.errors import InputError
from gadfly.judges._base import Control, Judge, check_threshold, reading, unjudgeable
from gadfly.judges._calibration import Platt
from gadfly.judges._features import features
from gadfly.judges._heads import Floats, Heads
from gadfly.judges._record import Card, Reading, Saved, reader, to_json
from gadfly.judges._reward_record import RewardCard
from gadfly.judges._rounds import judges_directory, keep_round, place_of, read_file, read_tensors, rounds
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Fitted", "history", "load_fitted"]

FORMAT = 2
_SLICE = 512  # transcripts embedded and judged at once


@dataclass(frozen=True)
class Fitted:
    """A judge that learned from people; see `fit`. `controls` is empty: its card is its proof."""

    name: str
    threshold: float
    heads: Heads = field(repr=False)
    calibration: Platt
    reading: Reading
    card: Card = field(repr=False)
    base: Judge | None = field(default=None, repr=False)
    controls: tuple[Control, ...] = ()

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    def spec(self) -> dict[str, Any]:
        """What decides a score: a run judges anew when a new round lands, not when only the threshold moved."""
        base: dict[str, Any] = getattr(self.base, "spec", dict)()
        weights = hashlib.sha256(_weights(self.heads) + repr(self.calibration).encode()).hexdigest()
        return {
            "heads": weights,
            "embedding": self.reading.sha256,
            "question": self.reading.question,
            "base": base,
        }

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """A score is the mean over the ensemble's members, its `uncertainty` their standard deviation.

        Works through any number of transcripts in slices, in threads; vectors of texts that come again are kept.
        """
        known: dict[bytes, Any] = {}
        judgements: list[Judgement] = []
        for start in range(0, len(transcripts), _SLICE):
            piece = transcripts[start : start + _SLICE]
            members = iter(await self._members([t for t in piece if not unjudgeable(t)], known))
            judgements += [self._one(t, None if unjudgeable(t) else next(members)) for t in piece]
        return judgements

    async def _members(self, transcripts: Sequence[Transcript], known: dict[bytes, Any]) -> Floats:
        """Each member's probability of each transcript, (N, M)."""
        if not transcripts:
            return np.zeros((0, len(self.heads.intercepts_M)))
        read_N_D = await features(transcripts, self.reading, self.base, known)
        return self.calibration.members(self.heads.logits(read_N_D))

    def _one(self, transcript: Transcript, members_M: Floats | None) -> Judgement:
        if members_M is None:
            return Judgement.missing(transcript.case.id, self.name, unjudgeable(transcript))
        score, spread = float(members_M.mean()), float(members_M.std())
        notes = {**reading(transcript), "round": self.card.round}
        return Judgement(transcript.case.id, self.name, score, uncertainty=spread, metadata=notes)

    def save(self, directory: Path | str | None = None) -> Path:
        """Keep this judge as the next round of its name; returns the round's directory.

        `directory` holds all judges: `$GADFLY_JUDGES`, else `./gadfly-judges`.
        """
        weights = _weights(self.heads)
        sha256 = hashlib.sha256(weights).hexdigest()
        saved = Saved(FORMAT, self.name, self.threshold, self.calibration, self.reading, sha256)

        def contents(number: int) -> dict[str, bytes]:
            return {
                _HEADS: weights,
                _JUDGE: to_json(saved),
                _CARD: to_json(replace(self.card, round=number)),
            }

        return keep_round(self.name, contents, directory)


_HEADS, _JUDGE, _CARD = "heads.safetensors", "judge.json", "card.json"


def load_fitted(
    name: str,
    round: int | None = None,  # noqa: A002 - what it is
    threshold: float | None = None,
    directory: Path | str | None = None,
) -> Fitted:
    """A saved judge: its latest round unless one is named, at its own threshold unless another is given.

    Raises `UnknownNameError` for a name or round that is not there, `InputError` for one whose files are missing,
    damaged or fitted on another embedding model, and `GadflyError` when that model is nowhere to be had.
    """
    from gadfly.judges._features import base_judge, embedding_of

    place = place_of(name, round, directory)
    saved = read_file(place / _JUDGE, reader(Saved))
    card = read_file(place / _CARD, reader(Card)) if saved.format == FORMAT else None
    if card is None or card.name != saved.name:
        raise InputError(
            f"{str(place)!r} was saved by another version of gadfly or altered; fit the judge again."
        )
    heads = read_file(place / _HEADS, lambda content: _heads(content, saved))
    read = saved.reading
    base = base_judge(read)
    width = embedding_of(read).width * (1 + read.question) + bool(read.base)
    if heads.coefficients_M_D.shape[1] != width or not math.isfinite(saved.calibration.offset):
        raise InputError(f"{str(place / _JUDGE)!r} does not fit the weights beside it; fit the judge again.")
    return Fitted(
        saved.name,
        saved.threshold if threshold is None else threshold,
        heads,
        saved.calibration,
        saved.reading,
        card,
        base,
    )


def questions_learned(name: str, round: int | None = None) -> frozenset[str]:  # noqa: A002 - what it is
    """The keys (`question_key`) of the questions that a judge's latest round learned from, or the one named; raises as
    `load_fitted` does.
    """
    return frozenset(_card(place_of(name, round, None)).questions)


def history(name: str, directory: Path | str | None = None) -> list[Card | RewardCard]:
    """The cards of every round of a judge that learned, oldest first; raises as `load_fitted` does."""
    home = judges_directory(directory) / name
    place_of(name, None, directory)
    return [_card(home / f"{number:04}") for number in sorted(rounds(home))]


def _card(place: Path) -> Card | RewardCard:
    """A round's card, of whichever kind the round is."""
    if (place / _JUDGE).is_file():
        return read_file(place / _CARD, reader(Card))
    return read_file(place / _CARD, reader(RewardCard))


def _weights(heads: Heads) -> bytes:
    from safetensors.numpy import save

    return save({"coefficients": heads.coefficients_M_D, "intercepts": heads.intercepts_M})


def _heads(content: bytes, saved: Saved) -> Heads:
    """The weights, which must be the very ones `judge.json` was written beside."""
    tensors = read_tensors(content, saved.heads_sha256)
    if {name: tensor.ndim for name, tensor in tensors.items()} != {"coefficients": 2, "intercepts": 1}:
        raise ValueError("it holds other tensors than a judge's")
    return Heads(tensors["coefficients"], tensors["intercepts"])
