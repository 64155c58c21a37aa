"""Which of two answers a probability prefers, where a tie is neither."""

from __future__ import annotations

__all__ = ["preferred"]

EVEN = 1e-6
"""How near to one half is a tie: a model's log-odds come in coarse steps, so that what is listed first is often worth
exactly what the answers differ by, and the last digits of a sum then say nothing.
"""


def preferred(p: float) -> float:
    """1 for what is given more than one half, 0 for less, one half for a tie, however it was rounded (`EVEN`)."""
    return 0.5 if abs(p - 0.5) < EVEN else float(p > 0.5)
