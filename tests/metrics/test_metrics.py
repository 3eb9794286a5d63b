"""The measures as torchmetrics, on representations whose answer is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from ferbench.errors import FerbenchError
from ferbench.evaluation.measures.identity_auc import identity_auc, identity_auc_by_subject
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
    assert measured(IdentityLeakage, features(1, 0), probe="kernel") == pytest.approx(1, abs=0.1)
    with pytest.raises(ValueError, match="probe is 'svm'; it can be linear or knn or kernel"):
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
    middle = f - f.mean(0)
    unit = (middle / np.linalg.norm(middle, axis=1, keepdims=True)).astype(np.float32)
    same: list[float] = []
    other: list[float] = []
    for i, j in combinations(range(14), 2):
        if e[i] != e[j]:
            (same if s[i] == s[j] else other).append(unit[i] @ unit[j])
    wins = sum((x > y) + 0.5 * (x == y) for x in same for y in other)
    assert identity_auc(f, s, e) == pytest.approx(wins / len(same) / len(other))


def test_the_auc_does_not_see_what_is_added_to_all_features() -> None:
    f, (s, e) = features(0.3, 0.4).numpy().astype(float), labels()
    expected = identity_auc(f, s.numpy(), e.numpy())
    assert identity_auc(9 * f + 100, s.numpy(), e.numpy()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("at_once", [1, 50, 10**6])
def test_the_auc_in_blocks_is_scikit_learns(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.metrics import roc_auc_score

    monkeypatch.setattr("ferbench.evaluation.measures.identity_auc.AT_ONCE", at_once)
    random = np.random.default_rng(2)
    s, e = random.integers(0, 5, 40), random.integers(0, 4, 40)
    f = random.normal(size=(40, 6)) + random.normal(size=(5, 6))[s]
    f[3] = f[7]
    middle = f - f.mean(0)
    unit = (middle / np.linalg.norm(middle, axis=1, keepdims=True)).astype(np.float32)
    i, j = (np.array(side) for side in zip(*combinations(range(40), 2), strict=True))
    apart = e[i] != e[j]
    similarity = (unit @ unit.T)[i[apart], j[apart]]
    assert identity_auc(f, s, e) == pytest.approx(roc_auc_score((s[i] == s[j])[apart], similarity), abs=1e-6)


def test_subjects_contribute_to_the_auc_what_leaving_them_out_changes() -> None:
    """The jackknife of leaving out a subject: its pseudo-values agree to first order."""
    random = np.random.default_rng(3)
    s, e = np.repeat(np.arange(30), 8), np.tile(np.arange(4), 60)
    f = random.normal(size=(240, 5)) + 0.5 * random.normal(size=(30, 5))[s]
    f -= f.mean(0)
    values = np.array(list(identity_auc_by_subject(f, s, e).values()))
    whole = identity_auc(f, s, e)
    assert values.mean() == pytest.approx(whole)
    left = np.array([30 * whole - 29 * identity_auc(f[s != name], s[s != name], e[s != name]) for name in range(30)])
    assert np.corrcoef(values, left)[0, 1] > 0.98
    assert values.std() == pytest.approx(left.std(), rel=0.1)


def test_so_they_do_where_pairs_of_two_subjects_count_most() -> None:
    """Subjects lie in two clusters of unequal size: how a subject lies to the others decides."""
    random = np.random.default_rng(1)
    s, e = np.repeat(np.arange(24), 3), np.tile(np.arange(3), 24)
    centres = np.where(np.arange(24) < 7, 2.0, -1.0)[:, None] + 0.3 * random.normal(size=(24, 2))
    f = centres[s] + random.normal(size=(72, 2))
    values = np.array(list(identity_auc_by_subject(f, s, e).values()))
    whole = identity_auc(f, s, e)
    left = np.array([24 * whole - 23 * identity_auc(f[s != name], s[s != name], e[s != name]) for name in range(24)])
    assert values.std() == pytest.approx(left.std(), rel=0.25)


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
