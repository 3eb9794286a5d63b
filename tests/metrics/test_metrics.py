"""The measures as torchmetrics, on representations whose answer is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from ferbench.errors import FerbenchError
from ferbench.evaluation.measures.identity_auc import identity_auc
from ferbench.metrics import ExpressionProbe, IdentityAUC, IdentityLeakage, Selectivity
from ferbench.metrics.base import FeatureMetric

SUBJECTS, EXPRESSIONS, TAKES = 6, 4, 3
ALL = (IdentityLeakage, IdentityAUC, ExpressionProbe, Selectivity)


def labels() -> tuple[torch.Tensor, torch.Tensor]:
    grid = [(s, e) for s in range(SUBJECTS) for e in range(EXPRESSIONS) for _ in range(TAKES)]
    return torch.tensor([s for s, _ in grid]), torch.tensor([e for _, e in grid])


def features(subject: float, expression: float, seed: int = 0) -> torch.Tensor:
    """A direction of its own for each subject and expression, weighted, and noise."""
    generator = torch.Generator().manual_seed(seed)
    s, e = labels()
    noise = torch.randn((len(s), SUBJECTS + EXPRESSIONS), generator=generator) * 0.1
    noise[:, :SUBJECTS] += subject * torch.nn.functional.one_hot(s, SUBJECTS)
    noise[:, SUBJECTS:] += expression * torch.nn.functional.one_hot(e, EXPRESSIONS)
    return noise


def measured(kind: type[FeatureMetric], f: torch.Tensor, **settings: str) -> float:
    metric = kind(**settings)
    metric.update(f, *labels())
    return float(metric.compute())


@pytest.mark.parametrize(
    ("kind", "identity_only", "expression_only"),
    [(IdentityLeakage, 1.0, 0.0), (IdentityAUC, 1.0, 0.5), (ExpressionProbe, 0.0, 1.0), (Selectivity, -1.0, 1.0)],
)
def test_both_ends_of_the_scale(kind: type[FeatureMetric], identity_only: float, expression_only: float) -> None:
    assert measured(kind, features(1, 0)) == pytest.approx(identity_only, abs=0.25)
    assert measured(kind, features(0, 1)) == pytest.approx(expression_only, abs=0.25)


def test_the_nearest_neighbour_probe() -> None:
    assert measured(IdentityLeakage, features(1, 0), probe="knn") == pytest.approx(1)
    with pytest.raises(ValueError, match="probe is 'svm'; it can be linear or knn"):
        IdentityLeakage("svm")


@pytest.mark.parametrize("kind", ALL)
def test_batches_do_not_matter(kind: type[FeatureMetric]) -> None:
    f, (s, e) = features(0.3, 0.4), labels()
    metric = kind()
    for part in torch.arange(len(f)).split(7):
        metric.update(f[part], s[part], e[part])
    assert float(metric.compute()) == pytest.approx(measured(kind, f), abs=1e-6)
    metric.reset()
    metric.update(f, s, e)
    assert float(metric.compute()) == pytest.approx(measured(kind, f), abs=1e-6)


def test_the_auc_by_counting_pairs() -> None:
    random = np.random.default_rng(1)
    f, s, e = random.normal(size=(14, 3)), random.integers(0, 3, 14), random.integers(0, 3, 14)
    unit = f / np.linalg.norm(f, axis=1, keepdims=True)
    same: list[float] = []
    other: list[float] = []
    for i, j in combinations(range(14), 2):
        if e[i] != e[j]:
            (same if s[i] == s[j] else other).append(unit[i] @ unit[j])
    wins = sum((x > y) + 0.5 * (x == y) for x in same for y in other)
    assert identity_auc(f, s, e) == pytest.approx(wins / len(same) / len(other))


def test_the_auc_does_not_see_the_scale_of_a_feature() -> None:
    f, (s, e) = features(0.3, 0.4).numpy(), labels()
    scaled = f * np.linspace(0.1, 9, len(f))[:, None]
    assert identity_auc(scaled, s.numpy(), e.numpy()) == pytest.approx(identity_auc(f, s.numpy(), e.numpy()))


def test_too_few_subjects_is_a_sentence() -> None:
    metric = IdentityAUC()
    metric.update(torch.rand(4, 2), torch.zeros(4, dtype=torch.int64), torch.arange(4))
    with pytest.raises(FerbenchError, match="identity_auc needs pairs of one subject and of two"):
        metric.compute()


def test_shapes_that_do_not_go_together() -> None:
    with pytest.raises(ValueError, match=r"have the shapes \(3, 2\), \(3,\), \(2,\)"):
        IdentityAUC().update(torch.rand(3, 2), torch.arange(3), torch.arange(2))


@pytest.mark.parametrize("kind", ALL)
def test_directions_are_stated(kind: type[FeatureMetric]) -> None:
    assert kind.higher_is_better is (kind in (ExpressionProbe, Selectivity))
