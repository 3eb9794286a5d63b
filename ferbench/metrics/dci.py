"""Disentanglement, completeness, informativeness; ferbench.evaluation.measures.dci has the equations."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.dci import PARTS, dci
from ferbench.metrics.base import FactorMetric


class DCI(FactorMetric):
    """Disentanglement, completeness or informativeness (Eastwood and Williams, ICLR 2018), each 0 to 1; higher is better.

    >>> import torch
    >>> grid = torch.cartesian_prod(torch.arange(2), torch.arange(2)).repeat(20, 1)
    >>> metric = DCI()
    >>> metric.update(grid.float(), grid)
    >>> float(metric.compute()) > 0.8
    True

    Args:
        part: "disentanglement", "completeness" or "informativeness".
    """

    higher_is_better = True

    def __init__(self, part: str = "disentanglement", **settings: object) -> None:
        super().__init__(**settings)
        if part not in PARTS:
            raise ValueError(f"part is '{part}'; it can be {', '.join(PARTS)}.")
        self.part = part

    def score(self, features: np.ndarray, factors: dict[str, np.ndarray]) -> float:
        return dci(features, factors, self.fitted_half(features, factors))[self.part]
