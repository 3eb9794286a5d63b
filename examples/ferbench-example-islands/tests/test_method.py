"""Losses and the rule of the centers are the paper's."""

from __future__ import annotations

import pytest
import torch
from ferbench_example_islands.method import center_loss, center_step, island_loss

from ferbench.testing import method_named


def test_center_loss_by_hand() -> None:
    features = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    centers = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert center_loss(features, centers).item() == (1 + 4 + 9) / 2 / 2


def test_island_loss_by_hand() -> None:
    """Two opposite centers, and one at a right angle to both: the pairs are counted twice."""
    centers = torch.tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 5.0]])
    assert island_loss(centers).item() == pytest.approx(2 * (0 + 1 + 1))


def test_without_other_centers_a_center_moves_to_its_features() -> None:
    """Two features of the first class, none of the second: (2 c - x_1 - x_2) / 3, and nothing."""
    centers, features = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    step = center_step(centers, features, torch.tensor([0, 0]), 0.0)
    assert torch.allclose(step, torch.tensor([[2.0, -1.0], [0.0, 0.0]]))


def test_the_rule_of_the_island_is_the_derivative_of_its_cosines() -> None:
    centers = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    unit = centers / centers.norm(dim=1, keepdim=True)
    expected = torch.stack(
        [
            torch.autograd.grad(
                sum(unit[j] @ unit[k].detach() for k in range(5) if k != j), centers, retain_graph=True
            )[0][j]
            for j in range(5)
        ]
    )
    none = torch.empty(0, dtype=torch.int64)
    found = center_step(centers.detach(), torch.empty(0, 4), none, island_weight=3.0)
    assert torch.allclose(found, 3 * expected / 4)


@pytest.mark.parametrize("trained", [False, True])
def test_centers_have_a_rate_of_their_own(trained: bool) -> None:
    method = method_named("island_loss", train_centers=trained, center_rate=0.2)
    (stage,) = method.stages()
    assert (stage.after is None) == trained
    assert [part.lr for part in stage.trains["network"].parts] == [0.2] * trained
