"""The report of a ladder: four attackers with one budget each in one table, and how the tuned ones were trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gadfly.judges import offensive
from gadfly.models._blocking import run_blocking
from gadfly.pages import ACCENT, Chart
from gadfly.redteam import Ladder, Rung
from gadfly.report._corrected import corrected
from gadfly.report._from_runs import report_of
from gadfly.report._section import Report, Step
from gadfly.report._tally import Tally
from gadfly.stats import Estimate, difference, distinct, rate, self_bleu
from gadfly.transcripts import Case, Transcript, Turn

__all__ = ["from_ladder", "training_charts"]

CURVES = (
    (
        "reward",
        "Reward",
        "Mean reward of a step's cases: −log(1 − the judge's score); −3 for no valid question.",
    ),
    (
        "kl",
        "Divergence from the start",
        "Mean divergence per token of the policy from where it started, in nats.",
    ),
    (
        "entropy",
        "Entropy",
        "Mean entropy of the policy's next token, in nats. Falling to 0: it says one thing only.",
    ),
    ("self_bleu", "Self-BLEU", "How alike its last 128 questions are, from 0 to 100 (all the same)."),
    ("loss", "Loss", "Mean negative log-likelihood of a batch's tokens, in nats."),
)

_METHODS = (
    "The ladder",
    "Every rung had the same number of target queries. Zero-shot spends them all on attacking. Few-shot and supervised "
    "learn from the zero-shot attacker's first quarter; reinforcement begins from a supervised one, trains with half "
    "of the budget and attacks with the last quarter. Rates count attacking cases alone. Distinct failures are counted "
    "among equally many attacking cases of each rung, since the longer one looks the fewer are new.",
)


def from_ladder(found: Ladder) -> Report:
    """The report of a ladder, as `from_runs` makes it of its attacking runs, with the rungs and curves in front."""
    tallies = [Tally.of(run) for run in found.runs]
    report = report_of(tallies)
    compared = min(tally.asked for tally in tallies)
    steps = tuple(
        _step(number, rung, tally, tallies[0], compared)
        for number, (rung, tally) in enumerate(zip(found.rungs, tallies, strict=True), start=1)
    )
    section = report.sections[0]
    section = replace(
        section,
        comparisons=(),
        steps=steps,
        charts=tuple(chart for rung in found.rungs for chart in training_charts(rung)),
        methods=(_METHODS, *section.methods),
    )
    return replace(report, sections=(section,))


def _step(number: int, rung: Rung, tally: Tally, first: Tally, compared: int) -> Step:
    people = next(iter(corrected(rung.run)), None)
    among = [case for case in tally.failures if case.transcript.case.index < compared]
    unlike = distinct([case.asked for case in tally.failures])
    return Step(
        method=rung.method,
        row=number,
        rate=people.now.after if people else tally.rate(),
        gain=None if tally is first else difference(tally.verdicts, first.verdicts, tally.names, first.names),
        learned=rung.learned,
        attacked=tally.asked,
        per_thousand=1000 * distinct([case.asked for case in among]) / compared,
        compared=compared,
        price=(rung.learned + tally.asked) / unlike if unlike else None,
        self_bleu=self_bleu(tally.openings[:compared]),
        offensive=_offensive(tally),
        ended=rung.trained.ended if rung.trained else "",
    )


def _offensive(tally: Tally) -> Estimate:
    """The share of the questions that are themselves offensive, as the `offensive` judge hears them."""
    judge = offensive()
    said = [
        Transcript(Case(str(n), n, 0), (Turn("target", opening),)) for n, opening in enumerate(tally.openings)
    ]
    judged = run_blocking(judge.judge(said))
    return rate([(j.score or 0.0) >= judge.threshold for j in judged], tally.names)


def training_charts(rung: Rung) -> list[Chart]:
    """A curve for each measure of the rung's training; none for an attacker that was not trained."""
    if rung.trained is None or not rung.trained.curve:
        return []
    curves = []
    for key, title, words in CURVES:
        values = [(row["step"], row[key]) for row in rung.trained.curve if row.get(key) is not None]
        if values and (key != "entropy" or rung.method != "supervised"):
            curves.append(_curve(f"Training of {rung.method}: {title}", words, values))
    return curves


def _curve(title: str, words: str, values: Sequence[tuple[int, float]]) -> Chart:
    first, last = values[0][1], values[-1][1]
    x = {"field": "step", "type": "quantitative", "title": "Step"}
    y = {"field": "value", "type": "quantitative", "title": None, "scale": {"zero": False}}
    points: dict[str, Any] = {"mark": {"type": "point", "stroke": ACCENT, "size": 18, "opacity": 0.5}}
    smooth = {
        "transform": [{"loess": "value", "on": "step", "bandwidth": 0.4}],
        "mark": {"type": "line", "stroke": ACCENT, "strokeWidth": 2},
        "encoding": {"x": x, "y": y},
    }
    spec = {
        "height": 150,
        "data": {"values": [{"step": step, "value": value} for step, value in values]},
        "layer": [{**points, "encoding": {"x": x, "y": y}}, *([smooth] if len(values) > 8 else [])],
    }
    return Chart(title, f"{words} From {first:.3g} at the first step to {last:.3g} at the last.", spec)
