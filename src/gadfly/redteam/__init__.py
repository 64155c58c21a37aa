"""Red teaming: attackers, focuses, the questioning game, diversity and triage."""

from gadfly.redteam._attacker import Attacker
from gadfly.redteam._campaign import Attack, Campaign, redteam
from gadfly.redteam._focus import Focus, focus, known_focuses
from gadfly.redteam._questioning import Questioning
from gadfly.redteam._verdicts import is_failure, judges_for, verdict_of

__all__ = [
    "Attack",
    "Attacker",
    "Campaign",
    "Focus",
    "Questioning",
    "focus",
    "is_failure",
    "judges_for",
    "known_focuses",
    "redteam",
    "verdict_of",
]
