"""Probes that the representation metrics share: standardised features, regularisation by inner cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Probe = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
"""(features (N, D), labels (N,), groups (N,)) -> something fitted, whose `predict` takes features (M, D) and gives labels (M,)."""

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Values of C (inverse regularisation) that the inner cross-validation chooses from."""


class LinearProbe:
    """Multinomial logistic regression on standardised features; C by inner cross-validation over groups.

    The fits along C start from one another, in float32 and to a tolerance of 1e-2: an eighth of the time of separate
    fits to 1e-3, for leakages that differ by less than 0.04 (docs/performance.md).
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> None:
        self.scaler = StandardScaler().fit(features)
        standard = self._standardise(features)
        scores = np.zeros(len(STRENGTHS))
        for fit, score in _usable(labels, groups):
            model = self._model().set_params(warm_start=True)
            for index, strength in enumerate(STRENGTHS):
                fitted(model.set_params(C=strength), standard[fit], labels[fit])
                scores[index] += balanced_accuracy(labels[score], model.predict(standard[score]))
        self.strength = STRENGTHS[int(scores.argmax())]
        self.model = fitted(self._model().set_params(C=self.strength), standard, labels)

    @staticmethod
    def _model() -> LogisticRegression:
        return LogisticRegression(max_iter=200, tol=1e-2)

    def _standardise(self, features: np.ndarray) -> np.ndarray:
        result: np.ndarray = self.scaler.transform(features).astype(np.float32)
        return result

    def predict(self, features: np.ndarray) -> np.ndarray:
        result: np.ndarray = self.model.predict(self._standardise(features))
        return result


def fitted(model: Any, features: np.ndarray, labels: np.ndarray) -> Any:
    """The model, fitted to features (N, D) and labels (N,); a probe that stops at its last iteration is a weaker probe, not an
    error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, labels)


def balanced_accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the labels that occur, 0 to 1; labels, predicted: (N,), at least one.

    >>> balanced_accuracy(np.array([0, 0, 1]), np.array([0, 1, 1]))
    0.75
    """
    _, inverse = np.unique(labels, return_inverse=True)
    hits = np.bincount(inverse, weights=labels == predicted)
    return float(np.mean(hits / np.bincount(inverse)))


def nearest_neighbours(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Pipeline:
    """The label of the nearest standardised feature, by cosine: the probe that needs no linear structure.

    >>> codes = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> nearest_neighbours(codes, np.array(["a", "b"]), np.array([0, 0])).predict(codes).tolist()
    ['a', 'b']

    Args:
        features: (N, D). labels: (N,). groups: not used.
    """
    return make_pipeline(StandardScaler(), KNeighborsClassifier(1, metric="cosine")).fit(features, labels)


def _usable(labels: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inner folds by group in which something can be fitted and scored."""
    count = min(3, len(np.unique(groups)))
    if count < 2:
        return []
    folds = GroupKFold(count).split(labels, labels, groups)
    found = []
    for fit, score in folds:
        known = score[np.isin(labels[score], labels[fit])]
        if len(np.unique(labels[fit])) > 1 and len(np.unique(labels[known])) > 1:
            found.append((fit, known))
    return found


def cross_probe(
    probe: Probe,
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[Any] | np.ndarray,
    folds: int = 3,
) -> float:
    """How well a probe, fitted on some groups, tells the labels on the others; each group is tested once.

    >>> labels, groups = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    >>> cross_probe(nearest_neighbours, np.eye(2)[labels], labels, groups, [0, 1])
    1.0

    Args:
        probe: how to fit one.
        features: (N, D); labels, groups: (N,), at least two groups; classes: all labels, at least two.
        folds: into how many parts the groups are divided, at most.

    Returns:
        (a - c) / (1 - c) of the balanced accuracy a, pooled over the folds, and chance c = 1 / len(classes): 0 is chance,
        1 is perfect, and less than 0 is possible.
    """
    predicted = np.empty(len(labels), dtype=labels.dtype)
    tested = np.zeros(len(labels), dtype=bool)
    for fit, test in GroupKFold(min(folds, len(np.unique(groups)))).split(features, labels, groups):
        known = test[np.isin(labels[test], labels[fit])]
        predicted[known] = probe(features[fit], labels[fit], groups[fit]).predict(features[known])
        tested[known] = True
    accuracy = balanced_accuracy(labels[tested], predicted[tested])
    chance = 1 / len(classes)
    return float((accuracy - chance) / (1 - chance))
