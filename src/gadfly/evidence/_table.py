"""How good answers with evidence are: every rate over questions, at all and at the surest 70 %, for each choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gadfly.errors import InputError
from gadfly.evidence._choosing import Chosen, chosen
from gadfly.evidence._learned import OTHERS, fresh, learned, without
from gadfly.evidence._repeats import asked_by
from gadfly.evidence._scorers import sure
from gadfly.runs import Run
from gadfly.stats import (
    Estimate,
    RiskCoverage,
    attempted_difference,
    paired_difference,
    rate,
    risk_coverage,
)

__all__ = [
    "FIGURES",
    "FIRST",
    "LIKELIHOOD",
    "SHARES",
    "EvidenceTable",
    "Judges",
    "Line",
    "answers",
    "counted",
    "picks",
    "table",
    "table_of",
]

FIRST, LIKELIHOOD = "first", "likelihood"
SHARES = (1.0, 0.7)
FIGURES = ("matches", "verbatim", "made_up", "supported", "supported_but_false", "false_of_supported")
"""What is counted of an answer: it holds a known short answer; it has quotes, all in its documents; it gives words as a
quote that are in none of them; a judge finds that the quotes show the claim; they show it and it is false; and of those
that they show, the false.
"""


@dataclass(frozen=True, slots=True)
class Judges:
    """Who says that an answer is wrong, has no verified quote, is not supported; and from which score on (0.5 where
    `thresholds` says nothing).
    """

    wrong: str = "wrong"
    unquoted: str = "unquoted"
    unsupported: str = "unsupported"
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def fault(self, one: Chosen, judge: str) -> bool | None:
        """Whether the judge finds an answer at fault; None where it could not tell."""
        judgement = one.judgements.get(judge)
        if judgement is None or judgement.score is None:
            return None
        return judgement.score >= self.thresholds.get(judge, 0.5)

    def figures(self, one: Chosen) -> dict[str, bool | None]:
        """Each of `FIGURES`; None where a judgement that it needs is missing, so neither counts for nor against."""
        wrong, unquoted, unsupported = (
            self.fault(one, judge) for judge in (self.wrong, self.unquoted, self.unsupported)
        )
        both = wrong is not None and unsupported is not None
        facts = one.transcript.metadata
        return {
            "matches": None if wrong is None else not wrong,
            "verbatim": None if unquoted is None else not unquoted,
            "made_up": bool(facts.get("unverified")) if one.transcript.outcome == "completed" else None,
            "supported": None if unsupported is None else not unsupported,
            "supported_but_false": (bool(wrong) and not unsupported) if both else None,
            "false_of_supported": wrong if both and not unsupported else None,
        }

    def cause(self, one: Chosen, figure: str) -> str:
        """Why a figure is missing of an answer: the first judgement that it lacks."""
        needed = {
            "matches": (self.wrong,),
            "verbatim": (self.unquoted,),
            "made_up": (),
            "supported": (self.unsupported,),
        }.get(figure, (self.wrong, self.unsupported))
        for judge in needed:
            judgement = one.judgements.get(judge)
            if judgement is None or judgement.score is None:
                unfinished = one.transcript.outcome != "completed"
                return one.transcript.cause if unfinished else judgement.cause if judgement else "not_judged"
        return one.transcript.cause


@dataclass(frozen=True, slots=True)
class Line:
    """One choice at one share of the questions attempted. The same question asked again is one cluster.

    `attempted` of `questions` were, those with a confidence of at least `threshold` (None: all). `rates` are over the
    attempted, those that nobody could tell being missing, and `causes` says why; `gains` are their differences from the
    first sample's at the same share, in [-1, 1], question by question. `declined`: of questions whose answer is not in
    the documents, the share whose answer is less sure than the threshold; None where there is no threshold or there are
    no such questions.
    """

    choice: str
    share: float
    attempted: int
    questions: int
    threshold: float | None
    rates: Mapping[str, Estimate]
    causes: Mapping[str, Mapping[str, int]]
    gains: Mapping[str, Estimate] = field(default_factory=dict)
    declined: Estimate | None = None


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """All choices at all shares. `curves` are of the risk of a `loss` (the name of a judge) for each choice that has
    confidences. `left_out` counts, by choice, the questions that its judge learned from, which it has no part in;
    `unknown` are choices of which nobody can tell what they learned from.
    """

    lines: tuple[Line, ...]
    curves: Mapping[str, RiskCoverage]
    loss: str
    judges: Judges
    questions: int
    unanswerable: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def head(self) -> Line:
        """The last choice's line with all attempted: what the headline is about."""
        return [line for line in self.lines if line.share == 1.0][-1]

    def line(self, choice: str, share: float) -> Line | None:
        """The line of a choice at a share, where there is one."""
        return next((one for one in self.lines if (one.choice, one.share) == (choice, share)), None)


