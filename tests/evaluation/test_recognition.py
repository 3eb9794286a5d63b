"""Recognition scores against scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from ferbench.evaluation.evaluators.recognition import by_subject, evaluate, sequences
from ferbench.interfaces.evaluator import Outputs
from ferbench.ranking.scores import SCORES

CLASSES = ("a", "b", "c")


def outputs(labels: list[int], seed: int = 0, per_sequence: int = 3) -> Outputs:
    random = np.random.default_rng(seed)
    count = len(labels)
    frames = pd.DataFrame(
        {
            "frame_id": [f"f{i}" for i in range(count)],
            "subject": [f"s{i // (2 * per_sequence)}" for i in range(count)],
            "sequence": [f"q{i // per_sequence}" for i in range(count)],
            "expression": [CLASSES[label] for label in labels],
        }
    )
    logits = random.normal(size=(count, 3)).astype(np.float32) + np.eye(3, dtype=np.float32)[labels]
    return Outputs(frames, CLASSES, logits, random.normal(size=(count, 4)).astype(np.float32))


def in_sequences(labels: list[int]) -> list[int]:
    return [label for label in labels for _ in range(3)]


@settings(max_examples=40)
@given(labels=st.lists(st.integers(0, 2), min_size=4, max_size=20), seed=st.integers(0, 99))
def test_scores_agree_with_scikit_learn(labels: list[int], seed: int) -> None:
    made = outputs(in_sequences(labels), seed)
    true, predicted = made.labels, made.logits.argmax(1)
    found = evaluate(made)
    present = sorted(set(true) | set(predicted))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted), abs=1e-6)
    assert found["balanced_accuracy"] == pytest.approx(
        metrics.recall_score(true, predicted, average="macro", labels=sorted(set(true)), zero_division=0), abs=1e-6
    )
    assert found["macro_f1"] == pytest.approx(
        metrics.f1_score(true, predicted, average="macro", labels=present, zero_division=0), abs=1e-6
    )


@settings(max_examples=40)
@given(labels=st.lists(st.integers(0, 2), min_size=4, max_size=20), seed=st.integers(0, 99))
def test_the_confusion_by_subject_gives_the_same_scores(labels: list[int], seed: int) -> None:
    made = outputs(in_sequences(labels), seed)
    found = evaluate(made)
    of_frames, of_sequences = by_subject(made)
    tables = np.sum([np.array(t) for t in of_frames.values()], axis=0)
    by_sequence = np.sum([np.array(t) for t in of_sequences.values()], axis=0)
    for name, score in SCORES.items():
        assert found[name] == pytest.approx(float(score.value(tables)), abs=1e-6)
        assert found[f"sequence_{name}"] == pytest.approx(float(score.value(by_sequence)), abs=1e-6)


def test_a_sequence_is_the_mean_of_its_frames_probabilities() -> None:
    """Two frames lean to b, one is sure of a: the mean says a, a vote would say b."""
    logits = np.log(np.array([[0.9, 0.1, 1e-9], [0.45, 0.55, 1e-9], [0.45, 0.55, 1e-9]], np.float32))
    frames = pd.DataFrame({"frame_id": list("xyz"), "subject": "s", "sequence": "q", "expression": "a"})
    made = Outputs(frames, CLASSES, logits, np.zeros((3, 2), np.float32))
    probabilities, labels, _ = sequences(made)
    assert probabilities[0, 0] == pytest.approx(0.6, abs=1e-3)
    assert evaluate(made)["sequence_accuracy"] == 1
    assert evaluate(made)["accuracy"] == pytest.approx(1 / 3)
    assert labels.tolist() == [0]


def test_the_calibration_error_by_hand() -> None:
    """Ten frames said with confidence 0.8 of which six are right: the gap is 0.2."""
    frames = pd.DataFrame(
        {"subject": "s", "sequence": [str(i) for i in range(10)], "expression": ["a"] * 6 + ["b"] * 4}
    )
    logits = np.log(np.tile([[0.8, 0.2]], (10, 1))).astype(np.float32)
    found = evaluate(Outputs(frames, ("a", "b"), logits, np.zeros((10, 1), np.float32)))
    assert found["calibration_error"] == pytest.approx(0.2, abs=1e-5)
