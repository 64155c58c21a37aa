"""A model judge whose probabilities come true: its log-odds times what verdicts on known answers say they should be.

Which answer it decides for stays the same; how sure it is of it becomes how often it is right. That is what payoffs,
prices, soft labels and ratings are made of.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from scipy import special

from gadfly.debate._judged import heard, judged_cases
from gadfly.debate._people import decided_by
from gadfly.debate._verdict import DebateJudge
from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.judges._record import question_keys
from gadfly.judges._rounds import SCALE, calibrated_names, check_name, fitted_names, keep_round, place_of
from gadfly.models import System, model
from gadfly.runs import Run
from gadfly.stats import calibration_slope, preferred

__all__ = ["Scale", "calibrated", "keep_scale", "scale_of"]

LOOSE = 4.0
"""By what factor a calibration's interval may be wide."""

FLATTEST = 0.01
"""The smallest slope: who is right less often the surer it is knows nothing, and is not to decide the other way."""

FEWEST = 20
"""Questions with a verdict for either answer, at least: a scale of fewer says more about chance than about the judge,
and one half stays one half by any.
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a model judge's log-odds are multiplied by: above 1 where it is surer than it says, below where less sure.

    `judge` is the model and `orders` how it was asked; `verdicts` on `questions` of `run` were learned from, whose keys
    (`gadfly.judges.question_key`) are `learned`. `interval` is the slope's, at 95 %, over questions.
    """

    judge: str
    orders: int
    slope: float
    interval: tuple[float, float]
    verdicts: int
    questions: int
    run: str
    learned: tuple[str, ...]

    @property
    def loose(self) -> bool:
        """Whether it is hardly known: its interval is wide, and so it is where it may be 0."""
        low, high = self.interval
        return high > LOOSE * low or low <= FLATTEST

    def of(self, p: float) -> float:
        """A probability that the model says, as it is meant."""
        return float(special.expit(self.slope * special.logit(p)))


def scale_of(run: Run) -> Scale:
    """The scale that makes a run's verdicts likeliest: temperature scaling (`gadfly.stats.calibration_slope`), at least
    0.01. Questions on which a rule decided, verdicts without a probability and those on
    questions that nobody knows the answer to are left out.

    Raises `InputError` for a judge that is no model, and for fewer than 20 questions on which it favours an answer; and
    what `judged_cases` raises.
    """
    cases, name = judged_cases(run), str(run.info["verdict"])
    if person := decided_by(run):
        raise InputError(f"{person} decided run {run.id}: name a model that has judged it with --judge.")
    spec = run.info["judges"].get(name, {}).get("spec", {})
    if not isinstance(spec.get("judge"), dict) or "slope" in spec:
        raise InputError(f"{name} is no model that is asked as it is, so there is nothing to calibrate.")
    told = [one for one in heard(cases) if one.probabilities]
    used = [(one, one.p) for one in told if one.p is not None and one.correct is not None]
    known = [(one.of, p, float(one.correct == 0)) for one, p in used]
    times, decided = Counter(of for of, _, _ in known), {of for of, p, _ in known if preferred(p) != 0.5}
    if len(decided) < FEWEST:
        raise InputError(
            f"Run {run.id} has {len(decided)} questions with a verdict in probabilities for either answer, where the "
            f"right one is known; calibrating takes {FEWEST}."
        )
    found = calibration_slope([p for _, p, _ in known], [y for _, _, y in known], [of for of, _, _ in known])
    assert found.point is not None
    return Scale(
        judge=str(spec["judge"]["model"]),
        orders=int(spec["orders"]),
        slope=max(found.point, FLATTEST),
        interval=(max(found.low, FLATTEST), max(found.high, FLATTEST)),
        verdicts=len(known),
        questions=len(times),
        run=run.id,
        learned=question_keys(one.position.dispute.question for one, _ in used),
    )


def keep_scale(name: str, scale: Scale, directory: Path | str | None = None) -> Path:
    """Keep it under a name, as the next round where that has one; returns its directory. `InputError` for a name that
    is no plain word or belongs to a judge of another kind, and `StoreError` where it cannot be written.
    """
    check_name(name, (), scale=True)
    if name in fitted_names(directory):
        raise InputError(
            f"{name!r} is a judge that learned from labels or verdicts; give this one another name."
        )
    return keep_round(name, lambda _: {SCALE: json.dumps(asdict(scale), indent=1).encode()}, directory)


def calibrated(name: str, directory: Path | str | None = None) -> DebateJudge:
    """The judge that was calibrated under this name, asked as it was then. On questions that it learned from its
    verdicts are missing. Raises `UnknownNameError` where there is
    none, `InputError` for a judge of another kind, and what `gadfly.models.model` raises.
    """
    known = calibrated_names(directory)
    if name not in (*known, *fitted_names(directory)):
        raise UnknownNameError("calibrated judge", name, known, "Make one with gadfly debate calibrate.")
    path = place_of(name, None, directory) / SCALE
    if not path.is_file():
        raise InputError(f"{name!r} is a judge of another kind; make one with gadfly debate calibrate.")
    try:
        scale = Scale(**json.loads(path.read_bytes()))
    except (ValueError, TypeError, OSError) as error:
        raise StoreError(f"{path} cannot be read ({error}). Calibrate the judge anew.") from error
    return DebateJudge(
        System(model(scale.judge)),
        f"calibrated:{name}",
        scale.orders,
        slope=scale.slope,
        learned=frozenset(scale.learned),
    )
