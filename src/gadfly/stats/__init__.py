"""Estimates: rates, differences and ratings with honest intervals, and how varied a set of texts is."""

from gadfly.stats._agreement import Drift, Rating, alpha, drift
from gadfly.stats._corrected import RATERS_ERR, corrected_rate, corrected_within
from gadfly.stats._correlation import partial_spearman, spearman
from gadfly.stats._dawid_skene import Confusion, dawid_skene
from gadfly.stats._difference import difference, paired_difference
from gadfly.stats._diversity import (
    Diversity,
    distinct,
    diversity,
    near_duplicates,
    normalise_question,
    self_bleu,
    words,
)
from gadfly.stats._draws import Draw
from gadfly.stats._estimate import Estimate
from gadfly.stats._groups import difference_by_group, rate_by_group
from gadfly.stats._mean import bounded_mean, mean
from gadfly.stats._platt import Platt, platt
from gadfly.stats._ranking import Ranked, holm, ranked
from gadfly.stats._rate import proportion, rate, sensitivity_floor
from gadfly.stats._rater_error import RaterError, rater_error
from gadfly.stats._ratings import Match, Rated, Ratings, ratings
from gadfly.stats._reliability import (
    Reliability,
    ReliabilityBin,
    calibration_slope,
    recalibrated,
    reliability,
)
from gadfly.stats._risk import (
    RiskCoverage,
    RiskPoint,
    Threshold,
    attempted_difference,
    risk_coverage,
    risk_threshold,
)
from gadfly.stats._sequence import ConfidenceSequence, confidence_sequence
from gadfly.stats._slope import Slope, slope
from gadfly.stats._swiss import Round, swiss
from gadfly.stats._ties import preferred

__all__ = [
    "RATERS_ERR",
    "ConfidenceSequence",
    "Confusion",
    "Diversity",
    "Draw",
    "Drift",
    "Estimate",
    "Match",
    "Platt",
    "Ranked",
    "Rated",
    "RaterError",
    "Rating",
    "Ratings",
    "Reliability",
    "ReliabilityBin",
    "RiskCoverage",
    "RiskPoint",
    "Round",
    "Slope",
    "Threshold",
    "alpha",
    "attempted_difference",
    "bounded_mean",
    "calibration_slope",
    "confidence_sequence",
    "corrected_rate",
    "corrected_within",
    "dawid_skene",
    "difference",
    "difference_by_group",
    "distinct",
    "diversity",
    "drift",
    "holm",
    "mean",
    "near_duplicates",
    "normalise_question",
    "paired_difference",
    "partial_spearman",
    "platt",
    "preferred",
    "proportion",
    "ranked",
    "rate",
    "rate_by_group",
    "rater_error",
    "ratings",
    "recalibrated",
    "reliability",
    "risk_coverage",
    "risk_threshold",
    "self_bleu",
    "sensitivity_floor",
    "slope",
    "spearman",
    "swiss",
    "words",
]
