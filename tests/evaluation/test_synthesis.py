"""Judged faces, against counts and formulas by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ferbench.evaluation.evaluators import synthesis
from ferbench.evaluation.measures.synthesis import kid
from ferbench.interfaces.evaluator import Outputs, Syntheses


def outputs(real: np.ndarray, made: np.ndarray) -> Outputs:
    count = len(made)
    expression = np.arange(count) % 2
    frames = pd.DataFrame(
        {
            "frame_id": map(str, range(count)),
            "subject": "A",
            "sequence": "s",
            "expression": np.array(["a", "b"])[expression],
        }
    )
    right = np.eye(2)[expression]
    wrong = right.copy()
    wrong[0] = wrong[0][::-1]
    psnr = np.full(count, 20.0)
    psnr[0] = np.nan
    syntheses = Syntheses(
        expression=expression,
        subject=np.zeros(count, dtype=int),
        expression_logits=wrong,
        identity_logits=np.tile([1.0, 0.0, 0.0], (count, 1)),
        features=made,
        real_features=real,
        real_expression_logits=right,
        psnr=psnr,
        ssim=np.full(count, np.nan),
    )
    return Outputs(frames, ("a", "b"), right, np.zeros((count, 2)), syntheses=syntheses)


def test_consistencies_are_counts() -> None:
    random = np.random.default_rng(0)
    found = synthesis.evaluate(outputs(random.normal(size=(10, 3)), random.normal(size=(10, 3))))
    assert found["identity_consistency"] == 1
    assert found["expression_consistency"] == pytest.approx(0.9)
    assert found["judge_accuracy"] == 1
    assert found["synthesis_psnr"] == pytest.approx(20)
    assert found["synthesis_ssim"] is None


def test_fid_of_a_shift_is_its_square() -> None:
    real = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    shift = np.array([1.0, 0.0, 2.0, 0.0], dtype=np.float32)
    assert synthesis.evaluate(outputs(real, real))["fid"] == pytest.approx(0, abs=1e-3)
    assert synthesis.evaluate(outputs(real, real + shift))["fid"] == pytest.approx(5, abs=1e-2)


def test_kid_by_its_formula() -> None:
    random = np.random.default_rng(1)
    real, made = random.normal(size=(12, 3)).astype(np.float32), random.normal(1, size=(9, 3)).astype(np.float32)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x.astype(float) @ y.T.astype(float) / 3 + 1) ** 3

    def off_diagonal(k: np.ndarray) -> float:
        return float((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)))

    # torchmetrics' estimator is of sets of one size
    real = real[:9]
    wanted = off_diagonal(kernel(real, real)) + off_diagonal(kernel(made, made)) - 2 * kernel(real, made).mean()
    assert synthesis.evaluate(outputs(real, made))["kid"] == pytest.approx(wanted, rel=1e-4)


def test_too_few_faces_for_fid() -> None:
    few = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    assert synthesis.evaluate(outputs(few, few))["fid"] is None


def test_methods_that_make_no_faces_have_no_figures() -> None:
    few = np.zeros((4, 2), np.float32)
    assert synthesis.evaluate(dataclasses.replace(outputs(few, few), syntheses=None)) == {}


@pytest.mark.parametrize(("reals", "mades"), [(20, 15), (8, 30)])
def test_kid_of_sets_of_unlike_size(reals: int, mades: int) -> None:
    """The unbiased estimate as a double sum over pairs."""
    random = np.random.default_rng(0)
    real, made = random.normal(size=(reals, 4)), random.normal(0.3, 1, size=(mades, 4))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 4 + 1) ** 3)

    def within(z: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
        return sum(kernel(z[i], z[j]) for i, j in pairs) / len(pairs)

    across = sum(kernel(x, y) for x in real for y in made) / (reals * mades)
    assert kid(real, made) == pytest.approx(within(real) + within(made) - 2 * across)
