"""Platt's sigmoid: probabilities from logits that rank well but say too much or too little.

Axes: N examples, M members of an ensemble (1 where there is none).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Platt", "platt"]

STEEPEST = math.exp(4.0)
"""The largest slope that is looked for, and one over the smallest."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Platt:
    """Platt's sigmoid (1999) on every member's logit: pᵢ = σ(slope·zᵢ + offset), slope > 0.

    Not isotonic regression: it needs more than about a thousand labels (Niculescu-Mizil & Caruana 2005),
    makes ties that no threshold can part, and what it does to a mean is not
    the mean of what it does, so the members' spread would lose its meaning.
    """

    slope: float
    offset: float

    def members(self, logits_N_M: Floats) -> Floats:
        """Each member's probability, (N, M). Their mean is the score and their variance the epistemic part of
        score·(1 - score) = E[pᵢ(1 - pᵢ)] + Var[pᵢ] (Gleave & Irving 2022).
        """
        return np.asarray(special.expit(self.slope * logits_N_M + self.offset))


def platt(logits_N_M: Floats, labels_N: Floats, weights_N: Floats, *, offset: bool = True) -> Platt:
    """The sigmoid whose *mean over members* has the least weighted log loss against labels in [0, 1].

    Labels are drawn in from 0 and 1 by Platt's rule, (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2): separable labels would
    otherwise ask for an infinite slope. Without `offset` it is temperature scaling (Guo et al. 2017), at temperature
    1/slope, which leaves ½ where it is.
    """
    from scipy import optimize

    yes = float(labels_N.sum())
    no = len(labels_N) - yes
    target_N = labels_N * (yes + 1) / (yes + 2) + (1 - labels_N) / (no + 2)

    def loss(parameters: Floats) -> float:
        p_N = Platt(math.exp(parameters[0]), parameters[1]).members(logits_N_M).mean(1)
        p_N = np.clip(p_N, 1e-12, 1 - 1e-12)
        return -float(weights_N @ (target_N * np.log(p_N) + (1 - target_N) * np.log1p(-p_N)))

    shift = 20.0 if offset else 0.0
    bounds = [(-math.log(STEEPEST), math.log(STEEPEST)), (-shift, shift)]
    found = optimize.minimize(loss, [0.0, 0.0], method="L-BFGS-B", bounds=bounds)
    return Platt(math.exp(float(found.x[0])), float(found.x[1]))
