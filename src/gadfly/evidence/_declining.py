"""When not to answer: a threshold on a judge's confidence, set on a run for a stated risk, kept as a small file.

Where passages further down are searched before declining, each search has a threshold of its own, set on the questions
that the searches before it left, each at its share of what the promise may fail by. So the risk holds for the answers
of every search by themselves, and wherever one stops.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gadfly.errors import InputError, StoreError
from gadfly.evidence._choosing import Chosen, pick, sampled
from gadfly.evidence._learned import OTHERS, fresh, learned
from gadfly.evidence._repeats import asked_by
from gadfly.evidence._setting import Setting
from gadfly.runs import Run
from gadfly.stats import Estimate, Threshold, risk_threshold
from gadfly.transcripts import Transcript

__all__ = ["Decline", "Search", "failed", "load_decline", "round_of", "tune"]

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Search:
    """One look at K passages: the surest answer from them is given from `threshold` on, with None none is.

    Of the `n` judged questions of the run that came to it, `attempted` is the share answered, `seen` the rate of those
    at fault.
    """

    threshold: float | None
    n: int
    attempted: Estimate
    seen: Estimate


@dataclass(frozen=True, slots=True)
class Decline:
    """An answer is given where `judge` is at least as sure of it as its search's threshold.

    `risk` is the rate of answers that `loss` finds at fault among those given which, with probability `assurance`, is
    not exceeded, after any number of the `searches` beyond the first; `rounds` holds the first and those that keep it.
    Of the questions of `run`, `missing` could not be judged, `learned` the judge had learned from, and `repeated` had
    been asked before; none of them counts. `promise` says it in words, `setting` with what it was set.
    """

    judge: str
    rounds: tuple[Search, ...]
    loss: str
    risk: float
    assurance: float
    run: str
    promise: str
    setting: Setting
    searches: int = 0
    missing: int = 0
    learned: int = 0
    repeated: int = 0

    @property
    def first(self) -> Search:
        """The search that every question has."""
        return self.rounds[0]

    def declines(self, sure: float | None, round_: int = 0) -> bool:
        """Whether an answer of this confidence is withheld; one that nobody could judge always is."""
        return _below(sure, self.rounds[round_].threshold)

    def chance(self, round_: int) -> float:
        """The share of questions that the `round_`-th further search answered, of those that came to it in the run."""
        return self.rounds[round_].attempted.point or 0.0

    def reason(self, sure: float | None, round_: int = 0, searched: int = 0) -> str:
        """Why an answer of this confidence, from this search, is withheld after so many further ones, in a sentence."""
        takes = self.rounds[round_].threshold
        if takes is None:
            return self.promise
        if sure is None:
            return f"{self.judge} could not tell how sure the answer is."
        further = f"; {searched} further search{'es' * (searched > 1)} found none that is" if searched else ""
        return (
            f"The answer is not sure enough: {self.judge} gives it {sure:.2f}, and it takes {takes:.2f} to be "
            f"at fault in at most {100 * self.risk:.3g} % of answers{further}."
        )

    def unpromised(self, now: Setting, *others: str) -> str:
        """Why nothing is promised of answers in another setting, or for `others`; empty where the promise holds."""
        differences = [*self.setting.differences(now), *others]
        if not differences:
            return ""
        return f"No risk is promised here, for the threshold was set with {', '.join(differences)}."

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
    if data.pop("format") != FORMAT:
        raise ValueError("another version of gadfly wrote it")
    rounds = tuple(_search(one) for one in data["rounds"])
    if not rounds:
        raise ValueError("it has no threshold")
    return Decline(**{**data, "rounds": rounds, "setting": Setting(**data["setting"])})


def _search(data: dict[str, Any]) -> Search:
    rates = {name: Estimate(**data[name]) for name in ("attempted", "seen")}
    found = Search(**{**data, **rates})
    told = found.threshold
    if told is not None and (type(told) not in (int, float) or not math.isfinite(told)):
        raise ValueError(f"the threshold is {told!r}")
    return found


ASSURANCE = 0.99
"""How sure a threshold is to keep its risk unless told otherwise. Who tries it on as many questions again sees a rate
with chance in it too: at 0.99 that stays under the stated risk some 95 times in 100 (`benchmarks/declining.py`)."""


def tune(
    run: Run, judge: str, risk: float, *, loss: str = "wrong", assurance: float = ASSURANCE, searches: int = 0
) -> Decline:
    """The threshold on the confidence of `judge`, which also picks among a question's samples, that keeps the rate of
    answers with fault `loss` (a judge of this run) at most `risk`; see `stats.risk_threshold`.

    With further `searches` the run's passages are looked at in so many parts more, each by the threshold that keeps the
    risk for the questions left, until none does. Questions marked unanswerable are left out, as are those that either
    judge learned from, those that were asked before, and those without a judged answer; the last three are counted.
    Where the questions are too few or the judge too poor the threshold is None and `promise` says why. Raises
    `InputError` for a run that either has not judged, or from all of which they learned.
    """
    questions = _Questions.of(run, judge, loss)
    setting = _setting(run, judge, questions.samples, searches)
    found = _thresholds(run, questions, setting, _Promise(loss, risk, assurance, searches))
    return Decline(
        judge=judge,
        rounds=tuple(Search(one.value, one.n, one.attempted, one.seen) for one in found),
        loss=loss,
        risk=risk,
        assurance=assurance,
        run=run.id,
        promise=_said(found, loss, assurance),
        setting=setting,
        searches=searches,
        missing=found[0].missing,
        learned=questions.learned,
        repeated=questions.repeated,
    )


def failed(run: Run, one: Chosen, judge: str) -> bool | None:
    """Whether a judge finds an answer at fault, at the judge's threshold in this run; None where it could not tell."""
    judgement = one.judgements.get(judge)
    if judgement is None or judgement.score is None:
        return None
    return judgement.score >= float(run.info["judges"].get(judge, {}).get("threshold", 0.5))


