"""Separated attribute predictability; ferbench.evaluation.measures.sap has the equation."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.sap import sap
from ferbench.metrics.base import FactorMetric


class SAP(FactorMetric):
    """Separated attribute predictability (Kumar et al., ICLR 2018): by how much one dimension predicts a factor better than the
    next, as a mean over the factors. 0 to 1; higher is better.

    >>> import torch
    >>> grid = torch.cartesian_prod(torch.arange(2), torch.arange(2)).repeat(20, 1)
    >>> metric = SAP()
    >>> metric.update(grid.float(), grid)
    >>> abs(float(metric.compute()) - 0.5) < 0.15
    True
    """

    higher_is_better = True

    def score(self, features: np.ndarray, factors: dict[str, np.ndarray]) -> float:
        return float(np.mean(list(sap(features, factors, self.fitted_half(features, factors)).values())))
