"""When not to answer: one threshold on a judge's confidence, set on a run for a stated risk, kept as a small file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gadfly.errors import InputError, StoreError
from gadfly.evidence._choosing import Chosen, chosen
from gadfly.evidence._scorers import sure
from gadfly.runs import Run
from gadfly.stats import Estimate, risk_threshold

__all__ = ["Decline", "failed", "load_decline", "tune"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Decline:
    """An answer is given where `judge` is at least `threshold` sure of it; with None no answer is.

    `risk` is the rate of answers that `loss` finds at fault among those given which, with probability `assurance`, is
    not exceeded; `seen` what it was on the `n` questions of `run` that set the threshold, `attempted` the share of
    them that was answered, `missing` the questions that could not be judged. `clears` holds, by the rank of the
    passage, the chance that its samples clear the threshold where none before them did. `promise` says it in words.
    """

    judge: str
    threshold: float | None
    loss: str
    risk: float
    assurance: float
    run: str
    n: int
    missing: int
    attempted: Estimate
    seen: Estimate
    promise: str
    clears: tuple[float, ...] = ()

    def declines(self, sure: float | None) -> bool:
        """Whether an answer of this confidence is withheld; one that nobody could judge always is."""
        return self.threshold is None or sure is None or sure < self.threshold

    def chance(self, round_: int) -> float:
        """The chance that the `round_`-th further search, of as many passages again, brings an answer that clears the
        threshold, where everything before it did not.

        Extrapolated: from the first half of the ranks to the second the chance falls by some factor, and goes on to.
        0 where nothing is known, as with one passage alone.
        """
        half = len(self.clears) // 2
        if not half or self.threshold is None:
            return 0.0
        before, after = (sum(part) / len(part) for part in (self.clears[:half], self.clears[half:]))
        factor = min(after / before, 1.0) if before else 0.0
        later = after * factor ** (2 * round_)
        return float(1 - (1 - later) ** len(self.clears))

    def reason(self, sure: float | None) -> str:
        """Why an answer of this confidence is withheld, in a sentence."""
        if self.threshold is None:
            return self.promise
        if sure is None:
            return f"{self.judge} could not tell how sure the answer is."
        return (
            f"The answer is not sure enough: {self.judge} gives it {sure:.2f}, and it takes {self.threshold:.2f} to be "
            f"at fault in at most {100 * self.risk:.3g} % of answers."
        )

    def save(self, path: str | Path) -> Path:
        """Write it as JSON, whole or not at all. Raises `StoreError` where the disk refuses."""
        target = Path(path)
        part = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1))
            part.replace(target)
        except OSError as error:
            raise StoreError(f"{target} cannot be written ({error.strerror}); name another place.") from error
        return target


def load_decline(path: str | Path) -> Decline:
    """What `Decline.save` wrote. Raises `InputError` for a file that is not one."""
    try:
        data = json.loads(Path(path).read_bytes())
        return _read(data)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); gadfly evidence tune RUN --out {path} makes it."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is no threshold for declining ({error}); gadfly evidence tune RUN --out {path} makes one."
        ) from error


def _read(data: dict[str, Any]) -> Decline:
    if data.pop("format") > FORMAT:
        raise ValueError("a newer gadfly wrote it")
    rates = {name: Estimate(**data[name]) for name in ("attempted", "seen")}
    found = Decline(**{**data, **rates, "clears": tuple(map(float, data["clears"]))})
    if found.threshold is not None and not isinstance(found.threshold, int | float):
        raise TypeError(f"the threshold is {found.threshold!r}")
    return found


ASSURANCE = 0.99
"""How sure a threshold is to keep its risk unless told otherwise. Who tries it on as many questions again sees a rate
with chance in it too: at 0.99 that stays under the stated risk some 95 times in 100 (`benchmarks/declining.py`)."""


def tune(run: Run, judge: str, risk: float, *, loss: str = "wrong", assurance: float = ASSURANCE) -> Decline:
    """The threshold on the confidence of `judge`, which also picks among a question's samples, that keeps the rate of
    answers with fault `loss` (a judge of this run) at most `risk`; see `stats.risk_threshold`.

    Questions marked unanswerable are left out, as are those without a judged answer, which are counted. Where the
    questions are too few or the judge too poor the threshold is None and `promise` says why. Raises `InputError` for a
    run that either has not judged.
    """
    picked = [one for one in chosen(run, judge) if not one.transcript.metadata.get("unanswerable")]
    losses = [failed(run, one, loss) for one in picked]
    if all(known is None for known in losses):
        judged = ", ".join(sorted(run.info["judges"])) or "none"
        raise InputError(
            f"No answer in run {run.id} was judged by {loss!r}, so no risk can be kept. These have judged: {judged}; "
            "`wrong` needs questions with known short answers."
        )
    found = risk_threshold([one.confidence for one in picked], losses, risk, assurance=assurance)
    made = Decline(
        judge=judge,
        threshold=found.value,
        loss=loss,
        risk=risk,
        assurance=assurance,
        run=run.id,
        n=found.n,
        missing=found.missing,
        attempted=found.attempted,
        seen=found.seen,
        promise=found.sentence.replace("is a loss", f"is {loss.replace('_', ' ')}"),
    )
    return replace(made, clears=_clears(run, made))


def failed(run: Run, one: Chosen, judge: str) -> bool | None:
    """Whether a judge finds an answer at fault, at the judge's threshold in this run; None where it could not tell."""
    judgement = one.judgements.get(judge)
    if judgement is None or judgement.score is None:
        return None
    return judgement.score >= float(run.info["judges"].get(judge, {}).get("threshold", 0.5))


def _clears(run: Run, made: Decline) -> tuple[float, ...]:
    """By the rank of the passage: of the questions that no sample from an earlier one cleared, the share cleared."""
    ranks = int(run.info["spec"].get("documents", 1))
    first: dict[int, int] = {}
    for transcript, judgements in run.judged():
        facts = transcript.metadata
        told = next((sure(transcript, one) for one in judgements if one.judge == made.judge), None)
        if not facts.get("unanswerable"):
            rank = ranks if made.declines(told) else int(facts.get("sample", 0)) % ranks
            first[facts["of"]] = min(rank, first.get(facts["of"], ranks))
    return tuple(_shares(list(first.values()), ranks))


def _shares(first: Sequence[int], ranks: int) -> list[float]:
    """See `_clears`: hazards, where `first` holds each question's first rank that cleared, or `ranks`."""
    left = [sum(rank >= at for rank in first) for at in range(ranks)]
    return [sum(rank == at for rank in first) / left[at] if left[at] else 0.0 for at in range(ranks)]
