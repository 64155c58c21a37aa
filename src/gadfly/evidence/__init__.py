"""Answers that show their evidence, and a model that declines."""

from gadfly.evidence._choosing import Chosen, chosen, pick
from gadfly.evidence._fabricated import fabricated
from gadfly.evidence._quoting import SAMPLING, UNVERIFIED, Quoting, answer_text, cases_of, read_questions
from gadfly.evidence._scorers import confidence, holds_answer, scorer, unlikely, unquoted, unsupported, wrong

__all__ = [
    "SAMPLING",
    "UNVERIFIED",
    "Chosen",
    "Quoting",
    "answer_text",
    "cases_of",
    "chosen",
    "confidence",
    "fabricated",
    "holds_answer",
    "pick",
    "read_questions",
    "scorer",
    "unlikely",
    "unquoted",
    "unsupported",
    "wrong",
]
