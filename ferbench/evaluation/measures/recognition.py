"""Recognition: accuracy, balanced accuracy, macro F1 and calibration, and the confusion counts behind them."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_f1_score,
)

from ferbench.errors import NotMeasurable

BINS = 15
"""Of confidence, in the expected calibration error."""


def scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """`accuracy`; `balanced_accuracy`, the mean recall over the classes that occur; `macro_f1`, the mean F1 over the classes that
    occur in labels or predictions. Each is from 0 to 1.

    >>> scores(np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.1, 0.9]]), np.array([0, 0, 1, 1]))["balanced_accuracy"]
    0.75

    Args:
        probabilities: (N, C), or anything whose largest entry is the predicted class. labels: (N,), int.

    Raises:
        NotMeasurable: probabilities are not finite.
    """
    if bad := int((~np.isfinite(probabilities).all(axis=1)).sum()):
        raise NotMeasurable(
            f"accuracy cannot be measured: the logits of {bad} of {len(labels)} frames are NaN or infinite."
        )
    classes = probabilities.shape[1]
    predicted, target = torch.from_numpy(probabilities.argmax(1)), torch.from_numpy(labels)
    # torchmetrics' own macro average counts a class that is predicted and never true as recalled with 0
    recall = multiclass_accuracy(predicted, target, classes, average="none")
    return {
        "accuracy": float(multiclass_accuracy(predicted, target, classes, average="micro")),
        "balanced_accuracy": float(recall[target.unique()].mean()),
        "macro_f1": float(multiclass_f1_score(predicted, target, classes, average="macro")),
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error: mean gap of confidence and accuracy, 0 to 1 (Guo et al., On Calibration of Modern Neural
    Networks, ICML 2017; torchmetrics).

    >>> round(calibration_error(np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([0, 1])), 3)
    0.0

    Args:
        probabilities: (N, C), rows add up to 1. labels: (N,), int.
    """
    given = torch.from_numpy(probabilities.astype(np.float32))
    return float(multiclass_calibration_error(given, torch.from_numpy(labels), probabilities.shape[1], n_bins=BINS))


def by_sequence(
    probabilities: np.ndarray, labels: np.ndarray, sequences: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames to sequences, in the order in which these first occur; a sequence has the label of its first frame.

    >>> p, l, first = by_sequence(np.array([[0.2, 0.8], [0.4, 0.6], [1.0, 0.0]]), np.array([1, 1, 0]), np.array(["s", "s", "t"]))
    >>> p.round(2).tolist(), l.tolist(), first.tolist()
    ([[0.3, 0.7], [1.0, 0.0]], [1, 0], [0, 2])

    Args:
        probabilities: (N, C). labels: (N,), int. sequences: (N,), names.

    Returns:
        Mean probabilities (S, C), labels (S,), and the index (S,) of each sequence's first frame.
    """
    _, first, member = np.unique(sequences, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, member, probabilities)
    order = np.argsort(first)
    return (sums / np.bincount(member)[:, None])[order], labels[first][order], first[order]


def confusion_by_subject(
    predicted: np.ndarray, labels: np.ndarray, subjects: np.ndarray, classes: int
) -> dict[str, list[list[int]]]:
    """For each subject the (C, C) counts, rows true, columns predicted: all that scores and their intervals by subject need.

    >>> confusion_by_subject(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array(["P1", "P1", "P2"]), 2)
    {'P1': [[1, 1], [0, 0]], 'P2': [[0, 0], [0, 1]]}

    Args:
        predicted, labels: (N,), int, from 0 to classes - 1. subjects: (N,).
    """
    found = {}
    for subject in np.unique(subjects):
        mine = subjects == subject
        table = np.zeros((classes, classes), int)
        np.add.at(table, (labels[mine], predicted[mine]), 1)
        found[str(subject)] = table.tolist()
    return found
