"""What a linear probe finds out about expression; ferbench.evaluation.measures.expression_probe has the equation."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.expression_probe import expression_probe
from ferbench.metrics.base import FeatureMetric


class ExpressionProbe(FeatureMetric):
    """How much more often a linear probe names an expression for its own frames than for those of others, on people that it was not
    fitted on. At most 1, chance is 0; higher is better.

    >>> import torch
    >>> subjects = torch.arange(4).repeat_interleave(9)
    >>> expressions = torch.arange(3).repeat_interleave(3).repeat(4)
    >>> metric = ExpressionProbe()
    >>> metric.update(torch.eye(3)[expressions], subjects, expressions)
    >>> round(float(metric.compute()), 2)
    1.0
    """

    higher_is_better = True

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return expression_probe(features, subjects, expressions)
