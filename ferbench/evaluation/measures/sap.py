"""Separated attribute predictability: Kumar et al. (ICLR 2018), as Locatello et al. (ICML 2019) compute it for discrete factors.

SAP = mean over factors of (accuracy of the best dimension - accuracy of the second best),
each by a linear SVM (C = 0.01, classes balanced) that sees that dimension alone, on frames it was not fitted on. Unlike there,
dimensions are standardised first: with a fixed C, the score would otherwise depend on the scale of the features. The problem is
solved in its primal form, whose solution does not depend on the order of frames or on random numbers.
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.factors import gaps
from ferbench.evaluation.measures.probes import finite


def sap(features: np.ndarray, factors: dict[str, np.ndarray], fit: np.ndarray) -> dict[str, float]:
    """The gap of each factor, 0 to 1.

    >>> factor = np.tile([0, 1], 20)
    >>> sap(np.stack([factor, np.zeros(40)], 1), {"shape": factor}, np.arange(40) < 20)
    {'shape': 0.5}

    Args:
        features: (N, D), float. factors: by name (N,), int. fit: (N,), bool, the frames to fit on; the others are scored.

    Raises:
        NotMeasurable: features are not finite.
    """
    finite(features, "SAP")
    return dict(zip(factors, map(float, gaps(sap_scores(features, factors, fit))), strict=True))


def sap_scores(features: np.ndarray, factors: dict[str, np.ndarray], fit: np.ndarray) -> np.ndarray:
    """(D, F): the accuracy of each dimension (N, D) in telling each factor (N,), on the frames that are not in `fit`, (N,) bool.
    Dimensions are standardised first; 0 for a factor that does not vary where it is fitted."""
    from sklearn.svm import LinearSVC

    spread = features[fit].std(0)
    standard = (features - features[fit].mean(0)) / np.where(spread > 0, spread, 1)
    found = np.zeros((features.shape[1], len(factors)))
    for column, codes in enumerate(factors.values()):
        if len(np.unique(codes[fit])) < 2:
            continue
        for dimension in range(features.shape[1]):
            seen = standard[:, [dimension]]
            model = LinearSVC(C=0.01, class_weight="balanced", dual=False).fit(seen[fit], codes[fit])
            found[dimension, column] = model.score(seen[~fit], codes[~fit])
    return found
