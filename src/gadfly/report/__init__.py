"""One HTML file from runs and estimates, and the same numbers in the terminal."""

from gadfly.report._card import card_page, write_card
from gadfly.report._corrected import Corrected
from gadfly.report._curves import CurveRow, curve_rows, curves_page, curves_sentence, write_curves
from gadfly.report._debate import debate_section, from_debate
from gadfly.report._debated import Debated, HeardLine, ReadDebate
from gadfly.report._evidence import evidence_section, from_evidence
from gadfly.report._evidenced import Cited, Evidenced, Shown
from gadfly.report._from_runs import from_runs
from gadfly.report._html import render, write
from gadfly.report._ladder import from_ladder
from gadfly.report._level import Level
from gadfly.report._matrix import from_matrix
from gadfly.report._pressed import Asked, Pressed, PressedCell, Told
from gadfly.report._pressure import from_pressure, pressure_section
from gadfly.report._reward_card import reward_page, write_reward_card
from gadfly.report._section import (
    Cell,
    Cluster,
    Comparison,
    Counts,
    Diversity,
    Example,
    Findings,
    Grid,
    Judging,
    Phrase,
    Provenance,
    Report,
    Row,
    RunRef,
    Section,
    Spend,
)
from gadfly.report._terminal import print_summary

__all__ = [
    "Asked",
    "Cell",
    "Cited",
    "Cluster",
    "Comparison",
    "Corrected",
    "Counts",
    "CurveRow",
    "Debated",
    "Diversity",
    "Evidenced",
    "Example",
    "Findings",
    "Grid",
    "HeardLine",
    "Judging",
    "Level",
    "Phrase",
    "Pressed",
    "PressedCell",
    "Provenance",
    "ReadDebate",
    "Report",
    "Row",
    "RunRef",
    "Section",
    "Shown",
    "Spend",
    "Told",
    "card_page",
    "curve_rows",
    "curves_page",
    "curves_sentence",
    "debate_section",
    "evidence_section",
    "from_debate",
    "from_evidence",
    "from_ladder",
    "from_matrix",
    "from_pressure",
    "from_runs",
    "pressure_section",
    "print_summary",
    "render",
    "reward_page",
    "write",
    "write_card",
    "write_curves",
    "write_reward_card",
]
