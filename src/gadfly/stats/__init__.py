"""Estimates: rates and differences with honest intervals."""

from gadfly.stats._difference import difference, paired_difference
from gadfly.stats._estimate import Estimate
from gadfly.stats._rate import proportion, rate, sensitivity_floor

__all__ = ["Estimate", "difference", "paired_difference", "proportion", "rate", "sensitivity_floor"]
