"""Whether a stranger can be recognised across expressions; ferbench.evaluation.measures.identity_auc has the equation."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.identity_auc import identity_auc
from ferbench.metrics.base import FeatureMetric


class IdentityAUC(FeatureMetric):
    """The probability that two frames of one person are more alike, by cosine, than two of different people, each pair with two
    expressions. 0 to 1, 0.5 is chance; lower is better for a representation of expression.

    >>> import torch
    >>> metric = IdentityAUC()
    >>> metric.update(torch.eye(2)[[0, 0, 1, 1]], torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]))
    >>> float(metric.compute())
    1.0
    """

    higher_is_better = False

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return identity_auc(features, subjects, expressions)
