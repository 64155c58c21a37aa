"""A reward model that knows what it does not know: members on a shared trunk, and how far they part.

Of K members' probabilities p₁ … p_K the mean is the score, and its variance splits exactly (Gleave & Irving 2022, arXiv
2203.07472): p̄(1 - p̄) = E[pᵢ(1 - pᵢ)] + Var[pᵢ], what people themselves are divided on (aleatoric) and what more
labels would settle (epistemic). All kinds are one class: heads on a frozen trunk, samples from a posterior over one
head, heads behind adapters on the top layers, or any of these on several trunks, are all *parts* whose members are put
side by side.

Axes: N texts, K members, D features of a part's trunk.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gadfly.errors import InputError
from gadfly.judges._base import Control, check_threshold, reading, unjudgeable
from gadfly.judges._calibration import Platt
from gadfly.judges._features import reply
from gadfly.judges._heads import Heads
from gadfly.judges._record import reader, to_json
from gadfly.judges._reward_record import Learned, RewardCard, SavedPart, SavedReward
from gadfly.judges._rounds import keep_round, place_of, read_file, read_tensors
from gadfly.judges._trunk import LanguageTrunk, Read, Trunk, trunk
from gadfly.transcripts import Judgement, Transcript

__all__ = ["REWARD", "Part", "Reward", "Scores", "dialogue", "load_reward"]

Floats = NDArray[np.float64]

FORMAT = 2
REWARD, _WEIGHTS, _CARD = "reward.json", "reward.safetensors", "card.json"
_SLICE = 512  # texts read and scored at once
_ADAPTED_ROWS = 128  # texts, times the members, that go through the adapted layers at once


@dataclass(frozen=True)
class Scores:
    """What K members say of N texts, as probabilities. The three properties are (N,)."""

    members_N_K: Floats

    @property
    def mean_N(self) -> Floats:  # noqa: N802 - arrays carry axis suffixes
        """The prediction p̄."""
        return np.asarray(self.members_N_K.mean(1))

    @property
    def aleatoric_N(self) -> Floats:  # noqa: N802
        """E[pᵢ(1 - pᵢ)]: what would stay if the right member were known."""
        return np.asarray((self.members_N_K * (1 - self.members_N_K)).mean(1))

    @property
    def epistemic_N(self) -> Floats:  # noqa: N802
        """Var[pᵢ], so that p̄(1 - p̄) = aleatoric + epistemic."""
        return np.asarray(self.members_N_K.var(1))


@dataclass(frozen=True)
class Part:
    """Members on one trunk. Features are standardised by `centre_D` and `scale_D` before the heads see them.

    With `adapters`, a head's last features are the final state of the text's last token behind that member's own
    adapters on the top `layers`.
    """

    trunk: Trunk
    centre_D: Floats
    scale_D: Floats
    heads: Heads = field(repr=False)
    calibration: Platt = field(default_factory=lambda: Platt(1.0, 0.0))
    layers: int = 0
    adapters: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def read(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Read:
        """What its trunk makes of the texts."""
        return self.trunk.read(texts, self.layers, advance)

    def logits(self, found: Read) -> Floats:
        """Each member's calibrated logit of texts that its trunk has read, (N, K)."""
        frozen_N_D = (found.features_N_D - self._centre_frozen) / self._scale_frozen
        raw_N_K = self._behind_adapters(frozen_N_D, found) if self.layers else self.heads.logits(frozen_N_D)
        return np.asarray(self.calibration.slope * raw_N_K + self.calibration.offset)

    @property
    def _centre_frozen(self) -> Floats:
        return self.centre_D[: self.trunk.width]

    @property
    def _scale_frozen(self) -> Floats:
        return self.scale_D[: self.trunk.width]

    def _behind_adapters(self, frozen_N_D: Floats, found: Read) -> Floats:
        import torch

        wide = self.trunk.width
        out_N_K = Heads(self.heads.coefficients_M_D[:, :wide], self.heads.intercepts_M).logits(frozen_N_D)
        top_K_W = self.heads.coefficients_M_D[:, wide:]
        with torch.no_grad():
            most = max(1, _ADAPTED_ROWS // len(top_K_W))
            for start in range(0, len(found.stems), most):
                rows = range(start, min(start + most, len(found.stems)))
                states_K_B_W = self.tops(found.stems[rows], self.adapters).double().cpu().numpy()
                states_K_B_W = (states_K_B_W - self.centre_D[wide:]) / self.scale_D[wide:]
                out_N_K[rows.start : rows.stop] += np.einsum("kbw,kw->bk", states_K_B_W, top_K_W)
        return out_N_K

    @property
    def tops(self) -> Any:
        """The trunk's top layers, which the adapters change."""
        from gadfly.judges._reward_tops import tops

        assert isinstance(self.trunk, LanguageTrunk)
        return tops(self.trunk, self.layers)


@dataclass(frozen=True)
class Reward:
    """A reward model. As a judge its score is, like any judge's, how likely the transcript is a failure.

    Learned from labels, a text's score is the chance that people flag it. From pairs, it is the chance that it is
    *preferred* to a typical text of those it learned from, and as a judge one minus that: `kind` says which. Beside
    pairs, a label says how good a text is. `reads` says what of a transcript it sees: "reply", the target's words, or
    "dialogue", all turns as `dialogue` writes them. `controls` is empty: its card is its proof.
    """

    name: str
    threshold: float
    kind: Learned
    reads: str
    parts: tuple[Part, ...] = field(repr=False)
    card: RewardCard = field(repr=False)
    controls: tuple[Control, ...] = ()

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    def spec(self) -> dict[str, Any]:
        """What decides a score: a run judges anew when a new round lands, not when only the threshold moved."""
        calibrations = repr([part.calibration for part in self.parts]).encode()
        heads = hashlib.sha256(_weights(self.parts) + calibrations).hexdigest()
        return {"heads": heads, "trunks": [part.trunk.sha256 for part in self.parts], "reads": self.reads}

    def score(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Scores:
        """What the members say of each text; a slice at a time, so memory holds the answers and little else.

        `advance` is told of texts read: once by each trunk.
        """
        rows = [np.zeros((0, sum(len(part.heads.intercepts_M) for part in self.parts)))]
        for start in range(0, len(texts), _SLICE):
            piece = texts[start : start + _SLICE]
            rows.append(_probabilities([p.logits(p.read(piece, advance)) for p in self.parts]))
        return Scores(np.vstack(rows))

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """A judgement's `uncertainty` is the epistemic standard deviation; both variances are in its metadata."""
        judgements: list[Judgement] = []
        for start in range(0, len(transcripts), _SLICE):
            piece = transcripts[start : start + _SLICE]
            texts = {self.text(t): n for n, t in enumerate(piece) if not unjudgeable(t)}
            scores = await asyncio.to_thread(self.score, list(texts))
            place = {text: row for row, text in enumerate(texts)}
            judgements += [
                self._one(t, None if unjudgeable(t) else scores.members_N_K[[place[self.text(t)]]])
                for t in piece
            ]
        return judgements

    def text(self, transcript: Transcript) -> str:
        """What it reads of a transcript."""
        return dialogue(transcript) if self.reads == "dialogue" else reply(transcript)

    def _one(self, transcript: Transcript, members_1_K: Floats | None) -> Judgement:
        if members_1_K is None:
            return Judgement.missing(transcript.case.id, self.name, unjudgeable(transcript))
        said = Scores(members_1_K if self.kind == "labels" else 1 - members_1_K)
        epistemic = float(said.epistemic_N[0])
        notes = {
            **reading(transcript),
            "round": self.card.round,
            "aleatoric": float(said.aleatoric_N[0]),
            "epistemic": epistemic,
        }
        score = float(said.mean_N[0])
        return Judgement(transcript.case.id, self.name, score, uncertainty=epistemic**0.5, metadata=notes)

    def save(self, directory: Path | str | None = None) -> Path:
        """Keep this reward model as the next round of its name, where judges are kept; returns its directory."""
        weights = _weights(self.parts)
        parts = tuple(SavedPart(p.trunk.name, p.trunk.sha256, p.layers, p.calibration) for p in self.parts)
        digest = hashlib.sha256(weights).hexdigest()
        saved = SavedReward(FORMAT, self.name, self.threshold, self.kind, self.reads, parts, digest)

        def contents(number: int) -> dict[str, bytes]:
            card = to_json(replace(self.card, round=number))
            return {_WEIGHTS: weights, REWARD: to_json(saved), _CARD: card}

        return keep_round(self.name, contents, directory)


def dialogue(transcript: Transcript) -> str:
    """All turns as preference data writes them: "Human: …" and "Assistant: …", a blank line between."""
    names = {"target": "Assistant", "attacker": "Human"}
    turns = [(names.get(turn.speaker, "Human"), turn.text.strip()) for turn in transcript.turns]
    return "\n\n".join(f"{name}: {text}" for name, text in turns if text)


def _probabilities(logits: Sequence[Floats]) -> Floats:
    from scipy import special

    return np.asarray(special.expit(np.hstack(logits)))


def load_reward(
    name: str,
    round: int | None = None,  # noqa: A002 - what it is
    threshold: float | None = None,
    directory: Path | str | None = None,
) -> Reward:
    """A saved reward model: its latest round unless one is named, at its own threshold unless another is given.

    Raises `UnknownNameError` for a name or round that is not there, `InputError` for one that is no reward model, whose
    files are damaged or whose trunk is another one now, and `GadflyError` when a trunk is nowhere to be had.
    """
    place = place_of(name, round, directory)
    if not (place / REWARD).is_file():
        raise InputError(
            f"{name!r} is a fitted judge and no reward model; make one with gadfly train reward."
        )
    saved = read_file(place / REWARD, reader(SavedReward))
    card = read_file(place / _CARD, reader(RewardCard)) if saved.format == FORMAT else None
    if card is None or card.name != saved.name:
        raise InputError(
            f"{str(place)!r} was saved by another version of gadfly or altered; train the reward model again."
        )
    tensors = read_file(place / _WEIGHTS, lambda content: read_tensors(content, saved.weights_sha256))
    parts = tuple(_part(number, one, tensors, place) for number, one in enumerate(saved.parts))
    at = saved.threshold if threshold is None else threshold
    return Reward(saved.name, at, saved.kind, saved.reads, parts, card)


def _part(number: int, saved: SavedPart, tensors: Mapping[str, Any], place: Path) -> Part:
    """One part, whose tensors and trunk must be those it was saved with."""
    found = trunk(saved.trunk)
    if found.sha256 != saved.sha256:
        raise InputError(
            f"The trunk {saved.trunk!r} is not the one this reward model was trained on (its files have sha256 "
            f"{found.sha256[:12]}…, not {saved.sha256[:12]}…); train the reward model again."
        )
    mine = {k.partition(".")[2]: v for k, v in tensors.items() if k.startswith(f"{number}.")}
    adapters = {k.removeprefix("adapter."): v for k, v in mine.items() if k.startswith("adapter.")}
    try:
        heads = Heads(mine["coefficients"], mine["intercepts"])
        made = Part(found, mine["centre"], mine["scale"], heads, saved.calibration, saved.layers)
        fits = made.centre_D.shape == made.scale_D.shape == heads.coefficients_M_D.shape[1:]
        if saved.layers:
            made = replace(made, adapters=_tensors(adapters))
            fits &= set(adapters) == {f"{path}.{side}" for path in made.tops.adapted for side in "ab"}
        else:
            fits &= len(made.centre_D) == found.width
    except (KeyError, AssertionError):
        fits = False
    if not fits or not np.isfinite(saved.calibration.slope + saved.calibration.offset):
        raise InputError(f"{str(place / REWARD)!r} does not fit the weights beside it; train it again.")
    return made


def _tensors(arrays: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _weights(parts: Sequence[Part]) -> bytes:
    """All parts' tensors as one safetensors file."""
    from safetensors.numpy import save

    tensors: dict[str, Any] = {}
    for number, part in enumerate(parts):
        heads = {"coefficients": part.heads.coefficients_M_D, "intercepts": part.heads.intercepts_M}
        named = {"centre": part.centre_D, "scale": part.scale_D, **heads}
        named |= {f"adapter.{name}": tensor.numpy() for name, tensor in part.adapters.items()}
        tensors |= {f"{number}.{name}": np.ascontiguousarray(array) for name, array in named.items()}
    return save(tensors)
