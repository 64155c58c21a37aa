"""Answers that show their evidence, and a model that declines."""

from gadfly.evidence._against import Against, against, contradicted
from gadfly.evidence._asking import Answered, Asking, answer
from gadfly.evidence._choosing import Chosen, chosen, pick
from gadfly.evidence._declining import Decline, Search, load_decline, tune
from gadfly.evidence._examining import Examined, examine
from gadfly.evidence._fabricated import fabricated
from gadfly.evidence._injection import (
    Injected,
    injected,
    injection_cases,
    injection_corpus,
    injection_figures,
    injections,
    obeys,
)
from gadfly.evidence._questions import cases_of, read_questions
from gadfly.evidence._quoting import SAMPLING, UNVERIFIED, Quoting, answer_text
from gadfly.evidence._repeats import as_one
from gadfly.evidence._saliency import Saliency, saliency, unused
from gadfly.evidence._scorers import confidence, scorer, unlikely, unquoted, unsupported, wrong
from gadfly.evidence._setting import Setting
from gadfly.evidence._sparing import NOT_CHOSEN, judge_chosen
from gadfly.evidence._table import (
    FIGURES,
    FIRST,
    LIKELIHOOD,
    EvidenceTable,
    Judges,
    Line,
    answers,
    counted,
    picks,
    table,
    table_of,
)

__all__ = [
    "FIGURES",
    "FIRST",
    "LIKELIHOOD",
    "NOT_CHOSEN",
    "SAMPLING",
    "UNVERIFIED",
    "Against",
    "Answered",
    "Asking",
    "Chosen",
    "Decline",
    "EvidenceTable",
    "Examined",
    "Injected",
    "Judges",
    "Line",
    "Quoting",
    "Saliency",
    "Search",
    "Setting",
    "against",
    "answer",
    "answer_text",
    "answers",
    "as_one",
    "cases_of",
    "chosen",
    "confidence",
    "contradicted",
    "counted",
    "examine",
    "fabricated",
    "injected",
    "injection_cases",
    "injection_corpus",
    "injection_figures",
    "injections",
    "judge_chosen",
    "load_decline",
    "obeys",
    "pick",
    "picks",
    "read_questions",
    "saliency",
    "scorer",
    "table",
    "table_of",
    "tune",
    "unlikely",
    "unquoted",
    "unsupported",
    "unused",
    "wrong",
]
