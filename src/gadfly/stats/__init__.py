"""Estimates: rates and differences with honest intervals."""

from gadfly.stats._corrected import corrected_rate
from gadfly.stats._difference import difference, paired_difference
from gadfly.stats._draws import Draw
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import proportion, rate, sensitivity_floor
from gadfly.stats._rater_error import RaterError
from gadfly.stats._sequence import ConfidenceSequence, confidence_sequence

__all__ = [
    "ConfidenceSequence",
    "Draw",
    "Estimate",
    "RaterError",
    "confidence_sequence",
    "corrected_rate",
    "difference",
    "paired_difference",
    "proportion",
    "rate",
    "sensitivity_floor",
]
