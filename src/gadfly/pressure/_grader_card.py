"""The card of a scenario's graders: how well they do on the scenario's own labelled replies, level by level.

Replies that were held out while the patterns were written are counted apart: the other half flatters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.model import Model

from gadfly.judges import Judge
from gadfly.judges._model import Answers
from gadfly.models._blocking import run_blocking
from gadfly.pressure._graders import LEVELS, as_control, graders
from gadfly.pressure._scenario import Control, Scenario
from gadfly.stats import Estimate, rate
from gadfly.transcripts import Judgement

__all__ = ["ForkFigures", "GraderCard", "LevelFigures", "Misread", "grader_card", "grader_card_with"]

INVALID = "invalid"
"""The level of replies that have none: a refusal, an answer that was cut, no call."""


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """One level of one fork: of the replies given this level how many have it (precision), and the reverse (recall)."""

    level: str
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class ForkFigures:
    """One grader on one half of its labelled replies, `tuned` or `held out`. `right` is the share it got right."""

    fork: str
    half: str
    n: int
    right: Estimate
    levels: tuple[LevelFigures, ...]


@dataclass(frozen=True, slots=True)
class Misread:
    """A labelled reply that its grader got wrong: its level, what the grader said, and what makes it hard."""

    fork: str
    reply: str
    level: str
    said: str
    trap: str
    held_out: bool


@dataclass(frozen=True, slots=True)
class GraderCard:
    """See the module's docstring. `model` is the name of the model that decided where patterns did not, or empty."""

    scenario: str
    model: str
    figures: tuple[ForkFigures, ...]
    misread: tuple[Misread, ...]

    def describe(self) -> str:
        """The card as text for a terminal."""
        by = f"patterns, and {self.model} where they do not decide" if self.model else "patterns alone"
        lines = [f"Graders of {self.scenario}: {by}"]
        for one in self.figures:
            lines += ["", f"{one.fork}, {one.n} {one.half} replies: {_share(one.right)} read right"]
            lines += [f"  {'':<10}{'precision':<24}recall"]
            lines += [f"  {f.level:<10}{_share(f.precision):<24}{_share(f.recall)}" for f in one.levels]
        if self.misread:
            lines += ["", "Read wrongly:"]
        for wrong in self.misread:
            half = ", held out" if wrong.held_out else ""
            trap = f" ({wrong.trap}{half})" if wrong.trap else f" ({half[2:]})" if half else ""
            lines.append(f"  {wrong.fork}: {wrong.level} taken for {wrong.said}{trap}: {_shown(wrong.reply)}")
        return "\n".join(lines)


def grader_card(scenario: Scenario) -> GraderCard:
    """The card of the graders that need no model."""
    return run_blocking(grader_card_with(scenario))


async def grader_card_with(scenario: Scenario, model: Answers | Model | str | None = None) -> GraderCard:
    """The card of the graders with that model, which is asked up to three times for each reply that needs it."""
    figures: list[ForkFigures] = []
    misread: list[Misread] = []
    used = ""
    for fork, grader in zip(LEVELS, graders(scenario, model), strict=True):
        controls: Sequence[Control] = getattr(scenario.forks, fork).controls
        said = await _said(scenario, fork, grader, controls)
        used = used or next((one.name for one in getattr(grader, "players", {}).values()), "")
        for half, held_out in (("tuned", False), ("held out", True)):
            pairs = [(c.level, s) for c, s in zip(controls, said, strict=True) if c.held_out == held_out]
            if pairs:
                figures.append(_figures(fork, half, pairs))
        misread += [
            Misread(fork, c.reply, c.level, s, c.trap, c.held_out)
            for c, s in zip(controls, said, strict=True)
            if c.level != s
        ]
    return GraderCard(scenario.name, used, tuple(figures), tuple(misread))


async def _said(scenario: Scenario, fork: str, grader: Judge, controls: Sequence[Control]) -> list[str]:
    """The level the grader gives each control, `invalid` or `ambiguous`."""
    judgements = await grader.judge([as_control(scenario, fork, one).transcript() for one in controls])
    return [_level(one) for one in judgements]


def _level(judgement: Judgement) -> str:
    if judgement.score is not None:
        return str(judgement.metadata["level"])
    if judgement.cause == "ambiguous" or judgement.cause.startswith("call_failed"):
        return judgement.cause
    return INVALID


def _figures(fork: str, half: str, pairs: Sequence[tuple[str, str]]) -> ForkFigures:
    """Figures from pairs of label and reading."""
    levels = tuple(
        LevelFigures(
            level,
            precision=rate([label == level for label, said in pairs if said == level]),
            recall=rate([said == level for label, said in pairs if label == level]),
        )
        for level in (*LEVELS[fork], INVALID)
    )
    return ForkFigures(fork, half, len(pairs), rate([label == said for label, said in pairs]), levels)


def _share(of: Estimate) -> str:
    if of.point is None:
        return "no data"
    return f"{of.point:.2f} [{of.low:.2f}, {of.high:.2f}] of {of.n}"


def _shown(reply: str) -> str:
    """A reply on one line, nothing in it that a terminal would obey."""
    line = " / ".join(part.strip() for part in reply.splitlines() if part.strip())
    line = "".join(one if one.isprintable() else "?" for one in line)
    return line if len(line) <= 100 else f"{line[:99]}…"
