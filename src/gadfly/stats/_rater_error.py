"""What one person's vote is worth: two error rates and how unsure they are, to be carried into a rate."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RaterError"]


@dataclass(frozen=True, slots=True)
class RaterError:
    """The pooled error rates of a single vote, as `rater_error` estimates them.

    `miss` = P(says passes | fails) and `false_alarm` = P(says fails | passes), both in (0, 0.5);
    `covariance` is that of (miss, false_alarm), 2 × 2, in that order. `n_items` counts the items that told
    anything about the errors: rated twice or more, or of known truth. `assumption` says in words what had to
    be assumed to tell the two errors apart, empty when the data did so by themselves.
    """

    miss: float
    false_alarm: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    n_items: int
    assumption: str = ""
