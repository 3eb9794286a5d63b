"""The mutual information gap of Chen et al. (NeurIPS 2018), as Locatello et al. (ICML 2019) compute it.

MIG = mean over factors v of (I(z_a; v) - I(z_b; v)) / H(v),   z_a and z_b the dimensions that tell most about v
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.factors import entropy, gaps, mutual_information
from ferbench.metrics.base import FactorMetric


def mig(features: np.ndarray, factors: dict[str, np.ndarray]) -> dict[str, float]:
    """The gap of each factor. features (N, D); factors (N,) int, from 0."""
    scale = np.array([entropy(codes) for codes in factors.values()])
    return dict(zip(factors, map(float, gaps(mutual_information(features, factors)) / scale), strict=True))


class MIG(FactorMetric):
    """0 to 1; higher is better: each factor stands in one dimension."""

    higher_is_better = True

    def score(self, features: np.ndarray, factors: dict[str, np.ndarray]) -> float:
        return float(np.mean(list(mig(features, factors).values())))
