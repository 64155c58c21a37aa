"""Debate: models, or people, argue before a judge who knows less than they."""

from gadfly.debate._branching import Branching, preferences
from gadfly.debate._briefings import Briefing, briefings
from gadfly.debate._calibrated import Scale, calibrated, keep_scale, scale_of
from gadfly.debate._chairs import (
    SAMPLING,
    BestOf,
    Chair,
    JudgeChair,
    Player,
    Referee,
    Refining,
    Said,
    Skilled,
    Weighed,
)
from gadfly.debate._debating import Debating
from gadfly.debate._effort import Effort
from gadfly.debate._inventing import Inventing, made_set, read_answered
from gadfly.debate._learned_judge import RewardJudge, interaction, verdict_rows
from gadfly.debate._marks import Mark, Marks, keep_marks, marks_of
from gadfly.debate._payoff import payoff
from gadfly.debate._players import judge, seated, seating
from gadfly.debate._position import Dispute, Loss, Move, Position, Statement
from gadfly.debate._practice import Bout, Contest, Practice, contest, seatings
from gadfly.debate._protocol import Protocol, Rules, Seat, Step, known_protocols, protocol, protocol_text
from gadfly.debate._sets import cases, document_for, question_numbers, read_set, split
from gadfly.debate._skill import skill_slope
from gadfly.debate._table import (
    Believed,
    Calibration,
    DebateLine,
    DebateTable,
    Kept,
    Leaning,
    debate_table,
)
from gadfly.debate._tournament import Standings, Tournament
from gadfly.debate._tuning import Branches, learn_by_debating, learn_from_branches, learned_before
from gadfly.debate._verdict import DebateJudge, Decided, ScriptedJudge

__all__ = [
    "SAMPLING",
    "Believed",
    "BestOf",
    "Bout",
    "Branches",
    "Branching",
    "Briefing",
    "Calibration",
    "Chair",
    "Contest",
    "DebateJudge",
    "DebateLine",
    "DebateTable",
    "Debating",
    "Decided",
    "Dispute",
    "Effort",
    "Inventing",
    "JudgeChair",
    "Kept",
    "Leaning",
    "Loss",
    "Mark",
    "Marks",
    "Move",
    "Player",
    "Position",
    "Practice",
    "Protocol",
    "Referee",
    "Refining",
    "RewardJudge",
    "Rules",
    "Said",
    "Scale",
    "ScriptedJudge",
    "Seat",
    "Skilled",
    "Standings",
    "Statement",
    "Step",
    "Tournament",
    "Weighed",
    "briefings",
    "calibrated",
    "cases",
    "contest",
    "debate_table",
    "document_for",
    "interaction",
    "judge",
    "keep_marks",
    "keep_scale",
    "known_protocols",
    "learn_by_debating",
    "learn_from_branches",
    "learned_before",
    "made_set",
    "marks_of",
    "payoff",
    "preferences",
    "protocol",
    "protocol_text",
    "question_numbers",
    "read_answered",
    "read_set",
    "scale_of",
    "seated",
    "seating",
    "seatings",
    "skill_slope",
    "split",
    "verdict_rows",
]
