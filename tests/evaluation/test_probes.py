"""The probes of identity and expression on representations whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ferbench import FerbenchError
from ferbench.evaluation.evaluators import expression_probe, leakage
from ferbench.evaluation.measures.probes import STRENGTHS, LinearProbe, balanced_accuracy, cross_probe
from ferbench.interfaces.evaluator import Outputs

SUBJECTS, EXPRESSIONS, FRAMES = 8, ("a", "b", "c", "d", "e", "f"), 3


def table() -> pd.DataFrame:
    rows = [
        (f"{s}/{e}/{i}", f"s{s}", f"{s}/{e}", e) for s in range(SUBJECTS) for e in EXPRESSIONS for i in range(FRAMES)
    ]
    return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "expression"])


def codes(column: str) -> np.ndarray:
    """Random directions, one for each value of a column: (N, 16)."""
    frames = table()
    values = sorted(frames[column].unique())
    directions = np.random.default_rng(len(values)).normal(size=(len(values), 16))
    return directions[frames[column].map(values.index)]


def outputs(features: np.ndarray, frames: pd.DataFrame | None = None) -> Outputs:
    frames = table() if frames is None else frames
    noise = np.random.default_rng(0).normal(size=features.shape) * 0.1
    return Outputs(frames, EXPRESSIONS, np.zeros((len(frames), 6), np.float32), features + noise, {"pixels": features})


def test_a_representation_of_identity_leaks_all_of_it() -> None:
    found = leakage.evaluate(outputs(codes("subject")))
    assert found["identity_leakage"] > 0.95
    assert found["identity_leakage_knn"] > 0.95
    assert found["identity_leakage/pixels"] > 0.95


def test_noise_leaks_nothing() -> None:
    values = [
        leakage.evaluate(outputs(np.random.default_rng(s).normal(size=(144, 16))))["identity_leakage"] for s in range(5)
    ]
    assert abs(np.mean(values)) < 0.08


def test_a_representation_of_expression_leaks_nothing_and_is_worth_all() -> None:
    made = outputs(codes("expression"))
    assert abs(leakage.evaluate(made)["identity_leakage"]) < 0.15
    assert expression_probe.evaluate(made)["expression_probe"] > 0.95


def test_identity_cannot_hide_behind_expression() -> None:
    """Well separated expressions move unseen ones away from the probe; centring by expression undoes that."""
    made = outputs(20 * codes("expression") + codes("subject"))
    assert leakage.evaluate(made)["identity_leakage"] > 0.9


def test_near_duplicates_of_one_sequence_do_not_help() -> None:
    """A code of its own for each sequence tells a frame's neighbours in the sequence, and nothing of the subject."""
    assert abs(leakage.evaluate(outputs(codes("sequence")))["identity_leakage"]) < 0.2


def test_subjects_with_one_expression_are_left_out() -> None:
    frames = table()
    keep = (frames["subject"] != "s0") | (frames["expression"] == "a")
    found = leakage.evaluate(outputs(codes("subject")[keep], frames[keep].reset_index(drop=True)))
    assert found["identity_leakage"] > 0.95


def test_too_few_subjects_is_a_sentence() -> None:
    frames = table()
    keep = frames["expression"] == "a"
    with pytest.raises(FerbenchError, match="needs two test subjects with two expressions each; this fold has 0"):
        leakage.evaluate(outputs(codes("subject")[keep], frames[keep].reset_index(drop=True)))
    one = (frames["subject"] == "s0").to_numpy()
    with pytest.raises(FerbenchError, match="expression_probe needs two test subjects"):
        expression_probe.evaluate(outputs(codes("subject")[one], frames[one].reset_index(drop=True)))


def test_the_expression_probe_is_tested_on_other_subjects() -> None:
    """What is expression in each subject's own code is worth nothing for a stranger."""
    assert abs(expression_probe.evaluate(outputs(codes("sequence")))["expression_probe"]) < 0.2


def test_the_linear_probe_agrees_with_scikit_learns_grid_search() -> None:
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), 30)
    groups = np.tile(np.arange(6), 20)
    features = random.normal(size=(120, 10)) + 0.8 * random.normal(size=(4, 10))[labels]
    unseen = random.normal(size=(120, 10)) + features - features
    ours = LinearProbe(features, labels, groups)
    theirs = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, tol=1e-6)),
        {"logisticregression__C": STRENGTHS},
        cv=list(GroupKFold(3).split(features, labels, groups)),
        scoring="balanced_accuracy",
    ).fit(features, labels)
    assert np.mean(ours.predict(unseen) == theirs.predict(unseen)) > 0.9


def test_balanced_accuracy_by_hand() -> None:
    assert balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])) == pytest.approx((2 / 3 + 1) / 2)


def test_the_scale_of_cross_probe() -> None:
    """A probe that always gives the first class scores 0; a perfect one 1."""
    labels, groups = np.tile(np.arange(3), 6), np.repeat(np.arange(6), 3)
    features = labels[:, None].astype(float)

    class Always:
        def __init__(self, right: bool) -> None:
            self.right = right

        def __call__(self, features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Always:
            return self

        def predict(self, features: np.ndarray) -> np.ndarray:
            return features[:, 0].astype(int) if self.right else np.zeros(len(features), int)

    assert cross_probe(Always(False), features, labels, groups, [0, 1, 2]) == pytest.approx(0)
    assert cross_probe(Always(True), features, labels, groups, [0, 1, 2]) == pytest.approx(1)
