"""What a report says: plain frozen data that any system fills and any renderer shows.

A report is a list of sections, one per system (red team now; pressure, evidence and debate add theirs). A
section is a list of rows, one per focus and attacker. Every rate is an `Estimate`; what is not known is None,
never 0. Texts may be hostile: nothing here is escaped, the renderers do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gadfly.pages import Chart
from gadfly.redteam import Blocking
from gadfly.report._corrected import Corrected
from gadfly.report._debated import Debated
from gadfly.report._evidenced import Evidenced
from gadfly.report._level import Level
from gadfly.report._pressed import Pressed
from gadfly.stats import Estimate, Ranked
from gadfly.transcripts import Turn

__all__ = [
    "ByTurn",
    "Cell",
    "Cluster",
    "Comparison",
    "Counts",
    "Diversity",
    "Example",
    "Findings",
    "Grid",
    "Judging",
    "Phrase",
    "Provenance",
    "Ranking",
    "Report",
    "Row",
    "RunRef",
    "Section",
    "Spend",
    "Step",
]


@dataclass(frozen=True, slots=True)
class Example:
    """One case a reader can look at. `evidence` holds exact words of the turns, marked where they occur."""

    case_id: str
    turns: tuple[Turn, ...]
    score: float | None = None
    judge: str = ""
    rationale: str = ""
    evidence: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Failures that resemble each other: how many, the words they share, and the one nearest the middle."""

    size: int
    terms: tuple[str, ...]
    typical: Example


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase over-represented in failures.

    `failures` counts the failing replies that contain it. `lift` is how many times as common it is there as
    in the other replies, None where no other reply contains it.
    """

    text: str
    failures: int
    lift: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the cases went. `valid` + the invalid + the failed = `asked`; the missing are among the valid.

    `invalid`, `failed` and `missing` map a cause (`"no_question"`, `"rate_limited"`, `"no_parse"`) to cases.
    """

    asked: int
    valid: int
    invalid: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        """The cases that got a verdict: the valid less the missing."""
        return self.valid - sum(self.missing.values())


@dataclass(frozen=True, slots=True)
class Judging:
    """Who decided, and where a score became a failure.

    With a funnel, `threshold` is the first judge's, `then` names the slower check and `passed_on` is the
    share of replies it saw.
    """

    judges: tuple[str, ...]
    threshold: float
    then: str = ""
    passed_on: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Diversity:
    """How varied the attack was; None where it was not measured.

    `distinct`: failures left once near-duplicates are counted once. `self_bleu`: mean of each question
    against the others, in [0, 100], 100 when all are alike.
    """

    distinct: int | None = None
    self_bleu: float | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """Tokens in and out, all roles, and what they cost in US dollars (None where no price is known)."""

    tokens: int = 0
    dollars: float | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What the failures look like. `near_misses` lie just under the threshold. Both are samples."""

    clusters: tuple[Cluster, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    blocking: Blocking | None = None
    failures: tuple[Example, ...] = ()
    near_misses: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class ByTurn:
    """The rate at each turn of dialogues, over those that came so far: `rates[0]` is the first reply's.

    `change` is the last turn less the first, over the dialogues that reached the last.
    """

    rates: tuple[Estimate, ...]
    change: Estimate


@dataclass(frozen=True, slots=True)
class Ranking:
    """The rate for each value of the focus's one slot (a kind of detail, a group of people), the highest first.

    `proposed` is the run in which a model proposed the values; empty where the focus lists them.
    """

    slot: str
    values: tuple[Ranked, ...]
    proposed: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One focus under one attacker. `failure` says in one sentence what counts as one."""

    focus: str
    attacker: str
    level: Level
    failure: str
    rate: Estimate
    counts: Counts
    judging: Judging
    diversity: Diversity = Diversity()
    spend: Spend = Spend()
    refusals: Estimate | None = None
    findings: Findings = Findings()
    corrected: tuple[Corrected, ...] = ()
    by_turn: ByTurn | None = None
    ranking: Ranking | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One focus in two runs. `difference` is b less a, in [-1, 1]."""

    focus: str
    a: Estimate
    b: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Cell:
    """One attack on one target. `row` is its line among the section's rows, counted from 1, None where there is no
    run; `symmetric`: the target attacks itself; `error` says why the pair stopped before its end.
    """

    rate: Estimate
    diversity: Diversity = Diversity()
    row: int | None = None
    symmetric: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Who breaks whom: `cells[i][j]` is attacker i against target j. The margins count all verdicts of a row or a
    column together, a question put to several targets being one cluster.
    """

    attackers: tuple[str, ...]
    targets: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    by_attacker: tuple[Estimate, ...]
    by_target: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of a ladder of attackers. `row` is its line among the section's rows, counted from 1.

    `learned` target queries went into learning, `attacked` into attacking. `rate` is the corrected one where people's
    labels put it right; `gain` is it less the first rung's. `per_thousand` counts the distinct failures among the first
    `compared` attacking cases, the same number for every rung, per 1,000 of them, and `self_bleu` is theirs; `price` is
    the target queries, those for learning included, for each distinct failure (None where there was none). `offensive`
    is the share of the questions that are themselves offensive.
    """

    method: str
    row: int
    rate: Estimate
    gain: Estimate | None
    learned: int
    attacked: int
    per_thousand: float
    compared: int
    price: float | None
    self_bleu: float | None
    offensive: Estimate
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One system's part of the report.

    `findings` are plain sentences that stand under the summary; `compared` names the two runs of
    `comparisons`; `methods` are further (term, explanation) pairs for the footnote on methods.
    """

    title: str
    summary: str
    rows: tuple[Row, ...] = ()
    findings: tuple[str, ...] = ()
    compared: tuple[str, str] = ("first run", "second run")
    comparisons: tuple[Comparison, ...] = ()
    grid: Grid | None = None
    steps: tuple[Step, ...] = ()
    charts: tuple[Chart, ...] = ()
    methods: tuple[tuple[str, str], ...] = ()
    pressed: Pressed | None = None
    evidence: Evidenced | None = None
    debate: Debated | None = None


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run and where its rows lie."""

    id: str
    path: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What was run, and the `commands` that do it again and that `look` at it again. `models` maps a role to a
    fingerprint; `reproducible` is a sentence.
    """

    commands: tuple[str, ...] = ()
    runs: tuple[RunRef, ...] = ()
    look: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    git: str = ""
    started: datetime | None = None
    wall_seconds: float | None = None
    reproducible: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report. `target` describes the system under audit; `verdict` is one plain sentence."""

    title: str
    target: str
    verdict: str
    level: Level
    sections: tuple[Section, ...] = ()
    provenance: Provenance = Provenance()
