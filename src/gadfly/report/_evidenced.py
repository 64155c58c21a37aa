"""What a report says of answers with their evidence: plain frozen data, as in `_section`. Texts may be hostile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gadfly.evidence import EvidenceTable
from gadfly.evidence._injection import InjectionFigures

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
    what people call it.
    """

    table: EvidenceTable
    names: Mapping[str, str]
    run: str = ""
    shown: tuple[Shown, ...] = ()
    injected: tuple[InjectionFigures, ...] = ()

    @property
    def kinds(self) -> dict[str, list[Shown]]:
        """The answers to read by kind, in the order given."""
        found: dict[str, list[Shown]] = {}
        for one in self.shown:
            found.setdefault(one.kind, []).append(one)
        return found
