"""The one number that a disentangling method should raise; ferbench.evaluation.measures.selectivity has the equation."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.selectivity import selectivity
from ferbench.metrics.base import FeatureMetric


class Selectivity(FeatureMetric):
    """`ExpressionProbe` minus `IdentityLeakage`: 1 knows all of expression and nothing of identity, 0 as much of both, -1 the
    reverse; higher is better.

    >>> import torch
    >>> subjects = torch.arange(4).repeat_interleave(9)
    >>> expressions = torch.arange(3).repeat_interleave(3).repeat(4)
    >>> metric = Selectivity()
    >>> metric.update(torch.eye(3)[expressions], subjects, expressions)
    >>> float(metric.compute()) > 0.9
    True
    """

    higher_is_better = True

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return selectivity(features, subjects, expressions)