def round_of(transcript: Transcript, documents: int) -> int:
    """Which search an answer comes from, where each looks at so many passages; the first is 0."""
    return (int(transcript.metadata.get("rank", 1)) - 1) // documents


# --- what a threshold is set on


@dataclass(frozen=True)
class _Questions:
    """The samples of each question that counts, how many there are of one, and what was left out."""

    told: Sequence[Sequence[Chosen]]
    samples: int
    learned: int
    repeated: int

    @classmethod
    def of(cls, run: Run, judge: str, loss: str) -> _Questions:
        groups = list(sampled(run, judge).values())
        samples = max((len(group) for group in groups), default=0)
        groups = [group for group in groups if not group[0].transcript.metadata.get("unanswerable")]
        keys = _learned(run, judge) | _learned(run, loss)
        unseen = [group for group in groups if fresh(group[:1], keys)]
        if groups and not unseen:
            raise InputError(
                f"{judge!r} learned from every question of run {run.id}, so how sure it is of them says nothing of "
                f"others: {OTHERS.format(choose=f'first,{judge}')}."
            )
        distinct: dict[str, list[Chosen]] = {}
        for name, group in zip(asked_by([group[0] for group in unseen]), unseen, strict=True):
            distinct.setdefault(name, group)
        told = list(distinct.values())
        return cls(told, samples, len(groups) - len(unseen), len(unseen) - len(told))

    def searched(self, round_: int, setting: Setting) -> list[list[Chosen]]:
        """By question, the samples that this search sees; a question for which it finds no passage has none."""
        depth = int(setting.game["documents"])
        seen = ([one for one in group if round_of(one.transcript, depth) == round_] for group in self.told)
        return [group[: setting.samples] for group in seen]


def _learned(run: Run, judge: str) -> frozenset[str]:
    keys = learned(run, judge)
    if keys is None:
        raise InputError(
            f"Judge {judge} learned from labels, and from which is not known here, so no risk can be promised. Set "
            "GADFLY_JUDGES to where it is kept."
        )
    return keys


def _setting(run: Run, judge: str, samples: int, searches: int) -> Setting:
    """With what the run was made, its passages and samples dealt to its searches."""
    documents, parts = int(run.info["spec"]["documents"]), searches + 1
    if searches < 0 or (searches and (documents % parts or samples % documents)):
        raise InputError(
            f"{searches} further searches look at {parts} times as many passages, with as many answers from each, and "
            f"run {run.id} has {documents} passages and {samples} answers to a question: gadfly evidence eval "
            f"--documents {4 * parts} --samples {8 * parts} makes one that fits."
        )
    spec = run.info["judges"][judge].get("spec", {})
    if "only" in spec:
        raise InputError(
            f"{judge!r} judged only the chosen answers of run {run.id}, so it cannot choose among all: gadfly "
            f"evidence eval … --choose first,{judge} has it judge them."
        )
    return Setting.of({**run.info["spec"], "documents": documents // parts}, samples // parts, spec)


# --- the thresholds


@dataclass(frozen=True)
class _Promise:
    """What is to be kept."""

    loss: str
    risk: float
    assurance: float
    searches: int

    @property
    def each(self) -> float:
        """How sure each search must be, for all of them to be as sure as is stated (Bonferroni)."""
        return 1 - (1 - self.assurance) / (self.searches + 1)


def _thresholds(run: Run, questions: _Questions, setting: Setting, promise: _Promise) -> list[Threshold]:
    """The threshold of the first search, and of the further ones for as long as there is one."""
    found: list[Threshold] = []
    left = list(range(len(questions.told)))
    for round_ in range(promise.searches + 1):
        told = questions.searched(round_, setting)
        picked = {place: pick(told[place]) for place in left if told[place]}
        losses = [failed(run, one, promise.loss) for one in picked.values()]
        if not round_ and all(known is None for known in losses):
            raise _unjudged(run, promise.loss)
        sure = [one.confidence for one in picked.values()]
        one = risk_threshold(sure, losses, promise.risk, assurance=promise.each)
        if round_ and one.value is None:
            break
        found.append(one)
        if one.value is None:
            break
        left = [place for place in left if place not in picked or _below(picked[place].confidence, one.value)]
    return found


def _below(sure: float | None, threshold: float | None) -> bool:
    return threshold is None or sure is None or sure < threshold


def _unjudged(run: Run, loss: str) -> InputError:
    judged = ", ".join(sorted(run.info["judges"])) or "none"
    return InputError(
        f"No answer in run {run.id} was judged by {loss!r}, so no risk can be kept. These have judged: {judged}; "
        "`wrong` needs questions with known short answers."
    )


def _said(found: Sequence[Threshold], loss: str, assurance: float) -> str:
    """What is promised in words."""
    one, fault = found[0], loss.replace("_", " ")
    if one.value is None:
        return one.sentence.replace("is a loss", f"is {fault}")
    after = f", after {len(found) - 1} further search{'es' * (len(found) > 2)} or fewer" * (len(found) > 1)
    return f"Of what is attempted, at most {100 * one.risk:.3g} %, {100 * assurance:.3g} % sure, is {fault}{after}."
