"""Statistics of records: scores from confusion counts, and intervals by resampling subjects. numpy and scipy only.

Frames of one subject are not independent, and folds share training data; so intervals come from resampling subjects,
whose predictions are made by models that never saw them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
DRAWS = 2000


def accuracy(tables: Array) -> Array:
    """tables: (..., C, C) confusion counts, rows true -> (...): share of frames on the diagonal."""
    return np.trace(tables, axis1=-2, axis2=-1) / np.maximum(tables.sum((-2, -1)), 1)


def balanced_accuracy(tables: Array) -> Array:
    """Mean recall over the classes that occur."""
    support = tables.sum(-1)
    recall = np.diagonal(tables, axis1=-2, axis2=-1) / np.maximum(support, 1)
    present = support > 0
    return (recall * present).sum(-1) / np.maximum(present.sum(-1), 1)


def macro_f1(tables: Array) -> Array:
    """Mean F1 = 2 TP / (true + predicted) over the classes that occur in labels or predictions."""
    both = tables.sum(-1) + tables.sum(-2)
    f1 = 2 * np.diagonal(tables, axis1=-2, axis2=-1) / np.maximum(both, 1)
    present = both > 0
    return (f1 * present).sum(-1) / np.maximum(present.sum(-1), 1)


SCORES: dict[str, Callable[[Array], Array]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
}


def bootstrap_by_subject(
    tables: Array, score: Callable[[Array], Array], draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of a score, subjects resampled with replacement (cluster bootstrap).

    Args:
        tables: (S, C, C), confusion counts of each subject.
        score: from (..., C, C) to (...).

    Returns:
        (low, high); NaN for fewer than two subjects.
    """
    subjects = len(tables)
    if subjects < 2:
        return float("nan"), float("nan")
    counts = np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=draws)
    resampled = np.tensordot(counts, tables, axes=1)
    low, high = np.quantile(score(resampled), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of a mean; NaN for fewer than two values."""
    from scipy import stats

    if len(values) < 2:
        return float("nan"), float("nan")
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    if spread == 0:
        return float(np.mean(values)), float(np.mean(values))
    low, high = stats.t.interval(level, len(values) - 1, loc=float(np.mean(values)), scale=spread)
    return float(low), float(high)
