"""Scores of confusion counts, and the weight that each count has in them. numpy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


def accuracy(tables: Array) -> Array:
    """Share of frames on the diagonal.

    >>> float(accuracy(np.array([[3, 1], [0, 4]])))
    0.875

    Args:
        tables: (..., C, C), confusion counts, true classes in rows.

    Returns:
        (...), 0 to 1; 0 without frames.
    """
    result: np.ndarray = np.trace(tables, axis1=-2, axis2=-1) / np.maximum(tables.sum((-2, -1)), 1)
    return result


def balanced_accuracy(tables: Array) -> Array:
    """Mean recall over the classes that occur: (..., C, C), true classes in rows -> (...), 0 to 1.

    >>> float(balanced_accuracy(np.array([[2, 2, 0], [0, 4, 0], [0, 0, 0]])))
    0.75
    """
    support = tables.sum(-1)
    recall = np.diagonal(tables, axis1=-2, axis2=-1) / np.maximum(support, 1)
    present = support > 0
    result: np.ndarray = (recall * present).sum(-1) / np.maximum(present.sum(-1), 1)
    return result


def macro_f1(tables: Array) -> Array:
    """Mean F1 = 2 TP / (true + predicted) over the classes that occur in labels or predictions: (..., C, C), true classes in
    rows -> (...), 0 to 1.

    >>> float(macro_f1(np.array([[1, 1], [1, 1]])))
    0.5
    """
    both = tables.sum(-1) + tables.sum(-2)
    f1 = 2 * np.diagonal(tables, axis1=-2, axis2=-1) / np.maximum(both, 1)
    present = both > 0
    result: np.ndarray = (f1 * present).sum(-1) / np.maximum(present.sum(-1), 1)
    return result


def accuracy_gradient(table: Array) -> Array:
    """Partial derivatives of `accuracy`: (C, C) counts -> (C, C).

    >>> accuracy_gradient(np.array([[3, 1], [0, 4]])).round(4).tolist()
    [[0.0156, -0.1094], [-0.1094, 0.0156]]
    """
    result: np.ndarray = (np.eye(len(table)) - accuracy(table)) / max(table.sum(), 1)
    return result


def balanced_accuracy_gradient(table: Array) -> Array:
    """Partial derivatives of `balanced_accuracy`: (C, C) counts -> (C, C); 0 in the rows of classes that do not occur."""
    support = table.sum(1)
    recall = np.diagonal(table) / np.maximum(support, 1)
    scale = np.where(support > 0, 1 / np.maximum(support, 1), 0) / max(int((support > 0).sum()), 1)
    result: np.ndarray = (np.eye(len(table)) - recall[:, None]) * scale[:, None]
    return result


def macro_f1_gradient(table: Array) -> Array:
    """Partial derivatives of `macro_f1`: (C, C) counts -> (C, C)."""
    both = table.sum(0) + table.sum(1)
    f1 = 2 * np.diagonal(table) / np.maximum(both, 1)
    scale = np.where(both > 0, 1 / np.maximum(both, 1), 0) / max(int((both > 0).sum()), 1)
    result: np.ndarray = np.diag(2 * scale) - (f1 * scale)[:, None] - (f1 * scale)[None, :]
    return result


@dataclass(frozen=True)
class CountedScore:
    """A score of confusion counts.

    Attributes:
        value: (..., C, C) counts -> (...), 0 to 1.
        gradient: (C, C) counts -> (C, C): by how much the score changes with each count. The score does not change if all counts
            are multiplied by one number, so that the sum of counts times gradient is 0.
        by_class: whether every class has the same weight, and not every frame.
    """

    value: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    by_class: bool = True

    def frames(self, table: Array) -> float:
        """The number of independent frames, of all classes alike, that would say as much as `table` if frames were independent:
        N for accuracy, C^2 / sum(1 / N_c) where classes have equal weight."""
        support = table.sum(1)
        support = support[support > 0]
        if not len(support):
            return 0.0
        return float(len(support) ** 2 / (1 / support).sum()) if self.by_class else float(support.sum())


SCORES: dict[str, CountedScore] = {
    "accuracy": CountedScore(accuracy, accuracy_gradient, by_class=False),
    "balanced_accuracy": CountedScore(balanced_accuracy, balanced_accuracy_gradient),
    "macro_f1": CountedScore(macro_f1, macro_f1_gradient),
}
