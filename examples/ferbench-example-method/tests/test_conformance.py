"""The method keeps the rules of ferbench, and its loss is the paper's."""

from __future__ import annotations

import torch
from ferbench_example_method.method import center_loss

from ferbench.testing import conformance

test_conformance = conformance("method", "center_loss")


def test_center_loss_by_hand() -> None:
    features = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    centers = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert center_loss(features, centers).item() == (1 + 4 + 9) / 2 / 2
