"""The report of a matrix: who breaks whom, as a table with margins, before what any report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gadfly.redteam import Matrix, Pair
from gadfly.report._from_runs import from_runs, report_of
from gadfly.report._section import Cell, Comparison, Diversity, Grid, Report
from gadfly.report._tally import Tally
from gadfly.stats import Estimate, difference, paired_difference, proportion, self_bleu
from gadfly.stats import rate as estimated

__all__ = ["from_matrix"]

_MARGINS = (
    "Who breaks whom",
    "Every attacker had the same number of calls of every target. What it asks before it has seen replies is the same "
    "for all targets, question by question. A margin counts all verdicts of its row or column together; a question put "
    "to several targets is one fact, not several, and widens the interval. Cases from which a few-shot attacker only "
    "learned are among its calls and not in its rate.",
)


def from_matrix(found: Matrix) -> Report:
    """The report of a matrix, as `from_runs` makes it of its runs, with the grid in front.

    What could not be played is said as a finding. Two targets are also compared, attacker by attacker.
    """
    tallies = {run.id: Tally.of(run) for run in found.runs if not found.proposals}
    if not tallies:
        return from_runs(found.runs)
    report = report_of(list(tallies.values()))
    grid = _grid(found.pairs, tallies)
    section = report.sections[0]
    waiting = [pair.name for pair in found.pairs if not pair.runs and not pair.error]
    section = replace(
        section,
        findings=(*section.findings, *found.errors, *(f"Not played: {name}." for name in waiting)),
        compared=grid.targets[:2] if len(grid.targets) == 2 else section.compared,
        comparisons=_comparisons(found.pairs, tallies) if len(grid.targets) == 2 else (),
        grid=grid,
        methods=(_MARGINS, *section.methods),
    )
    return replace(report, sections=(section,))


def _grid(pairs: Sequence[Pair], tallies: dict[str, Tally]) -> Grid:
    attackers = list(dict.fromkeys(pair.attack.name for pair in pairs))
    width = len(pairs) // len(attackers)
    rows = [pairs[i : i + width] for i in range(0, len(pairs), width)]
    return Grid(
        attackers=tuple(attackers),
        targets=tuple(pair.target.name for pair in rows[0]),
        cells=tuple(tuple(_cell(pair, tallies) for pair in row) for row in rows),
        by_attacker=tuple(_margin(row, tallies) for row in rows),
        by_target=tuple(_margin(column, tallies) for column in zip(*rows, strict=True)),
    )


def _cell(pair: Pair, tallies: dict[str, Tally]) -> Cell:
    if pair.run is None:
        return Cell(proportion(0, 0), symmetric=pair.symmetric, error=pair.error)
    tally = tallies[pair.run.id]
    alike = Diversity(self_bleu=self_bleu(tally.openings))
    return Cell(tally.rate(), alike, list(tallies).index(pair.run.id) + 1, pair.symmetric, pair.error)


def _margin(pairs: Sequence[Pair], tallies: dict[str, Tally]) -> Estimate:
    counted = [tallies[pair.run.id] for pair in pairs if pair.run]
    return estimated(
        [verdict for tally in counted for verdict in tally.verdicts],
        [name for tally in counted for name in tally.names],
        missing=sum(sum(tally.causes["missing"].values()) for tally in counted),
    )


def _comparisons(pairs: Sequence[Pair], tallies: dict[str, Tally]) -> tuple[Comparison, ...]:
    """The second target less the first, attack by attack; on the same questions where they were the same."""
    found = []
    for one, other in zip(pairs[::2], pairs[1::2], strict=True):
        if one.run and other.run:
            a, b = tallies[one.run.id], tallies[other.run.id]
            found.append(Comparison(one.attack.name, a.rate(), b.rate(), _gap(a, b)))
    return tuple(found)


def _gap(a: Tally, b: Tally) -> Estimate:
    if a.run.info["spec"]["attacker"] != b.run.info["spec"]["attacker"]:
        return difference(b.verdicts, a.verdicts, b.names, a.names)
    first, second = (dict(zip(tally.indices, tally.verdicts, strict=True)) for tally in (a, b))
    both = [(i, name) for i, name in zip(a.indices, a.names, strict=True) if i in second]
    return paired_difference(
        [second[i] for i, _ in both], [first[i] for i, _ in both], [name for _, name in both]
    )
