"""From runs on disk to what a report says: the numbers of every run, and the sentences on top."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from gadfly.debate._people import judge_of
from gadfly.errors import InputError
from gadfly.pressure import Sweep, sweep_of
from gadfly.redteam import Propose, proposed, training_of
from gadfly.redteam import verdict_of as deciding
from gadfly.report._debate import (
    debate_report,
    debate_section,
    debate_verdict,
    from_debate,
    several,
    told_apart,
)
from gadfly.report._evidence import evidence_report, evidence_section, evidence_verdict, from_evidence
from gadfly.report._level import Level
from gadfly.report._pressure import pressure_report, pressure_section, verdict_of
from gadfly.report._provenance import described, provenance
from gadfly.report._section import Comparison, Report, Row, Section
from gadfly.report._tally import Tally
from gadfly.report._words import rate as in_words
from gadfly.runs import Run
from gadfly.stats import difference, rate
from gadfly.words import enumerated

__all__ = ["attacker_of", "from_runs", "report_of"]

_TURNS = (
    "Rate at each turn",
    "Each reply of a dialogue judged by itself, with what was said before it as context. A dialogue that the attacker "
    "ended early counts at the turns it reached. The line's own rate is the judge's verdict on whole dialogues: higher "
    "where one bad reply is enough, lower where a later one puts it right.",
)


_RANKED = (
    "Against the rest",
    "Each value against all the others together, by Fisher's exact test, adjusted by Holm's rule for how many values "
    "were looked at: in at most 5 tables of 100 is any called different by chance. The others may differ too; too few "
    "replies were judged to say so.",
)


def from_runs(runs: Sequence[Run], not_run: Sequence[str] = ()) -> Report:
    """The report of these runs: one row each; runs against exactly two targets are compared.

    A run that was cut short, and what was planned but `not_run` at all, is said under the summary. Cells of one
    scenario under pressure are a section together, and so are debates about one set before one judge. Raises
    `InputError` for no runs.
    """
    if not runs:
        raise InputError("A report needs at least one run; list them with: gadfly runs")
    attacks = [Tally.of(run) for run in runs if _game(run) == "questioning"]
    sweeps = _sweeps([run for run in runs if _game(run) == "pressing"])
    argued = _debates([run for run in runs if _game(run) == "debating"])
    if len(argued) == 1 and len(argued[0]) == len(runs):
        return _left_out(from_debate(argued[0]), not_run)
    quoting = [run for run in runs if _game(run) == "quoting" and "obeys" not in run.info["judges"]]
    orders = {_answerer(run): run for run in runs if "obeys" in run.info["judges"]} if quoting else {}
    known = {id(run) for run in (*quoting, *orders.values())}
    if len(quoting) == 1 and len(runs) == len(known):
        return _left_out(from_evidence(quoting[0], orders.get(_answerer(quoting[0]))), not_run)
    told = ("questioning", "pressing", "debating")
    quoted = [evidence_section(run, orders.get(_answerer(run))) for run in quoting]
    debated = told_apart([debate_section(found) for found in argued])
    rest = [_other(run) for run in runs if _game(run) not in told and id(run) not in known]
    others = (*quoted, *debated, *rest)
    pressed = tuple(map(pressure_section, sweeps))
    if not attacks and len(sweeps) == 1 and not others:
        return _left_out(pressure_report(sweeps[0], pressed[0]), not_run)
    if attacks:
        report = report_of(attacks, not_run)
        sections = (*report.sections, *pressed, *others)
        joined = _joined(report, (*pressed, *others))
        return replace(joined, sections=sections, provenance=provenance(runs))
    if sweeps:
        reports = [pressure_report(sweep, one) for sweep, one in zip(sweeps, pressed, strict=True)]
        worst = min(reports, key=lambda one: _ORDER.index(one.level))
        worst = replace(_joined(worst, others), sections=(*pressed, *others), provenance=provenance(runs))
        return _left_out(worst, not_run)
    if quoting or argued:
        found = evidence_report(quoting[0], quoted[0]) if quoting else debate_report(argued[0], debated[0])
        found = replace(found, sections=others, provenance=provenance(runs))
        if not quoting and len(debated) > 1:
            return _left_out(_joined(several(found, debated), others), not_run)
        return _left_out(_joined(found, others[1:]), not_run)
    return Report(
        title="What a model said",
        target="",
        verdict="Nothing has been attacked yet.",
        level="inconclusive",
        sections=others,
        provenance=provenance(runs),
    )


def _answerer(run: Run) -> str:
    return json.dumps(run.info["spec"].get("answerer"), sort_keys=True)


def _left_out(report: Report, not_run: Sequence[str]) -> Report:
    """The report with what was planned and not run said in its first section."""
    if not not_run:
        return report
    first, *rest = report.sections
    said = replace(first, findings=(*first.findings, f"Not run at all: {_listed(not_run)}."))
    return replace(report, sections=(said, *rest))


def _joined(report: Report, sections: Sequence[Section]) -> Report:
    """The report with its verdict and level over what was found under pressure, and of evidence, too."""
    found = [(one, verdict_of(one.pressed)) for one in sections if one.pressed]
    found += [(one, evidence_verdict(one.evidence)) for one in sections if one.evidence]
    found += [(one, debate_verdict(one.debate.table)) for one in sections if one.debate]
    levels = {report.level, *(level for _, (level, _) in found)}
    said = [report.verdict, *(f"{one.title}: {words}" for one, (_, words) in found)]
    verdict = " ".join(filter(None, said))
    return replace(report, verdict=verdict, level=next(level for level in _ORDER if level in levels))


def report_of(tallies: Sequence[Tally], not_run: Sequence[str] = ()) -> Report:
    """The report of runs that have been counted; see `from_runs`."""
    runs = [tally.run for tally in tallies]
    targets = {_identity(run): described(run) for run in runs}
    rows = tuple(tally.row(_brief(attacker_of(tally.run, named=len(targets) > 1))) for tally in tallies)
    pairs = _pairs(tallies, list(targets))
    section = Section(
        title="Red teaming",
        summary=(
            "A model wrote questions meant to make the target fail, the target answered, and a judge read every "
            "answer. Each line is one kind of failure."
        ),
        rows=rows,
        findings=(*_told_by(runs), *_cut_short(tallies, not_run), *_ended(runs)),
        compared=_compared(pairs),
        comparisons=tuple(_comparison(a, b) for a, b in pairs),
        methods=(
            *([_TURNS] if any(row.by_turn for row in rows) else []),
            *([_RANKED] if any(row.ranking for row in rows) else []),
        ),
    )
    models = dict.fromkeys(run.info["players"]["target"]["model"] for run in runs)
    return Report(
        title=f"Audit of {', '.join(models)}",
        target="; ".join(targets.values()),
        verdict=_verdict(rows, runs),
        level=_overall(rows),
        sections=(section,),
        provenance=provenance(runs),
    )


def _told_by(runs: Sequence[Run]) -> Iterator[str]:
    """That the verdicts are not those that decided a run, where another judge was asked for."""
    for judge in dict.fromkeys(run.by for run in runs if run.by):
        yield f"A failure here is what {judge} flags, which was asked for in the place of the run's own judge."


def _ended(runs: Sequence[Run]) -> Iterator[str]:
    """Why the training of an attacker stopped early, where one did."""
    for model in dict.fromkeys(run.info["players"]["attacker"]["model"] for run in runs):
        if ended := training_of(model).get("ended"):
            yield f"The training of {model} {ended}."


def _brief(attacker: str) -> str:
    """The attacker without the directories above its adapter's."""
    return re.sub(r"\+\S*/", "+", attacker)


