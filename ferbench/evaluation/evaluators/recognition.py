"""Recognition: accuracy, balanced accuracy and macro F1, by frame and by sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench.evaluation.measures.recognition import by_sequence, calibration_error, confusion_by_subject, scores
from ferbench.interfaces.evaluator import Outputs


def evaluate(outputs: Outputs) -> Mapping[str, float]:
    """`accuracy`, `balanced_accuracy` and `macro_f1` of frames; the same of sequences, whose probability is the mean over their
    frames, as "sequence_accuracy" and so on; `calibration_error` of frames."""
    probabilities, labels, _ = sequences(outputs)
    of_sequences = {f"sequence_{name}": value for name, value in scores(probabilities, labels).items()}
    error = calibration_error(outputs.probabilities, outputs.labels)
    return scores(outputs.probabilities, outputs.labels) | of_sequences | {"calibration_error": error}


def sequences(outputs: Outputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probabilities (S, C), labels (S,) and subjects (S,) of the sequences, in the order in which they first occur."""
    names = outputs.frames["sequence"].to_numpy(dtype=str)
    probabilities, labels, first = by_sequence(outputs.probabilities, outputs.labels, names)
    return probabilities, labels, outputs.subjects[first]


def by_subject(outputs: Outputs) -> tuple[dict[str, list[list[int]]], dict[str, list[list[int]]]]:
    """Confusion by subject, (C, C) counts with rows true, of frames and of sequences."""
    classes = len(outputs.expressions)
    of_frames = confusion_by_subject(outputs.logits.argmax(1), outputs.labels, outputs.subjects, classes)
    probabilities, labels, owners = sequences(outputs)
    return of_frames, confusion_by_subject(probabilities.argmax(1), labels, owners, classes)
