"""What a linear probe finds out about identity: docs/reference/evaluation.md.

(a - c) / (1 - c),   a the balanced accuracy of the probe on expressions that it was not fitted on, c = 1 / subjects
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation import leakage
from ferbench.metrics.base import FeatureMetric, outputs


class IdentityLeakage(FeatureMetric):
    """At most 1, chance is 0; lower is better. `probe`: "linear", or "knn" for the nearest neighbour."""

    higher_is_better = False

    def __init__(self, probe: str = "linear", **settings: object) -> None:
        super().__init__(**settings)
        if probe not in ("linear", "knn"):
            raise ValueError(f"probe is '{probe}'; it can be linear or knn.")
        self.key = "identity_leakage" if probe == "linear" else "identity_leakage_knn"

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return leakage.evaluate(outputs(features, subjects, expressions))[self.key]