def _game(run: Run) -> str:
    return str(run.info["spec"].get("game", ""))


def _sweeps(runs: Sequence[Run]) -> list[Sweep]:
    """Pressing runs, those of one scenario, target and pairing together."""
    alike: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        spec = run.info["spec"]
        same = {key: spec[key] for key in ("scenario", "target", "pairing", "wordings")}
        alike[json.dumps(same, sort_keys=True)].append(run)
    return [sweep_of(found) for found in alike.values()]


def _debates(runs: Sequence[Run]) -> list[list[Run]]:
    """Debates that can be compared: those of one set of questions before one judge together."""
    alike: dict[tuple[tuple[str, str], str], list[Run]] = defaultdict(list)
    asked = {run.id: _first_question(run) for run in runs}
    known = {judge_of(run): asked[run.id] for run in reversed(runs) if asked[run.id]}
    for run in runs:  # one without a case yet goes with its judge's others
        judge = judge_of(run)
        alike[judge, asked[run.id] or known.get(judge, "")].append(run)
    return list(alike.values())


def _first_question(run: Run) -> str:
    """What the first case of debates is about; empty where there is none yet."""
    first = next((one for one, _ in run.judged()), None)
    return str(first.case.data.get("question", "")) if first else ""


def _other(run: Run) -> Section:
    """A run in which nobody attacked: proposals, or replies that a judge read."""
    if "propose" in run.info["spec"]:
        return _proposals(run)
    if not run.info.get("verdict"):
        outcomes = Counter(transcript.outcome for transcript in run.transcripts())
        told = ", ".join(f"{outcome} {count:,}" for outcome, count in outcomes.most_common())
        return Section(
            run.info["game"], "", findings=(f"Nobody judges these cases: {told or 'none played'}.",)
        )
    judge, threshold = deciding(run)
    scores = [one.score for _, found in run.judged() for one in found if one.judge == judge]
    flagged = in_words(rate([None if score is None else score >= threshold for score in scores]))
    return Section(run.info["game"], "", findings=(f"Flagged by {judge}: {flagged}.",))


def _proposals(run: Run) -> Section:
    """What came of a run in which a model proposed values (groups of people) for later attacks."""
    propose = Propose.model_validate(run.info["spec"]["propose"])
    outcomes = Counter(transcript.outcome for transcript in run.transcripts())
    said, asked = outcomes.total(), run.info["cases"]
    findings = [f"{outcomes['completed']:,} of {said:,} proposals are of use, repetitions among them."]
    if outcomes["completed"]:
        findings.append(f"Those said most often first: {', '.join(proposed(run, propose))}.")
    if said < asked:
        findings.append(f"Cut short: {said:,} of {asked:,} are here. To go on: gadfly resume {run.id}")
    by = run.info["players"]["attacker"]["model"]
    return Section(f"Proposed by {by}: values of {propose.slot}", "", findings=tuple(findings))


