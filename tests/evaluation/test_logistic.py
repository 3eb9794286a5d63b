"""Many logistic regressions at once, against scikit-learn's one at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from ferbench.evaluation.measures.logistic import Planes, Problem, solve

STRENGTHS = (1e-3, 1e-1, 1.0)


def made(seed: int, frames: int, width: int, labels: list[int]) -> Problem:
    random = np.random.default_rng(seed)
    codes = random.choice(labels, frames)
    features = random.normal(size=(frames, width)) + random.normal(size=(max(labels) + 1, width))[codes]
    return Problem(torch.tensor(features), torch.tensor(codes), torch.tensor(STRENGTHS, dtype=torch.float64))


PROBLEMS = [
    made(0, 60, 5, [0, 1, 2, 3]),
    made(1, 40, 5, [2, 7]),
    made(2, 90, 5, [1, 3, 4]),
    made(3, 30, 5, [0, 1, 2, 3]),
]


def compare(problem: Problem, planes: Planes, tolerance: float) -> None:
    for number, strength in enumerate(STRENGTHS):
        theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=10000)
        theirs.fit(problem.features.double().numpy(), problem.labels.numpy())
        weights = planes.weights[number].double().numpy()
        if len(planes.classes) == 2:  # one plane there, half of it for each label here
            assert weights[:-1, 1] * 2 == pytest.approx(theirs.coef_[0], abs=tolerance)
            assert weights[-1, 1] * 2 == pytest.approx(theirs.intercept_[0], abs=tolerance)
        else:
            assert weights[:-1] == pytest.approx(theirs.coef_.T, abs=tolerance)
            assert weights[-1] == pytest.approx(theirs.intercept_, abs=tolerance)
        logits = problem.features.numpy() @ weights[:-1] + weights[-1]
        expected = theirs.predict_proba(problem.features.double().numpy())
        assert softmax(logits, axis=1) == pytest.approx(expected, abs=tolerance)
        assert planes.classes.tolist() == theirs.classes_.tolist()


@pytest.mark.parametrize("together", [False, True])
def test_weights_are_scikit_learns(together: bool) -> None:
    """Of unequal numbers of frames and labels, one after another as on a CPU and filled up to one batch as on a GPU."""
    for problem, planes in zip(PROBLEMS, solve(PROBLEMS, together), strict=True):
        compare(problem, planes, 3e-3)


def test_float32_finds_the_same() -> None:
    for problem in PROBLEMS:
        (planes,) = solve([Problem(problem.features.float(), problem.labels, problem.strengths.float())])
        compare(problem, planes, 5e-3)


def test_features_that_tell_everything_and_features_that_tell_nothing() -> None:
    labels = torch.arange(4).repeat(10)
    everything, nothing = torch.eye(4)[labels], torch.zeros(40, 4)
    strengths = torch.tensor([1.0])
    told, untold = solve([Problem(everything, labels, strengths), Problem(nothing, labels, strengths)])
    assert told.predict(everything)[0].equal(labels)
    assert untold.weights.isfinite().all()
    assert untold.weights.abs().max() < 1e-5


def test_nothing_to_solve() -> None:
    assert solve([]) == []
