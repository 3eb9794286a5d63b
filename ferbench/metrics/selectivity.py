"""The one number that a disentangling method should raise:

    selectivity = expression_probe - identity_leakage

both normalised to chance: 1 knows all of expression and nothing of identity, 0 as much of both, -1 the reverse.
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation import selectivity
from ferbench.metrics.base import FeatureMetric, outputs


class Selectivity(FeatureMetric):
    """Higher is better."""

    higher_is_better = True

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return selectivity.evaluate(outputs(features, subjects, expressions))["selectivity"]
