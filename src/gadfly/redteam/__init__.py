"""Red teaming: attackers, focuses, the questioning game and triage."""

from gadfly.redteam._attacker import Attacker, attacker_system
from gadfly.redteam._campaign import Attack, Campaign, redteam, training_of
from gadfly.redteam._focus import Focus, Propose, focus, known_focuses
from gadfly.redteam._ladder import Ladder, Learning, Rung, ladder
from gadfly.redteam._matrix import Matrix, Pair, matrix
from gadfly.redteam._proposing import proposed
from gadfly.redteam._questioning import Questioning
from gadfly.redteam._training_data import demonstrations, pairs_from
from gadfly.redteam._triage import Blocking, blocking, clusters, cost_per, phrases
from gadfly.redteam._tuning import (
    Student,
    learn_by_attacking,
    learn_from_failures,
    learn_from_pairs,
    student,
)
from gadfly.redteam._verdicts import is_failure, judges_for, verdict_of

__all__ = [
    "Attack",
    "Attacker",
    "Blocking",
    "Campaign",
    "Focus",
    "Ladder",
    "Learning",
    "Matrix",
    "Pair",
    "Propose",
    "Questioning",
    "Rung",
    "Student",
    "attacker_system",
    "blocking",
    "clusters",
    "cost_per",
    "demonstrations",
    "focus",
    "is_failure",
    "judges_for",
    "known_focuses",
    "ladder",
    "learn_by_attacking",
    "learn_from_failures",
    "learn_from_pairs",
    "matrix",
    "pairs_from",
    "phrases",
    "proposed",
    "redteam",
    "student",
    "training_of",
    "verdict_of",
]
