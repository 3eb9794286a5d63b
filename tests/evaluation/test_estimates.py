"""Estimated factors: F1 of action units, concordance, absolute error, and the losses that train them."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from torch.nn import functional as F

from ferbench import NotMeasurable, Outputs, PerSubject
from ferbench.blocks.factors import ccc_loss, masked_bce, masked_mse
from ferbench.errors import TrainingError
from ferbench.evaluation.evaluators.estimates import evaluate
from ferbench.evaluation.inference import estimates, fault_of_estimate
from ferbench.evaluation.measure import standard
from ferbench.evaluation.measures.agreement import concordance, f1
from ferbench.registry.loader import load_registry

NUMBERS = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=30)


def outputs(columns: dict[str, Any], **estimates: Any) -> Outputs:
    count = len(next(iter(columns.values())))
    frames = pd.DataFrame({"subject": [f"S{i % 2}" for i in range(count)], **columns})
    made = {name: np.array(values, dtype=np.float32) for name, values in estimates.items()}
    nothing = np.zeros((count, 2), np.float32)
    return Outputs(frames, ("a", "b"), nothing, nothing, estimates=made)


@given(NUMBERS)
def test_concordance_is_lins(pairs: list[tuple[float, float]]) -> None:
    """His equation 3: one minus the expected squared distance, over that of uncorrelated values with these moments."""
    x, y = np.array(pairs).T
    uncorrelated = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    if uncorrelated < 1e-9:
        return
    assert concordance(x, y) == pytest.approx(1 - ((x - y) ** 2).mean() / uncorrelated, abs=1e-6)
    assert -1 - 1e-9 <= concordance(x, y) <= 1 + 1e-9
    assert concordance(x, y) == pytest.approx(concordance(y, x))


def test_concordance_by_hand_and_of_constants() -> None:
    assert concordance(np.array([0.0, 2.0]), np.array([1.0, 3.0])) == pytest.approx(2 * 1 / (1 + 1 + 1))
    assert concordance(np.ones(3), np.array([1.0, 2.0, 3.0])) == 0
    assert np.isnan(concordance(np.ones(3), np.ones(3)))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_f1_is_scikit_learns(pairs: list[tuple[bool, bool]]) -> None:
    estimated, present = np.array(pairs).T
    if not estimated.any() and not present.any():
        assert np.isnan(f1(estimated, present))
        return
    assert f1(estimated, present) == pytest.approx(f1_score(present, estimated, zero_division=0))


def test_action_units_by_hand() -> None:
    """au1: 2 of 4 found, one of them rightly; au2 is not estimated; au4 is never there; of au6 one frame is not labelled."""
    made = outputs(
        {
            "au1": [0.9, 0.4, 0.39, 0.0], "au2": [1.0, 0.0, 0.0, 0.0], "au4": [0.0, 0.1, 0.2, 0.3],
            "au6": [np.nan, 1, 1, 0], "audio": [1.0, 1, 1, 1],
        },
        au1=[0.5, 0.49, 0.6, 0.1], au6=[0.1, 0.9, 0.1, 0.2], au4=[0.9, 0.9, 0.9, 0.9],
    )  # fmt: skip
    found = evaluate(made)
    assert found["au_f1"] == pytest.approx((2 / 4 + 0 + 2 / 3) / 3)
    assert found["au_f1/constant"] == pytest.approx((4 / 6 + 2 / 5 + 4 / 5) / 3)
    assert set(found) == {"au_f1", "au_f1/constant"}


def test_values_by_hand() -> None:
    made = outputs(
        {"valence": [0.0, 2.0, np.nan, 5.0], "arousal": [0.1, 0.2, 0.3, 0.4], "intensity": [0.0, 1.0, 1.0, np.nan]},
        valence=[1.0, 3.0, 100.0, 5.0], intensity=[0.5, 1.0, 0.0, 9.0],
    )  # fmt: skip
    found = evaluate(made)
    x, y = np.array([1.0, 3.0, 5.0]), np.array([0.0, 2.0, 5.0])
    assert found["valence_ccc"] == pytest.approx(2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (2 / 3) ** 2))
    errors = found["intensity_mae"]
    assert isinstance(errors, PerSubject)
    assert errors.values == {"S0": pytest.approx((0.5 + 1.0) / 2), "S1": 0.0}
    assert found["intensity_mae/constant"] == pytest.approx(1 / 3), "the median of 0, 1 and 1 errs by 1 in one of three"
    assert found["valence_ccc/constant"] == found["arousal_ccc/constant"] == 0
    assert "arousal_ccc" not in found


def test_what_cannot_be_measured() -> None:
    with pytest.raises(NotMeasurable, match="estimates of valence are NaN or infinite for 1 of 2 test frames"):
        evaluate(outputs({"valence": [0.0, 1.0]}, valence=[np.nan, 0.0]))
    with pytest.raises(NotMeasurable, match="au1 has values from 0 to 5"):
        evaluate(outputs({"au1": [0.0, 5.0]}, au1=[0.1, 0.2]))


def test_the_evaluator_is_run_where_something_is_estimated() -> None:
    registry, made = load_registry(), outputs({"au1": [1.0, 0.0]}, au1=[0.1, 0.2])
    assert "estimates" in [card.name for card in standard(registry, made)]
    assert "estimates" not in [card.name for card in standard(registry, dataclasses.replace(made, estimates={}))]


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        ("au12", torch.zeros(3, 1), "gives 'au12' the shape (3, 1) for 3 images; it has to be (3,)"),
        ("au12", torch.tensor([0.0, 7.0, 1.0]), "gives 'au12' values from 0 to 7; it has to be a probability"),
        ("au12", torch.tensor([0.0, 0.5, 1.0]), ""),
        ("valence", torch.tensor([-1.0, 7.0, 1.0]), ""),
    ],
)
def test_an_estimate_that_is_none(name: str, values: torch.Tensor, fault: str) -> None:
    """In the check and in a run."""
    assert fault_of_estimate(name, values, 3) == fault
    method: Any = SimpleNamespace(estimates=lambda images: {name: values})
    images: Any = lambda rows: rows  # noqa: E731
    if fault:
        with pytest.raises(TrainingError, match=re.escape(fault)):
            estimates(method, images, torch.arange(3))
    else:
        assert estimates(method, images, torch.arange(3))[name].tolist() == values.tolist()


# -- losses


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 1), st.booleans()), min_size=1, max_size=12))
def test_masked_losses_are_those_of_the_known_values(rows: list[tuple[float, float, bool]]) -> None:
    x, y, known = (torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True))
    known = known.bool()
    targets = torch.where(known, y, torch.nan)
    x.requires_grad_()
    if not known.any():
        assert masked_bce(x, targets).item() == masked_mse(x, targets).item() == 0
    else:
        ours, theirs = masked_bce(x, targets), F.binary_cross_entropy_with_logits(x[known], y[known])
        assert torch.allclose(ours, theirs)
        assert torch.allclose(masked_mse(x, targets), F.mse_loss(x[known], y[known]))
    (gradient,) = torch.autograd.grad(masked_bce(x, targets) + masked_mse(x, targets) + ccc_loss(x, targets), x)
    assert gradient.isfinite().all()
    assert (gradient[~known] == 0).all()


@given(NUMBERS)
def test_the_loss_of_concordance_is_one_minus_it(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    if x.var() + y.var() + (x.mean() - y.mean()) ** 2 < 1e-6:
        return
    padded = torch.tensor([*y, np.nan]), torch.tensor([*x, 7.0])
    assert float(ccc_loss(padded[1], padded[0])) == pytest.approx(1 - concordance(x, y), abs=1e-6)
