"""Intervals of contrasts of a logistic fit, as far to either side as the results allow.

The interval of a contrast holds every value at which the largest likelihood under Jeffreys' prior, the other
coefficients free, falls short of the largest of all by no more than ½t²·φ (Heinze & Schemper 2002, Statistics in
Medicine 21:2409). t is Student's quantile; φ, the contrast's design effect, is its variance over clusters (`_sandwich`)
by the one that the curvature of that likelihood gives (Chandler & Bate 2007, Biometrika 94:167, their vertical
adjustment). Among many results the likelihood is a parabola and the interval the sandwich's, t errors to either side.
Where a player won everything it ends below at what as many wins as there were clusters exclude, and above far away.

Axes: C contrasts, P coefficients, B = 2C ends, the lower ones first, D distinct rows of the design. Inside, steps_B_P
are from the fit, in the basis where minus the second derivative there is the identity, and along_B_P the contrasts'
directions in it, of length 1, each outward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gadfly.stats._clusters import Floats
from gadfly.stats._logistic import Likelihood, Logistic
from gadfly.stats._rate import quantile
from gadfly.stats._sandwich import contrasts

__all__ = ["Profiled", "profile"]

FARTHEST = 18.0
"""An end farther than this from the point, in log-odds, is put here: who asks for less than one in 60 million?"""
CLOSE = 1e-4
"""An end this close, as a share of the way to it, is found."""
SLIGHT = 1e-6
"""What likelihood can rise by no more than this is at its largest."""
STEPS, HALVINGS = 60, 20


@dataclass(frozen=True, slots=True)
class Profiled:
    """Weighted sums of coefficients with the ends of their intervals, and `variances_C` over clusters."""

    points_C: Floats
    lows_C: Floats
    highs_C: Floats
    variances_C: Floats

    def ends(self) -> list[tuple[float, float, float]]:
        """Point, low and high of each."""
        columns = (self.points_C.tolist(), self.lows_C.tolist(), self.highs_C.tolist())
        return list(zip(*columns, strict=True))


def profile(fit: Logistic, weights_C_P: Floats, level: float) -> Profiled:
    """Weighted sums of the coefficients with their intervals; one without any weight is 0 and has no width."""
    found = contrasts(fit, weights_C_P)
    factor_P_P = np.asarray(np.linalg.cholesky(fit.inverse_P_P), dtype=np.float64)
    along_C_P = weights_C_P @ factor_P_P
    lengths_C = np.linalg.norm(along_C_P, axis=1)
    any_C = lengths_C > 0
    lengths_C = np.where(any_C, lengths_C, 1.0)
    quantiles_C = np.array([quantile(level, df) for df in found.df_C])
    wanted_C = np.where(any_C, quantiles_C * found.errors_C / lengths_C, 0.0)
    outward_C_P = along_C_P / lengths_C[:, None]
    ways_B = _ends(
        _Around(fit.likelihood, fit.coefficients_P, factor_P_P),
        np.vstack([-outward_C_P, outward_C_P]),
        np.tile(wanted_C, 2),
        np.tile(FARTHEST / lengths_C, 2),
    )
    below_C, above_C = ways_B.reshape(2, -1) * lengths_C
    return Profiled(found.points_C, found.points_C - below_C, found.points_C + above_C, found.errors_C**2)


@dataclass(frozen=True, slots=True)
class _Around:
    """A likelihood as seen from where it is largest."""

    likelihood: Likelihood
    centre_P: Floats
    factor_P_P: Floats

    def at(self, steps_B_P: Floats) -> tuple[Floats, Floats, Floats]:
        """`Likelihood.at` for steps in the basis of `factor_P_P`."""
        value_B, score_B_P, curvature_B_P_P = self.likelihood.at(
            self.centre_P + steps_B_P @ self.factor_P_P.T
        )
        return value_B, score_B_P @ self.factor_P_P, self.factor_P_P.T @ curvature_B_P_P @ self.factor_P_P

    def largest(self, steps_B_P: Floats, along_B_P: Floats) -> tuple[Floats, Floats, Floats]:
        """The steps to where it is largest across `along_B_P`, from `steps_B_P`; its value there, and how it rises
        along: by Newton's method, with steps halved until the value rises.
        """
        fixed_B_P_P = along_B_P[:, :, None] * along_B_P[:, None, :]
        across_B_P_P = np.eye(len(self.centre_P)) - fixed_B_P_P
        for _ in range(STEPS):
            value_B, score_B_P, curvature_B_P_P = self.at(steps_B_P)
            uphill_B_P_1 = across_B_P_P @ score_B_P[:, :, None]
            bent_B_P_P = across_B_P_P @ curvature_B_P_P @ across_B_P_P + fixed_B_P_P
            move_B_P = np.linalg.solve(bent_B_P_P, uphill_B_P_1)[:, :, 0]
            gain_B = (move_B_P * uphill_B_P_1[:, :, 0]).sum(1)
            move_B_P = self.rising(steps_B_P, move_B_P * (gain_B > SLIGHT)[:, None], value_B)
            if not move_B_P.any():
                break
            steps_B_P = steps_B_P + move_B_P
        return steps_B_P, value_B, (score_B_P * along_B_P).sum(1)

    def rising(self, steps_B_P: Floats, move_B_P: Floats, value_B: Floats) -> Floats:
        """The moves, halved as often as it takes for the value to rise; none where it does not."""
        for _ in range(HALVINGS):
            worse_B = ~(self.at(steps_B_P + move_B_P)[0] >= value_B) & move_B_P.any(1)
            if not worse_B.any():
                return move_B_P
            move_B_P = np.where(worse_B[:, None], move_B_P / 2, move_B_P)
        return np.where(worse_B[:, None], 0.0, move_B_P)


def _ends(around: _Around, along_B_P: Floats, wanted_B: Floats, farthest_B: Floats) -> Floats:
    """How far along each direction, at most `farthest_B`, the likelihood has fallen by `wanted_B`²/2.

    The root of twice the fall is `wanted_B` at a distance of that where the likelihood is a parabola. Newton's method
    on that root, kept between what is known to be too near and too far, where it is put if it does not settle.
    """
    top = float(around.at(np.zeros((1, along_B_P.shape[1])))[0][0])
    near_B, far_B = np.zeros(len(wanted_B)), np.full(len(wanted_B), np.inf)
    way_B = np.minimum(wanted_B, farthest_B)
    steps_B_P = way_B[:, None] * along_B_P
    for _ in range(STEPS):
        steps_B_P, value_B, rise_B = around.largest(steps_B_P, along_B_P)
        fallen_B = np.sqrt(2 * np.maximum(top - value_B, 0.0))
        short_B = wanted_B - fallen_B
        near_B, far_B = np.where(short_B > 0, way_B, near_B), np.where(short_B > 0, far_B, way_B)
        found_B = (np.abs(short_B) <= CLOSE * wanted_B) | ((short_B > 0) & (way_B >= farthest_B))
        if found_B.all():
            return way_B
        with np.errstate(divide="ignore", invalid="ignore"):
            next_B = np.minimum(way_B - short_B * fallen_B / rise_B, 3 * way_B)
        between_B = np.where(np.isfinite(far_B), (near_B + far_B) / 2, 2 * way_B)
        next_B = np.where((next_B > near_B) & (next_B < far_B), next_B, between_B)
        next_B = np.where(found_B, way_B, np.minimum(next_B, farthest_B))
        # what is best across grows about as the way does
        steps_B_P = steps_B_P * (next_B / np.where(way_B > 0, way_B, 1.0))[:, None]
        way_B = next_B
    return np.where(found_B, way_B, np.minimum(far_B, farthest_B))