def table_of(run: Run, choose: Sequence[str] = (FIRST, LIKELIHOOD), supported: str = "") -> EvidenceTable:
    """The table of a run: choices are `first`, `likelihood` and names of judges, by which the surest wins.

    `supported` is the judge of supportedness, by default `unsupported`. Questions marked unanswerable only count in
    what is declined. What a judge learned from it neither chooses from nor judges. Raises `InputError` for a choice
    whose judge has not judged the run, and where every choice learned from all there is.
    """
    thresholds = {name: float(one["threshold"]) for name, one in run.info["judges"].items()}
    judges = Judges(unsupported=supported or "unsupported", thresholds=thresholds)
    picked = {name: picks(run, name) for name in dict.fromkeys(choose)}
    known = {name: learned(run, name) for name in {*picked, judges.unsupported}}
    told = {
        name: _counting(chose, known[name], judges.unsupported, known[judges.unsupported])
        for name, chose in picked.items()
    }
    if any(picked.values()) and not any(told.values()):
        raise InputError(
            f"{', '.join(picked)} learned from every question of run {run.id}, which says nothing of others: "
            f"{OTHERS.format(choose=','.join(picked))}."
        )
    left_out = {name: len(chose) - len(told[name]) for name, chose in picked.items()}
    return replace(
        table(told, judges),
        left_out={name: count for name, count in left_out.items() if count},
        unknown=tuple(name for name in picked if known[name] is None),
    )


def counted(run: Run, choice: str, supported: str) -> list[Chosen]:
    """What a choice picks of the questions that the table counts, unjudged by the judge of support where it learned."""
    return _counting(picks(run, choice), learned(run, choice), supported, learned(run, supported))


def _counting(
    picked: Sequence[Chosen], own: Collection[str] | None, supported: str, theirs: Collection[str] | None
) -> list[Chosen]:
    """See `counted`; `own` and `theirs` are the questions that the choice's judge and that of support learned from."""
    return [without(one, supported, theirs or ()) for one in fresh(picked, own or ())]


def table(
    choices: Mapping[str, Sequence[Chosen]], judges: Judges | None = None, shares: Sequence[float] = SHARES
) -> EvidenceTable:
    """The table of what each choice picked, one answer for each question, the same questions for every choice.

    The surest share of the questions is attempted; answers of equal confidence come in an order drawn once. A choice
    without confidences has no line but the one at 100 %. Raises `InputError` where there is no question.
    """
    judges = judges or Judges()
    asked = {
        name: _split(sorted(picked, key=lambda one: one.of))[0] for name, picked in choices.items() if picked
    }
    if not asked or not any(asked.values()):
        raise InputError("There is no answerable question here: a table takes at least one.")
    hidden = {name: _split(picked)[1] for name, picked in choices.items()}
    lines = []
    for share in shares:
        for name, picked in asked.items():
            line = _line(name, picked, hidden[name], share, judges)
            base = asked.get(FIRST)
            if line is not None and base is not None and name != FIRST:
                line = replace(line, gains=_gains(picked, base, line.attempted / len(picked), judges))
            lines += [line] if line is not None else []
    loss = _loss(asked, judges)
    return EvidenceTable(
        lines=tuple(lines),
        curves=_curves(asked, judges, loss),
        loss=loss,
        judges=judges,
        questions=max(map(len, asked.values())),
        unanswerable=max(map(len, hidden.values())),
    )


def picks(run: Run, choice: str) -> list[Chosen]:
    """What a choice picks, one sample for each question: `first`, as sure as its likelihood where that was judged,
    `likelihood`, or the name of a judge, by which it is the surest.

    Raises `InputError` for a run that is not of questions and quotes, and for a choice whose judge has not judged it.
    """
    if choice != FIRST:
        return chosen(run, "unlikely" if choice == LIKELIHOOD else choice)
    return [
        replace(one, confidence=sure(one.transcript, one.judgements.get("unlikely"))) for one in chosen(run)
    ]


