"""What a report says of answers with their evidence: plain frozen data, as in `_section`. Texts may be hostile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gadfly.evidence import EvidenceTable
from gadfly.evidence._injection import InjectionFigures
from gadfly.report._corrected import Corrected
from gadfly.report._level import Level, level_of
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
    `unverified` words that the model gave as a quote and that are not in its documents.
    """

    case_id: str
    kind: str
    question: str
    claim: str
    gold: tuple[str, ...]
    cited: tuple[Cited, ...]
    unverified: tuple[str, ...] = ()
    sure: float | None = None
    judged: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidenced:
    """A run of questions: its table, answers to read, and what orders hidden in documents did. `names` maps a choice to
    what people call it. `corrected`: what people's labels made of how much is not supported, of the answers of a choice
    (`Correction.chosen`) or, where that is empty, of all samples.
    """

    table: EvidenceTable
    names: Mapping[str, str]
    run: str = ""
    shown: tuple[Shown, ...] = ()
    injected: tuple[InjectionFigures, ...] = ()
    corrected: tuple[Corrected, ...] = ()

    @property
    def by_people(self) -> Corrected | None:
        """The newest correction of the headline's answers that the judge has not changed since."""
        told = [one for one in self.corrected if not one.stale and one.now.after.point is not None]
        return next((one for one in reversed(told) if one.now.chosen == self.table.head.choice), None)

    @property
    def misled(self) -> Estimate:
        """The headline: how many answers are supported but false. By people's labels where there are any of these
        answers; else as a judge sees it, whose errors nobody knows.
        """
        people = self.by_people.now.supported_but_false if self.by_people else None
        return people if people is not None else self.table.head.rates["supported_but_false"]

    @property
    def level(self) -> Level:
        """What the headline says. A judge that nobody has checked can neither fail nor pass a model."""
        level = level_of(self.misled)
        if self.by_people is not None:
            return level
        return "warn" if self.misled.point else "inconclusive"

    @property
    def kinds(self) -> dict[str, list[Shown]]:
        """The answers to read by kind, in the order given."""
        found: dict[str, list[Shown]] = {}
        for one in self.shown:
            found.setdefault(one.kind, []).append(one)
        return found
