"""The mutual information gap of Chen et al. (NeurIPS 2018), as Locatello et al. (ICML 2019) compute it.

MIG = mean over factors v of (I(z_a; v) - I(z_b; v)) / H(v),   z_a and z_b the dimensions that tell most about v
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.factors import entropy, gaps, mutual_information
from ferbench.evaluation.measures.probes import finite


def mig(features: np.ndarray, factors: dict[str, np.ndarray]) -> dict[str, float]:
    """The gap of each factor, 0 to 1; 1 where a single dimension tells all of it.

    >>> grid = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> mig(grid.astype(float), {"shape": grid[:, 0], "colour": grid[:, 1]})
    {'shape': 1.0, 'colour': 1.0}

    Args:
        features: (N, D), float. factors: by name (N,), int, levels from 0, each with at least two.

    Raises:
        NotMeasurable: features are not finite.
    """
    finite(features, "MIG")
    scale = np.array([entropy(codes) for codes in factors.values()])
    return dict(zip(factors, map(float, gaps(mutual_information(features, factors)) / scale), strict=True))
