"""The method keeps the rules of ferbench, and its loss is that of all triplets."""

from __future__ import annotations

import pytest
import torch
from ferbench_example_batches.method import triplet_loss

from ferbench.testing import Check, checks_of


@pytest.mark.parametrize("check", checks_of("method", "identity_triplets"), ids=str)
def test_conformance(check: Check) -> None:
    check.run()


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_the_hardest_of_all_triplets(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    features = torch.randn((12, 3), generator=random)
    expression, subject = (torch.randint(0, 3, (12,), generator=random) for _ in range(2))
    unit = features / features.norm(dim=1, keepdim=True)
    losses = []
    for a in range(12):
        triplets = [
            0.2 + float((unit[a] - unit[p]).square().sum() - (unit[a] - unit[n]).square().sum())
            for p in range(12)
            for n in range(12)
            if expression[p] == expression[a] and subject[p] != subject[a]
            if subject[n] == subject[a] and expression[n] != expression[a]
        ]
        if triplets:
            losses.append(max(0.0, *triplets))
    assert triplet_loss(features, expression, subject, 0.2).item() == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_without_triplets_there_is_no_loss() -> None:
    alone = torch.zeros(2, dtype=torch.int64)
    assert triplet_loss(torch.randn(2, 3), alone, alone, 0.2).item() == 0
