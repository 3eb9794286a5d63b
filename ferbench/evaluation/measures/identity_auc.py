"""Verification: can a stranger be recognised across expressions?

    AUC = P(cos(f_i, f_j) > cos(f_k, f_l)),   i, j of one subject and k, l of two, each pair of two expressions

with features f centred over all frames. 0.5: nothing to tell; 1: every pair of one subject is nearer than every pair of two. Lower
is better for a representation of expression. The protocol of pairs is that of face verification; across expressions, so that the
expression itself cannot help. Without centring, a constant that is added to all features makes all pairs look alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ferbench.errors import NotMeasurable
from ferbench.evaluation.measures.probes import finite

AT_ONCE = 2**22
"""Similarities that are held in memory at a time."""


def identity_auc(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """How often a pair of frames of one subject is more alike than a pair of two subjects: the mean of `identity_auc_by_subject`.

    >>> subjects, expressions = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> identity_auc(np.eye(2)[subjects], subjects, expressions)
    1.0
    >>> identity_auc(np.ones((4, 2)), subjects, expressions)
    0.5
    """
    return float(np.mean(list(identity_auc_by_subject(features, subjects, expressions).values())))


def identity_auc_by_subject(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> dict[Any, float]:
    """What each subject contributes to the AUC: by how much its pairs with itself and with others raise it above the AUC of all,
    as leaving the subject out would show to first order. A pair of two subjects counts for both.

    All pairs count, in memory that does not grow with their number.

    Args:
        features: (N, D), float. subjects, expressions: (N,), any labels.

    Returns:
        By subject; the mean is the AUC, 0 to 1 and 0.5 for chance, where ties count half.

    Raises:
        NotMeasurable: there is no pair of one subject, or none of two, with two expressions; or features are not finite.
    """
    finite(features, "identity_auc")
    unit = features - features.mean(axis=0, dtype=np.float64)
    unit = (unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    names, owner = np.unique(subjects, return_inverse=True)
    _, shown = np.unique(expressions, return_inverse=True)
    same, same_owner = _pairs_of_one(unit, owner, shown)
    order = np.argsort(same, kind="stable")
    ranked, size = same[order], len(names)
    below = np.zeros(len(ranked) + 1)
    above, of_others = np.zeros(size), np.zeros(size)
    for rows, similarity, apart in _blocks(unit, owner, shown):
        values = similarity[apart]
        left, right = np.searchsorted(ranked, values, "left"), np.searchsorted(ranked, values, "right")
        # half of a pair counts as lower from `left` on and half from `right` on: ties count half
        below += (np.bincount(left, minlength=len(below)) + np.bincount(right, minlength=len(below))) / 2
        higher = np.zeros(apart.shape, np.float32)
        higher[apart] = len(ranked) - (left + right) / 2
        for sums, table in ((above, higher), (of_others, apart)):
            sums += np.bincount(owner[rows], table.sum(1, dtype=np.float64), size) / 2
            sums += np.bincount(owner, table.sum(0, dtype=np.float64), size) / 2
    unlike = of_others.sum()
    if not len(same) or not unlike:
        raise NotMeasurable(
            "identity_auc needs pairs of one subject and of two, each with two expressions; this fold has none."
        )
    lower = np.cumsum(below)[:-1]
    auc = lower.sum() / (len(ranked) * unlike)
    from_same = np.bincount(same_owner[order], lower / unlike - auc, size) / len(ranked)
    from_others = (above / len(ranked) - of_others * auc) / unlike
    return dict(zip(names, map(float, auc + size * (from_same + 2 * from_others)), strict=True))


def _pairs_of_one(unit: np.ndarray, owner: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(similarities, subjects) of all pairs of one subject with two expressions."""
    similarities, owners = [np.empty(0, np.float32)], [np.empty(0, int)]
    for subject in np.unique(owner):
        rows = np.flatnonzero(owner == subject)
        first, second = np.triu_indices(len(rows), 1)
        apart = shown[rows[first]] != shown[rows[second]]
        similarities.append((unit[rows] @ unit[rows].T)[first[apart], second[apart]])
        owners.append(np.full(int(apart.sum()), subject))
    return np.concatenate(similarities), np.concatenate(owners)


def _blocks(
    unit: np.ndarray, owner: np.ndarray, shown: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(rows (B,), similarities (B, N), which are of pairs of two subjects with two expressions (B, N)); each pair occurs once."""
    size = max(1, AT_ONCE // len(unit))
    for start in range(0, len(unit), size):
        rows = np.arange(start, min(start + size, len(unit)))
        apart = (
            (owner[rows][:, None] != owner) & (shown[rows][:, None] != shown) & (np.arange(len(unit)) > rows[:, None])
        )
        yield rows, unit[rows] @ unit.T, apart
