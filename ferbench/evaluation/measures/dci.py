"""Disentanglement, completeness, informativeness: Eastwood and Williams (ICLR 2018).

R (D, F): importance of each dimension for telling each factor, by a random forest (one of the two regressors of the paper;
Locatello et al. use gradient boosted trees, which take 100 times as long with as many classes as subjects). Each split may use any
dimension: if it may use some of them only, as is usual in forests, a perfect code of few dimensions gets 0.3 instead of 1.
disentanglement = sum_i rho_i (1 - H_F(R_i / sum)),   rho_i the share of dimension i in all importance, H_F to base F
completeness    = sum_j rho_j (1 - H_D(R_j / sum)),   rho_j the share of factor j in all importance, H_D to base D
informativeness = mean accuracy of the forests, on frames that they were not fitted on
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.probes import finite

PARTS = ("disentanglement", "completeness", "informativeness")
TREES = 30
"""With any dimension at each split, as good as 100 and in a third of the time."""


def dci(features: np.ndarray, factors: dict[str, np.ndarray], fit: np.ndarray) -> dict[str, float]:
    """The three parts by name, each 0 to 1.

    >>> grid = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 20)
    >>> found = dci(grid.astype(float), {"shape": grid[:, 0], "colour": grid[:, 1]}, np.arange(80) < 40)
    >>> {part: value > 0.9 for part, value in found.items()}
    {'disentanglement': True, 'completeness': True, 'informativeness': True}

    Args:
        features: (N, D), float. factors: by name (N,), int. fit: (N,), bool, the frames to fit on; the others are scored.

    Raises:
        NotMeasurable: features are not finite.
    """
    finite(features, "DCI")
    importance, right = importances(features, factors, fit)
    parts = (disentanglement(importance), completeness(importance), float(right.mean()))
    return dict(zip(PARTS, parts, strict=True))


def importances(features: np.ndarray, factors: dict[str, np.ndarray], fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D, F) importances of the dimensions for each factor, and (F,) accuracies of the forests; arguments as of `dci`."""
    from sklearn.ensemble import RandomForestClassifier

    order = np.lexsort(
        [*features.T, *factors.values()]
    )  # trees draw frames by their number: the given order must not matter
    features, fit, factors = features[order], fit[order], {name: codes[order] for name, codes in factors.items()}
    found, right = np.zeros((features.shape[1], len(factors))), np.zeros(len(factors))
    for column, codes in enumerate(factors.values()):
        forest = RandomForestClassifier(TREES, max_features=None, random_state=0).fit(features[fit], codes[fit])
        found[:, column] = forest.feature_importances_
        right[column] = forest.score(features[~fit], codes[~fit])
    return found, right


def disentanglement(importance: np.ndarray) -> float:
    """(D, F) importances -> 1 where each dimension matters for one factor, 0 where each matters as much for all.

    >>> disentanglement(np.array([[1.0, 0.0], [0.0, 1.0]])), round(disentanglement(np.ones((2, 2))), 6)
    (1.0, 0.0)
    """
    whole = importance.sum()
    if whole <= 0:
        return 0.0
    return float((importance.sum(1) / whole * (1 - _entropy(importance, axis=1))).sum())


def completeness(importance: np.ndarray) -> float:
    """(D, F) importances -> 1 where each factor stands in one dimension, 0 where all dimensions matter alike for it.

    >>> completeness(np.array([[1.0, 1.0], [0.0, 0.0]]))
    1.0
    """
    whole = importance.sum()
    if whole <= 0:
        return 0.0
    return float((importance.sum(0) / whole * (1 - _entropy(importance, axis=0))).sum())


def _entropy(importance: np.ndarray, axis: int) -> np.ndarray:
    """To the base of the number of entries."""
    shares = importance / np.maximum(importance.sum(axis, keepdims=True), 1e-12)
    logs = np.log(np.where(shares > 0, shares, 1))
    result: np.ndarray = -(shares * logs).sum(axis) / np.log(max(importance.shape[axis], 2))
    return result
