"""A judge that learned from people, and where its rounds are kept.

Rounds lie side by side, `NAME/0001/`, `NAME/0002/`, each appearing whole by rename: `heads.safetensors`,
`judge.json` and `card.json`, nothing pickled. The highest number is the judge's present self.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.judges._base import Control, Judge, check_threshold, reading, unjudgeable
from gadfly.judges._calibration import Platt
from gadfly.judges._features import features
from gadfly.judges._heads import Floats, Heads
from gadfly.judges._record import Card, Reading, Saved, read_card, read_saved, to_json
from gadfly.transcripts import Judgement, Transcript

__all__ = ["Fitted", "check_name", "fitted_names", "history", "judges_directory", "load_fitted"]

FORMAT = 1
_SLICE = 512  # transcripts embedded and judged at once
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


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
        home = judges_directory(directory) / self.name
        try:
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".saving-", dir=home) as scratch:
                return self._keep(home, Path(scratch) / "round")
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(
                f"The judge could not be saved in {str(home)!r} ({reason}); mend that or set GADFLY_JUDGES."
            ) from error

    def _keep(self, home: Path, made: Path) -> Path:
        """Write the round apart, then rename it to the next free number; another process may take that first."""
        while True:
            number = max(_rounds(home), default=0) + 1
            self._write(made, number)
            try:
                return made.rename(home / f"{number:04}")
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise

    def _write(self, made: Path, number: int) -> None:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        weights = _weights(self.heads)
        sha256 = hashlib.sha256(weights).hexdigest()
        saved = Saved(FORMAT, self.name, self.threshold, self.calibration, self.reading, sha256)
        card = replace(self.card, round=number)
        contents = {_HEADS: weights, _JUDGE: to_json(saved), _CARD: to_json(card)}
        for name, content in contents.items():
            with (made / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())


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

    place = _round(name, round, directory)
    saved, card = _read(place / _JUDGE, read_saved), _read(place / _CARD, read_card)
    heads = _read(place / _HEADS, lambda content: _heads(content, saved))
    if saved.format != FORMAT or card.name != saved.name:
        raise InputError(
            f"{str(place)!r} was saved by another version of gadfly or altered; fit the judge again."
        )
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


def history(name: str, directory: Path | str | None = None) -> list[Card]:
    """The cards of every round of a judge, oldest first; raises as `load_fitted` does."""
    home = judges_directory(directory) / name
    _round(name, None, directory)
    return [_read(home / f"{number:04}" / _CARD, read_card) for number in sorted(_rounds(home))]


def fitted_names(directory: Path | str | None = None) -> list[str]:
    """The judges that have a saved round, sorted; none where there is no directory."""
    home = judges_directory(directory)
    return sorted(path.name for path in home.glob("*") if _NAME.fullmatch(path.name) and _rounds(path))


def judges_directory(directory: Path | str | None = None) -> Path:
    """Where judges are kept: as given, else `$GADFLY_JUDGES`, else `./gadfly-judges`."""
    return Path(directory or os.environ.get("GADFLY_JUDGES") or "gadfly-judges").expanduser()


def check_name(name: str, taken: Sequence[str]) -> None:
    """Refuse a name that a built-in judge has, or that is no plain word."""
    if name in taken:
        raise InputError(f"{name!r} is a built-in judge; give yours another name, such as my-{name}.")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"A judge's name is made of letters, digits, - and _, at most 64; got {name[:80]!r}."
        )


def _rounds(home: Path) -> list[int]:
    """The numbers of the rounds there, in no order."""
    return [int(path.name) for path in home.glob("[0-9]*") if path.name.isdecimal() and path.is_dir()]


def _round(name: str, number: int | None, directory: Path | str | None) -> Path:
    home = judges_directory(directory) / name
    rounds = sorted(_rounds(home)) if _NAME.fullmatch(name) else []
    if not rounds:
        raise UnknownNameError(
            "fitted judge", name, fitted_names(directory), "Make one with gadfly judge fit."
        )
    if number is not None and number not in rounds:
        raise UnknownNameError(f"round of {name!r} numbered", str(number), [str(n) for n in rounds])
    return home / f"{number or rounds[-1]:04}"


def _read(file: Path, parse: Any) -> Any:
    """One file of a round, or the sentence that says what is wrong with it."""
    try:
        return parse(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"{str(file)!r} cannot be used ({reason}); fit the judge again, or remove that round's directory to go "
            "back to the one before."
        ) from error


def _weights(heads: Heads) -> bytes:
    from safetensors.numpy import save

    return save({"coefficients": heads.coefficients_M_D, "intercepts": heads.intercepts_M})


def _heads(content: bytes, saved: Saved) -> Heads:
    """The weights, which must be the very ones `judge.json` was written beside."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if hashlib.sha256(content).hexdigest() != saved.heads_sha256:
        raise ValueError("its sha256 is not the one judge.json states")
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if {name: tensor.ndim for name, tensor in tensors.items()} != {"coefficients": 2, "intercepts": 1}:
        raise ValueError("it holds other tensors than a judge's")
    return Heads(tensors["coefficients"], tensors["intercepts"])
