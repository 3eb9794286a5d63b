"""Separated attribute predictability: Kumar et al. (ICLR 2018), as Locatello et al. (ICML 2019) compute it for discrete factors.

SAP = mean over factors of (accuracy of the best dimension - accuracy of the second best),
each by a linear SVM (C = 0.01, classes balanced) that sees that dimension alone, on frames it was not fitted on
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.factors import gaps
from ferbench.metrics.base import FactorMetric


def sap_scores(features: np.ndarray, factors: dict[str, np.ndarray], fit: np.ndarray) -> np.ndarray:
    """(D, F): accuracy on the frames that are not in `fit`, (N,) bool. Dimensions are standardised first."""
    from sklearn.svm import LinearSVC

    spread = features[fit].std(0)
    standard = (features - features[fit].mean(0)) / np.where(spread > 0, spread, 1)
    found = np.zeros((features.shape[1], len(factors)))
    for column, codes in enumerate(factors.values()):
        if len(np.unique(codes[fit])) < 2:
            continue
        for dimension in range(features.shape[1]):
            seen = standard[:, [dimension]]
            model = LinearSVC(C=0.01, class_weight="balanced").fit(seen[fit], codes[fit])
            found[dimension, column] = model.score(seen[~fit], codes[~fit])
    return found


class SAP(FactorMetric):
    """0 to 1; higher is better."""

    higher_is_better = True

    def score(self, features: np.ndarray, factors: dict[str, np.ndarray]) -> float:
        return float(gaps(sap_scores(features, factors, self.random_half(len(features)))).mean())
