"""The method keeps the rules of ferbench, and its loss is the paper's."""

from __future__ import annotations

import pytest
import torch
from ferbench_example_method.method import center_loss

from ferbench.testing.checks import Check, checks_of


@pytest.mark.parametrize("check", checks_of("method", "center_loss"), ids=str)
def test_conformance(check: Check) -> None:
    check.run()


def test_center_loss_by_hand() -> None:
    features = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    centers = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert center_loss(features, centers).item() == (1 + 4 + 9) / 2 / 2
