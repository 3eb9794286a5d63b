"""Recognition: accuracy, balanced accuracy and macro F1, by frame and by sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_f1_score,
)

from ferbench.interfaces.evaluator import Outputs


def evaluate(outputs: Outputs) -> Mapping[str, float]:
    """Accuracy; balanced accuracy (mean recall over the classes that occur); macro F1 (over the classes that occur in
    labels or predictions); the same of sequences, whose probability is the mean over their frames; the expected calibration
    error of frames (15 bins of confidence, mean gap of confidence and accuracy)."""
    by_frame = _scores(outputs.probabilities, outputs.labels)
    by_sequence = {f"sequence_{k}": v for k, v in _scores(*sequences(outputs)).items()}
    classes = len(outputs.expressions)
    probabilities = torch.from_numpy(outputs.probabilities.astype(np.float32))
    error = multiclass_calibration_error(probabilities, torch.from_numpy(outputs.labels), classes, n_bins=15)
    return by_frame | by_sequence | {"calibration_error": float(error)}


def sequences(outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities (S, C) and labels (S,) of the sequences, in the order in which they first occur."""
    _, first, member = np.unique(outputs.frames["sequence"].to_numpy(dtype=str), return_index=True, return_inverse=True)
    probabilities = outputs.probabilities
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, member, probabilities)
    order = np.argsort(first)
    return (sums / np.bincount(member)[:, None])[order], outputs.labels[first][order]


def _scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    classes = probabilities.shape[1]
    predicted, target = torch.from_numpy(probabilities.argmax(1)), torch.from_numpy(labels)
    # torchmetrics' own macro average counts a class that is predicted and never true as recalled with 0
    recall = multiclass_accuracy(predicted, target, classes, average="none")
    return {
        "accuracy": float(multiclass_accuracy(predicted, target, classes, average="micro")),
        "balanced_accuracy": float(recall[target.unique()].mean()),
        "macro_f1": float(multiclass_f1_score(predicted, target, classes, average="macro")),
    }


def confusion_by_subject(
    predicted: np.ndarray, labels: np.ndarray, subjects: np.ndarray, classes: int
) -> dict[str, list[list[int]]]:
    """For each subject the (C, C) counts, rows true, columns predicted: all that frame-level scores and their intervals
    by subject need."""
    found = {}
    for subject in np.unique(subjects):
        mine = subjects == subject
        table = np.zeros((classes, classes), int)
        np.add.at(table, (labels[mine], predicted[mine]), 1)
        found[str(subject)] = table.tolist()
    return found


def by_subject(outputs: Outputs) -> tuple[dict[str, list[list[int]]], dict[str, list[list[int]]]]:
    """Confusion by subject, of frames and of sequences."""
    classes = len(outputs.expressions)
    of_frames = confusion_by_subject(outputs.logits.argmax(1), outputs.labels, outputs.subjects, classes)
    probabilities, labels = sequences(outputs)
    owners = outputs.frames.drop_duplicates("sequence")["subject"].to_numpy(dtype=str)
    return of_frames, confusion_by_subject(probabilities.argmax(1), labels, owners, classes)
