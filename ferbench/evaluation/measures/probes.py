"""Probes that the representation metrics share: standardised features, regularisation by inner cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ferbench.errors import NotMeasurable
from ferbench.evaluation.measures.logistic import Problem, solve

Split = tuple[np.ndarray, np.ndarray]
"""Rows that a probe is fitted on, and rows whose labels it then says."""

Probe = Callable[[np.ndarray, np.ndarray, np.ndarray, Sequence[Split]], list[np.ndarray]]
"""(features (N, D), labels (N,), groups (N,), splits) -> of each split the labels that a probe says for its second rows, fitted
on its first. Splits have at least two labels to be fitted on. All are given at once, so that they can be worked out together."""

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Values of C (inverse regularisation) that the inner cross-validation chooses from."""


@dataclass(frozen=True)
class LinearProbe:
    """Multinomial logistic regression on standardised features; C by inner cross-validation over groups. All fits of a call are
    solved together: see ferbench.evaluation.measures.logistic.

    >>> labels, groups = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    >>> LinearProbe()(np.eye(2)[labels], labels, groups, [(np.arange(8), np.arange(8, 12))])[0].tolist()
    [0, 1, 0, 1]

    Attributes:
        device: of torch, where they are solved; in float32 on a CPU, in float64 elsewhere, where float32 may be cut short (TF32).
    """

    device: str = "cpu"

    def __call__(
        self, features: np.ndarray, labels: np.ndarray, groups: np.ndarray, splits: Sequence[Split]
    ) -> list[np.ndarray]:
        names, codes = np.unique(labels, return_inverse=True)
        numbers = torch.as_tensor(codes, device=self.device)
        standard = [self._tensor(StandardScaler().fit(features[fit]).transform(features)) for fit, _ in splits]
        strengths = self._tensor(np.array(STRENGTHS))
        inner = [
            (split, fit[chosen], fit[score])
            for split, (fit, _) in enumerate(splits)
            for chosen, score in _usable(labels[fit], groups[fit])
        ]
        fits = solve([Problem(standard[split][fit], numbers[fit], strengths) for split, fit, _ in inner])
        scores = np.zeros((len(splits), len(STRENGTHS)))
        for (split, _, score), planes in zip(inner, fits, strict=True):
            said = planes.predict(standard[split][score]).cpu().numpy()
            scores[split] += [balanced_accuracy(codes[score], each) for each in said]
        chosen = strengths[torch.as_tensor(scores.argmax(1))]
        final = solve(
            [Problem(standard[split][fit], numbers[fit], chosen[split, None]) for split, (fit, _) in enumerate(splits)]
        )
        return [
            names[planes.predict(standard[split][test])[0].cpu().numpy()]
            for split, (planes, (_, test)) in enumerate(zip(final, splits, strict=True))
        ]

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        precision = torch.float32 if self.device == "cpu" else torch.float64
        return torch.as_tensor(values, dtype=precision, device=self.device)


linear_probe = LinearProbe()
"""The linear probe on the CPU."""


def balanced_accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the labels that occur, 0 to 1; labels, predicted: (N,), at least one.

    >>> balanced_accuracy(np.array([0, 0, 1]), np.array([0, 1, 1]))
    0.75
    """
    _, inverse = np.unique(labels, return_inverse=True)
    hits = np.bincount(inverse, weights=labels == predicted)
    return float(np.mean(hits / np.bincount(inverse)))


def nearest_neighbours(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, splits: Sequence[Split]
) -> list[np.ndarray]:
    """The label of the nearest standardised feature, by cosine: the probe that needs no linear structure.

    >>> codes, labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]]), np.array(["a", "b", "a"])
    >>> nearest_neighbours(codes, labels, np.arange(3), [(np.array([0, 1]), np.array([2]))])[0].tolist()
    ['a']
    """
    return [
        KNeighborsClassifier(1, metric="cosine").fit(own, labels[fit]).predict(others)
        for (fit, _), (own, others) in zip(splits, _standardised(features, splits), strict=True)
    ]


def kernel_machine(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, splits: Sequence[Split]
) -> list[np.ndarray]:
    """A support vector machine with a Gaussian kernel on standardised features: the probe of what no plane separates.
    scikit-learn's SVC with C = 10 and gamma = 1 / (D * variance of all entries), whose kernel is worked out beforehand.

    >>> codes, labels = np.array([[0.0], [1.0], [2.0], [0.1], [1.1], [2.1]]), np.array(list("abaaba"))
    >>> kernel_machine(codes, labels, np.zeros(6), [(np.arange(3), np.array([4, 5]))])[0].tolist()
    ['b', 'a']
    """
    said = []
    for (fit, _), (own, others) in zip(splits, _standardised(features, splits), strict=True):
        gamma = 1 / (own.shape[1] * (own.var() or 1.0))
        machine = SVC(C=10.0, kernel="precomputed").fit(rbf_kernel(own, gamma=gamma), labels[fit])
        said.append(machine.predict(rbf_kernel(others, own, gamma=gamma)))
    return said


def _standardised(features: np.ndarray, splits: Sequence[Split]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each split the features of both its rows, standardised by the first."""
    for fit, test in splits:
        scaler = StandardScaler().fit(features[fit])
        yield scaler.transform(features[fit]), scaler.transform(features[test])


def _usable(labels: np.ndarray, groups: np.ndarray) -> list[Split]:
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
        probe: what is fitted.
        features: (N, D); labels, groups: (N,), at least two groups.
        folds: into how many parts the groups are divided, at most.
    """
    predicted, known = labels.copy(), np.zeros(len(labels), dtype=bool)
    fold = np.full(len(labels), -1)
    splits = [
        (fit, test)
        for fit, test in GroupKFold(min(folds, len(np.unique(groups)))).split(features, labels, groups)
        if len(np.unique(labels[fit])) > 1
    ]
    for number, ((fit, test), said) in enumerate(zip(splits, probe(features, labels, groups, splits), strict=True)):
        predicted[test] = said
        known[test] = np.isin(labels[test], labels[fit])
        fold[test] = number
    return Probed(labels, predicted, known, fold)


def finite(features: np.ndarray, metric: str) -> None:
    """Raise NotMeasurable if features (N, D) of some frames are NaN or infinite."""
    if bad := int((~np.isfinite(features).all(axis=1)).sum()):
        raise NotMeasurable(
            f"{metric} cannot be measured: the features of {bad} of {len(features)} frames are NaN or infinite."
        )