def answers(run: Run, choice: str) -> list[Chosen]:
    """What a choice picks of the questions whose answer is in the documents, which is what rates are of (`picks`)."""
    return _split(picks(run, choice))[0]


def _split(picked: Sequence[Chosen]) -> tuple[list[Chosen], list[Chosen]]:
    """The answerable questions' answers, and the others'."""
    hidden = [one for one in picked if one.transcript.metadata.get("unanswerable")]
    return [one for one in picked if not one.transcript.metadata.get("unanswerable")], hidden


def _line(
    name: str, asked: Sequence[Chosen], hidden: Sequence[Chosen], share: float, judges: Judges
) -> Line | None:
    attempted = list(asked) if share == 1.0 else _surest(asked, share)
    if not attempted:
        return None
    told = [judges.figures(one) for one in attempted]
    threshold = None if share == 1.0 else min(one.confidence or 0.0 for one in attempted)
    return Line(
        choice=name,
        share=share,
        attempted=len(attempted),
        questions=len(asked),
        threshold=threshold,
        rates={figure: _rate(figure, told, asked_by(attempted)) for figure in FIGURES},
        causes={
            figure: Counter(
                judges.cause(one, figure)
                for one, known in zip(attempted, told, strict=True)
                if known[figure] is None and judges.cause(one, figure)
            )
            for figure in FIGURES
        },
        declined=_declined(hidden, threshold),
    )


def _rate(figure: str, told: Sequence[Mapping[str, bool | None]], questions: Sequence[str]) -> Estimate:
    """One figure's rate; a conditional one misses only those of which its condition is not known either."""
    if figure != "false_of_supported":
        return rate([one[figure] for one in told], questions)
    known = [place for place, one in enumerate(told) if one[figure] is not None]
    missing = sum(one["supported_but_false"] is None for one in told)
    return rate(
        [told[place][figure] for place in known], [questions[place] for place in known], missing=missing
    )


def _surest(asked: Sequence[Chosen], share: float) -> list[Chosen]:
    """The answers that are attempted: the surest, equals in an order drawn once."""
    sure = [(one.confidence, one) for one in asked if one.confidence is not None]
    drawn = np.random.default_rng(0).permutation(len(sure))
    ranked = sorted(drawn, key=lambda i: -sure[i][0])
    return [sure[i][1] for i in ranked[: round(share * len(asked))]]


def _declined(hidden: Sequence[Chosen], threshold: float | None) -> Estimate | None:
    if threshold is None or not hidden:
        return None
    finished = [one for one in hidden if one.transcript.outcome == "completed"]
    unsure = [one.confidence is None or one.confidence < threshold for one in finished]
    return rate(unsure, asked_by(finished), missing=len(hidden) - len(finished))


def _gains(
    picked: Sequence[Chosen], base: Sequence[Chosen], share: float, judges: Judges
) -> dict[str, Estimate]:
    """What a choice changes against the first sample, on the questions that both have."""
    ours, first = ({one.of: one for one in side} for side in (picked, base))
    same = sorted(ours.keys() & first.keys())
    sides = [[side[number] for number in same] for side in (ours, first)]
    told = [[judges.figures(one) for one in side] for side in sides]
    questions = asked_by(sides[0])
    gains = {}
    for figure in FIGURES[:-1]:
        a, b = ([known[figure] for known in side] for side in told)
        if share == 1.0:
            gains[figure] = paired_difference(a, b, questions)
        else:
            sure, before = ([one.confidence for one in side] for side in sides)
            gains[figure] = attempted_difference((sure, a), (before, b), share, questions)
    return gains


def _loss(asked: Mapping[str, Sequence[Chosen]], judges: Judges) -> str:
    """What the curves call a loss: being wrong where any gold answer is known, else being unsupported."""
    known = (judges.fault(one, judges.wrong) is not None for picked in asked.values() for one in picked)
    return judges.wrong if any(known) else judges.unsupported


def _curves(asked: Mapping[str, Sequence[Chosen]], judges: Judges, loss: str) -> dict[str, RiskCoverage]:
    found = {
        name: risk_coverage(
            [one.confidence for one in picked],
            [judges.fault(one, loss) for one in picked],
            asked_by(picked),
        )
        for name, picked in asked.items()
    }
    return {name: curve for name, curve in found.items() if curve.points}
