"""What a report says of answers with their evidence: plain frozen data, as in `_section`. Texts may be hostile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gadfly.evidence import LIKELIHOOD, EvidenceTable
from gadfly.evidence._injection import InjectionFigures
from gadfly.report._corrected import Corrected
from gadfly.report._level import Level, level_of
from gadfly.runs import Correction
from gadfly.stats import Estimate

__all__ = ["Cited", "Evidenced", "Shown"]


@dataclass(frozen=True, slots=True)
class Cited:
    """A passage with what is quoted from it: `spans` are (start, end) offsets into `text`."""

    title: str
    text: str
    spans: tuple[tuple[int, int], ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer to read. `judged` maps what was asked of it to yes, no or not known; `gold` holds known short answers;
    `unverified` words that the model gave as a quote and that are not in its documents, `short` those that are and are
    too few to count.
    """

    case_id: str
    kind: str
    question: str
    claim: str
    gold: tuple[str, ...]
    cited: tuple[Cited, ...]
    unverified: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    sure: float | None = None
    judged: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidenced:
    """A run of questions: its table, answers to read, and what orders hidden in documents did. `names` maps a choice to
    what people call it. `corrected`: what people's labels made of how much is not supported, of the answers of a choice
    (`Correction.chosen`) or, where that is empty, of all samples. `one_each`: there is one sample to a question, and
    every question can be answered.
    """

    table: EvidenceTable
    names: Mapping[str, str]
    run: str = ""
    shown: tuple[Shown, ...] = ()
    injected: tuple[InjectionFigures, ...] = ()
    corrected: tuple[Corrected, ...] = ()
    one_each: bool = False

    @property
    def by_people(self) -> Correction | None:
        """What people's labels make of the answers that the headline is about, the judge of support's before another's,
        then by the most labels; None where no queue holds enough of them.

        It stays what people see when the judge has changed since.
        """
        told = [one.now for one in self.corrected if self._of_head(one.now.chosen)]
        told = [one for one in told if one.after.point is not None]
        own = self.table.judges.unsupported
        return max(told, key=lambda one: (one.judge == own, one.after.n, one.at), default=None)

    def _of_head(self, chosen: str) -> bool:
        """Whether answers so chosen are the headline's: the same choice, or all where there is one to a question."""
        same = {"unlikely": LIKELIHOOD}.get(chosen, chosen) == self.table.head.choice
        return same or (not chosen and self.one_each)

    @property
    def misled_by_people(self) -> Estimate | None:
        """How many answers are supported but false by people's labels; None where they do not tell."""
        told = self.by_people.supported_but_false if self.by_people else None
        return told if told is not None and told.point is not None else None

    @property
    def misled(self) -> Estimate:
        """The headline: how many answers are supported but false. By people's labels where they tell; else as a judge
        sees it, whose errors nobody knows.
        """
        return self.misled_by_people or self.table.head.rates["supported_but_false"]

    @property
    def level(self) -> Level:
        """What the headline says. A judge that nobody has checked can neither fail nor pass a model."""
        if self.misled_by_people is not None:
            return level_of(self.misled_by_people)
        return "warn" if self.misled.point else "inconclusive"

    @property
    def kinds(self) -> dict[str, list[Shown]]:
        """The answers to read by kind, in the order given."""
        found: dict[str, list[Shown]] = {}
        for one in self.shown:
            found.setdefault(one.kind, []).append(one)
        return found