def _cut_short(tallies: Sequence[Tally], not_run: Sequence[str]) -> Iterator[str]:
    """What a reader must know before taking the rows for the whole."""
    for tally in tallies:
        asked = tally.run.info["cases"]
        if tally.asked < asked:
            again = f"gadfly resume {tally.run.id}"
            yield f"Cut short: {tally.asked:,} of {asked:,} cases of {tally.run.id} are here. To go on: {again}"
    if not_run:
        yield f"Not run at all: {_listed(not_run)}."


def attacker_of(run: Run, named: bool = False) -> str:
    """Who attacked and how; `named`: and whom."""
    spec = run.info["spec"]
    method = spec["attacker"]["method"].replace("_", "-")
    model, target = spec["attacker"]["system"]["model"], spec["target"]["model"]
    who = "itself" if model == target else model
    turns = f", {spec['turns']} turns" if spec["turns"] > 1 else ""
    asked = ", with the focus's templates" if spec["focus"].get("templates") else ""
    return f"{method} by {who}{asked}{turns}{f', against {target}' if named else ''}"


def _pairs(tallies: Sequence[Tally], targets: Sequence[str]) -> list[tuple[Tally, Tally]]:
    """Runs that differ in their target alone, the first target's first; none unless there are two targets in all.

    A target that attacks itself counts as the same attacker as another one that does.
    """
    if len(targets) != 2:
        return []
    alike: dict[tuple[Any, ...], list[Tally]] = defaultdict(list)
    for tally in sorted(tallies, key=lambda tally: targets.index(_identity(tally.run))):
        spec = tally.run.info["spec"]
        alike[spec["focus"]["name"], attacker_of(tally.run), tally.judge, tally.threshold].append(tally)
    pairs = [(found[0], found[1]) for found in alike.values() if len(found) == 2]
    return [(a, b) for a, b in pairs if _identity(a.run) != _identity(b.run)]


def _comparison(a: Tally, b: Tally) -> Comparison:
    gap = difference(b.verdicts, a.verdicts, b.names, a.names)
    return Comparison(a.run.info["spec"]["focus"]["title"], a.rate(), b.rate(), gap)


def _compared(pairs: Sequence[tuple[Tally, Tally]]) -> tuple[str, str]:
    """How the two sides are called: by their models where these differ."""
    if not pairs:
        return ("first run", "second run")
    a, b = (tally.run.info["players"]["target"]["model"] for tally in pairs[0])
    return (a, b) if a != b else (pairs[0][0].run.id, pairs[0][1].run.id)


def _overall(rows: Sequence[Row]) -> Level:
    levels = {row.level for row in rows}
    return next(level for level in _ORDER if level in levels)


_ORDER: tuple[Level, ...] = ("fail", "warn", "inconclusive", "pass")


def _verdict(rows: Sequence[Row], runs: Sequence[Run]) -> str:
    """The sentence at the top, one per target. It names no rate: those stand below, with their intervals."""
    by_target: dict[str, list[Row]] = defaultdict(list)
    models: dict[str, str] = {}
    for row, run in zip(rows, runs, strict=True):
        by_target[_identity(run)].append(row)
        models[_identity(run)] = run.info["players"]["target"]["model"]
    if len(by_target) == 1:
        return _sentence(rows)
    return " ".join(f"{models[target]}: {_sentence(found)}" for target, found in by_target.items())


def _sentence(rows: Sequence[Row]) -> str:
    by_focus: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_focus[row.focus].append(row)
    by_level: dict[Level, list[str]] = defaultdict(list)
    for focus, found in by_focus.items():
        by_level[_overall(found)].append(focus)
    unjudged = [focus for focus, found in by_focus.items() if not any(row.rate.n for row in found)]
    if failed := by_level["fail"]:
        return f"Clear failures in {len(failed)} of {len(by_focus)} kinds looked for: {_listed(failed)}."
    if warned := by_level["warn"]:
        return (
            f"Failures now and then in {len(warned)} of {len(by_focus)} kinds looked for: {_listed(warned)}."
        )
    if unjudged:
        return f"Nothing can be said of {_listed(unjudged)}: not one reply could be judged."
    if unsure := by_level["inconclusive"]:
        return f"No failure seen, but too few cases to rule it out: {_listed(unsure)}."
    kinds = f"any of the {len(by_focus)} kinds looked for" if len(by_focus) > 1 else _listed(list(by_focus))
    return f"No failure seen in {kinds}; the intervals say how often it could still happen."


def _listed(names: Sequence[str]) -> str:
    return enumerated([name[0].lower() + name[1:] for name in names])


def _identity(run: Run) -> str:
    """Two runs with the same one are about the same target."""
    return json.dumps(run.info["spec"]["target"], sort_keys=True)
