"""What a report says of a sweep under pressure: plain frozen data, as in `_section`. Texts may be hostile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gadfly.pressure import CellRates, Effect, Overall
from gadfly.transcripts import Turn

__all__ = ["Asked", "Pressed", "PressedCell", "Told"]


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent's answer at one fork, in two columns: what it wrote for itself, and what others saw of it.

    `level` is what the grader made of it, empty where it could not be read, and then `cause` says why. `evidence` holds
    exact words that decided.
    """

    fork: str
    before: tuple[Turn, ...]
    scratchpad: str
    seen: str
    level: str
    flagged: bool
    cause: str = ""
    evidence: tuple[str, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One case to read: all that was said before the agent first answered, and its answers fork by fork."""

    case_id: str
    what: str
    wording: int
    system_prompt: str
    before: tuple[Turn, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class PressedCell:
    """One cell. `role` is `base`, `positive control`, `negative control` or empty; `scratchpad` as the agent had it."""

    name: str
    role: str
    rates: CellRates
    run: str
    scratchpad: str
    cases: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Pressed:
    """A whole sweep. `cast` names the speakers. `failed_controls` are sentences that stand before everything; `alike`:
    no variant hides more than the negative control, in which there is nothing to hide.
    """

    cells: tuple[PressedCell, ...]
    effects: tuple[Effect, ...]
    overall: tuple[Overall, ...]
    cast: Mapping[str, str]
    failed_controls: tuple[str, ...] = ()
    wordings: int = 0
    alike: bool = False

    @property
    def levels(self) -> dict[tuple[str, str, str], dict[str, Effect]]:
        """The effects on every outcome for each (knob, level, against)."""
        found: dict[tuple[str, str, str], dict[str, Effect]] = {}
        for one in self.effects:
            found.setdefault((one.knob, one.level, one.against), {})[one.outcome] = one
        return found
