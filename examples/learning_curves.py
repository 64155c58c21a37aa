"""Does choosing what to ask help a learner of one's own? It counts how often people flag each kind of item."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gadfly.judges import CurveSettings, Items, learning_curves
from gadfly.report import curves_sentence, write_curves

rng = np.random.default_rng(0)
kinds = np.where(rng.random(1_500) < 0.85, 0, rng.integers(1, 60, 1_500))  # one is common, sixty are rare
flagged = (rng.random(1_500) < np.where(kinds % 2 == 1, 0.95, 0.02)).astype(float)


@dataclass(frozen=True)
class Counting:
    yes: Any = 0.0
    asked: Any = 0.0

    def spec(self) -> dict[str, Any]:
        return {"learner": "counting"}

    def learn(self, rows: Any, labels: Any, seed: int) -> "Counting":
        return Counting(np.bincount(kinds[rows], labels, 60), np.bincount(kinds[rows], minlength=60))

    def scores(self, rows: Any) -> Any:
        return ((self.yes + 0.5) / (self.asked + 1))[kinds[rows]]

    def uncertainty(self, rows: Any) -> Any:
        return np.sqrt(self.scores(rows) * (1 - self.scores(rows)) / (self.asked[kinds[rows]] + 2))


curves = learning_curves(Counting(), Items(flagged), ["epistemic!"], CurveSettings(seeds=10, end=200))
print(curves_sentence(curves))
print(write_curves(curves, "curves.html", {"Learner": "counting"}))
