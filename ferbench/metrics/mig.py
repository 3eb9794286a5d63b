"""The mutual information gap; ferbench.evaluation.measures.mig has the equation."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.mig import mig
from ferbench.metrics.base import FactorMetric


class MIG(FactorMetric):
    """The mutual information gap (Chen et al., NeurIPS 2018): by how much one dimension knows more of a factor than the next, as
    a mean over the factors. 0 to 1; higher is better: each factor stands in one dimension.

    >>> import torch
    >>> grid = torch.cartesian_prod(torch.arange(2), torch.arange(2)).repeat(20, 1)
    >>> metric = MIG()
    >>> metric.update(grid.float(), grid)
    >>> round(float(metric.compute()), 1)
    1.0
    """

    higher_is_better = True

    def score(self, features: np.ndarray, factors: dict[str, np.ndarray]) -> float:
        return float(np.mean(list(mig(features, factors).values())))
