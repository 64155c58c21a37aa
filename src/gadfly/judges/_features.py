"""How a judge that learns reads a transcript: as the vectors of what the target said and of what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gadfly.errors import InputError, UnknownNameError
from gadfly.judges._base import Judge
from gadfly.judges._embedding import Embedder, embedder
from gadfly.judges._record import Reading
from gadfly.transcripts import Transcript

__all__ = ["base_judge", "embedding_of", "features", "reply"]

Floats = NDArray[np.float64]

_EDGE = 0.001  # a further judge's score is kept this far from 0 and 1 before its logit is taken


def reply(transcript: Transcript) -> str:
    """Everything the target said, a blank line between its turns."""
    return "\n\n".join(turn.text for turn in transcript.said_by("target") if turn.text.strip())


def embedding_of(reading: Reading) -> Embedder:
    """The embedding model, which must be the one whose vectors the heads were fitted on."""
    found = embedder(reading.embedding)
    if found.sha256 != reading.sha256:
        raise InputError(
            f"The embedding model {reading.embedding!r} is not the one this judge was fitted on (its files have "
            f"sha256 {found.sha256[:12]}…, not {reading.sha256[:12]}…); fit the judge again."
        )
    return found


def base_judge(reading: Reading) -> Judge | None:
    """The judge whose score is one more feature, None where there is none.

    Built-in ones only: the name comes from a file, which must not be able to have anything imported.
    """
    from gadfly.judges._registry import judge, known

    if not reading.base:
        return None
    if reading.base not in known():
        raise UnknownNameError("built-in judge to build on", reading.base, known())
    return judge(reading.base)


async def features(
    transcripts: Sequence[Transcript],
    reading: Reading,
    base: Judge | None,
    known: dict[bytes, NDArray[np.float32]],
) -> Floats:
    """(N, D): the reply's vector, the question's where `reading` has it, and the logit of the base judge's score
    (0 where that judge could not tell). `known` carries vectors over calls; see `Embedder.embed`.
    """
    model = await asyncio.to_thread(embedding_of, reading)
    parts = [await asyncio.to_thread(model.embed, [reply(t) for t in transcripts], known)]
    if reading.question:
        parts.append(await asyncio.to_thread(model.embed, [t.question for t in transcripts], known))
    if base is not None:
        scores = [0.5 if j.score is None else j.score for j in await base.judge(transcripts)]
        kept = np.clip(np.array(scores, dtype=float), _EDGE, 1 - _EDGE)
        parts.append(np.log(kept / (1 - kept))[:, None])
    return np.hstack([np.asarray(part, dtype=np.float64) for part in parts])
