"""Estimates: rates and differences with honest intervals."""

from gadfly.stats._estimate import Estimate

__all__ = ["Estimate"]
