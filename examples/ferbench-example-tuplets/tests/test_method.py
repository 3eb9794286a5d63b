"""The loss is that of all tuplets, one after another."""

from __future__ import annotations

import pytest
import torch
from ferbench_example_tuplets.method import tuplet_loss

from ferbench.testing import method_named


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_the_mean_over_tuplets(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    features = torch.randn((12, 3), generator=random)
    expression, subject = (torch.randint(0, 3, (12,), generator=random) for _ in range(2))
    unit = features / features.norm(dim=1, keepdim=True)
    losses = []
    for query in range(12):
        positives = [i for i in range(12) if expression[i] == expression[query] and subject[i] != subject[query]]
        negatives = [i for i in range(12) if subject[i] == subject[query] and expression[i] != expression[query]]
        if positives and negatives:
            center = unit[[query, *positives]].mean(0)
            away = (unit - center).square().sum(1)
            near = (away[[query, *positives]] - 0.5 + 0.2).clamp(min=0).mean()
            losses.append(float(near + (0.5 + 0.2 - away[negatives]).clamp(min=0).mean()))
    found = tuplet_loss(features, expression, subject, torch.tensor(0.5), gap=0.4)
    assert found.item() == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_without_tuplets_there_is_no_loss() -> None:
    alone = torch.zeros(2, dtype=torch.int64)
    assert tuplet_loss(torch.randn(2, 3), alone, alone, torch.tensor(0.5), 0.4).item() == 0


def test_the_threshold_has_a_rate_of_its_own() -> None:
    (stage,) = method_named("identity_tuplets", lr=0.001, threshold_rate=0.02).stages()
    (part,) = stage.trains["network"].parts
    assert part.lr == 0.02
    (stage,) = method_named("identity_tuplets", threshold_rate=0.0).stages()
    assert not stage.trains["network"].parts
