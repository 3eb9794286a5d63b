"""Probes that the representation metrics share: standardised features, regularisation by inner cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ferbench.errors import NotMeasurable

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


def kernel_machine(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Pipeline:
    """A support vector machine with a Gaussian kernel on standardised features: the probe of what no plane separates.

    >>> codes = np.array([[0.0], [1.0], [2.0], [0.1], [1.1], [2.1]])
    >>> kernel_machine(codes, np.array(list("abaaba")), np.zeros(6)).predict(np.array([[1.0], [2.0]])).tolist()
    ['b', 'a']

    Args:
        features: (N, D). labels: (N,), at least two. groups: not used.
    """
    return make_pipeline(StandardScaler(), SVC(C=10.0, gamma="scale")).fit(features, labels)


@dataclass(frozen=True, eq=False)
class Probed:
    """What probes that were fitted on some groups answered for the frames of the others.

    Attributes:
        labels, predicted: (N,), true and predicted label of each frame.
        known: (N,), bool, whether the label of the frame was among those that its probe was fitted on.
        fold: (N,), int, number of the probe that answered; -1 for frames for which none could be fitted.
    """

    labels: np.ndarray
    predicted: np.ndarray
    known: np.ndarray
    fold: np.ndarray

    def above_chance(self, strata: np.ndarray | None = None) -> np.ndarray:
        """(N,): of each frame 1 if its label was predicted, less the share of frames of other labels for which the same label was
        predicted; NaN where the frame was not known or there are no others to compare with.

        The mean over the frames of a label, and of that over labels, is the informedness of the probe: 1 where it is always
        right, 0 in expectation where features say nothing about labels, however unequal the numbers of frames are, since then the
        label is predicted for its own frames as often as for those of others. Where all labels have as many frames, it is
        (a - c) / (1 - c) with the accuracy a and c = 1 / labels.

        Args:
            strata: (N,), frames are compared within one stratum (and fold) only.
        """
        found = np.full(len(self.labels), np.nan)
        _, codes = np.unique(np.concatenate([self.labels, self.predicted]), return_inverse=True)
        labels, predicted = codes[: len(self.labels)], codes[len(self.labels) :]
        cells = self.fold if strata is None else np.stack([self.fold, np.unique(strata, return_inverse=True)[1]], 1)
        _, cell = np.unique(cells, axis=0, return_inverse=True)
        for number in np.unique(cell[self.fold >= 0]):
            rows = np.flatnonzero(cell == number)
            own, said = labels[rows], predicted[rows]
            alike = own[:, None] == own[None, :]
            others = (~alike).sum(1)
            wrongly = ((said[None, :] == own[:, None]) & ~alike).sum(1)
            known = self.known[rows] & (others > 0)
            value = (said == own) - wrongly / np.maximum(others, 1)
            found[rows[known]] = value[known]
        return found


def cross_probe(probe: Probe, features: np.ndarray, labels: np.ndarray, groups: np.ndarray, folds: int = 3) -> Probed:
    """Fit a probe on some groups and let it predict the labels of the others; each group is predicted once.

    >>> labels, groups = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    >>> float(cross_probe(nearest_neighbours, np.eye(2)[labels], labels, groups).above_chance().mean())
    1.0

    Args:
        probe: how to fit one.
        features: (N, D); labels, groups: (N,), at least two groups.
        folds: into how many parts the groups are divided, at most.
    """
    predicted, known = labels.copy(), np.zeros(len(labels), dtype=bool)
    fold = np.full(len(labels), -1)
    splits = GroupKFold(min(folds, len(np.unique(groups)))).split(features, labels, groups)
    for number, (fit, test) in enumerate(splits):
        if len(np.unique(labels[fit])) < 2:
            continue
        predicted[test] = probe(features[fit], labels[fit], groups[fit]).predict(features[test])
        known[test] = np.isin(labels[test], labels[fit])
        fold[test] = number
    return Probed(labels, predicted, known, fold)


def finite(features: np.ndarray, metric: str) -> None:
    """Raise NotMeasurable if features (N, D) of some frames are NaN or infinite."""
    if bad := int((~np.isfinite(features).all(axis=1)).sum()):
        raise NotMeasurable(
            f"{metric} cannot be measured: the features of {bad} of {len(features)} frames are NaN or infinite."
        )
