"""Red teaming: attackers, focuses, the questioning game, diversity and triage."""

from gadfly.redteam._attacker import Attacker, attacker_system
from gadfly.redteam._campaign import Attack, Campaign, redteam
from gadfly.redteam._diversity import (
    Diversity,
    distinct,
    diversity,
    near_duplicates,
    normalise_question,
    self_bleu,
)
from gadfly.redteam._focus import Focus, focus, known_focuses
from gadfly.redteam._questioning import Questioning
from gadfly.redteam._triage import Blocking, blocking, clusters, cost_per, phrases
from gadfly.redteam._verdicts import is_failure, judges_for, verdict_of

__all__ = [
    "Attack",
    "Attacker",
    "Blocking",
    "Campaign",
    "Diversity",
    "Focus",
    "Questioning",
    "attacker_system",
    "blocking",
    "clusters",
    "cost_per",
    "distinct",
    "diversity",
    "focus",
    "is_failure",
    "judges_for",
    "known_focuses",
    "near_duplicates",
    "normalise_question",
    "phrases",
    "redteam",
    "self_bleu",
    "verdict_of",
]
