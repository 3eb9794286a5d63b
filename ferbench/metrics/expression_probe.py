"""What a linear probe finds out about expression, on subjects that it was not fitted on: docs/reference/evaluation.md."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation import expression_probe
from ferbench.metrics.base import FeatureMetric, outputs


class ExpressionProbe(FeatureMetric):
    """At most 1, chance is 0; higher is better."""

    higher_is_better = True

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return expression_probe.evaluate(outputs(features, subjects, expressions))["expression_probe"]
