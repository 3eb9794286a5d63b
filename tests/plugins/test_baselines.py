"""The baselines."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ferbench import MethodCard
from ferbench.interfaces.method import Clock
from ferbench.registry import load_registry
from ferbench.testing.checks import make_batch, make_method


def test_cross_entropy_by_hand() -> None:
    registry = load_registry()
    method = make_method(registry, registry.get(MethodCard, "cross_entropy"))
    batch = make_batch(method.task)
    (update,) = method.stages()[0].step(batch, Clock(0, 1))
    probabilities = method.logits(batch.images).softmax(1)
    by_hand = -probabilities[range(12), batch.expression].log().mean()
    assert update.loss.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_label_smoothing_by_hand() -> None:
    registry = load_registry()
    method = make_method(registry, registry.get(MethodCard, "cross_entropy"), {"label_smoothing": 0.3})
    batch = make_batch(method.task)
    (update,) = method.stages()[0].step(batch, Clock(0, 1))
    target = 0.7 * F.one_hot(batch.expression, 6) + 0.3 / 6
    by_hand = -(target * method.logits(batch.images).log_softmax(1)).sum(1).mean()
    assert update.loss.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_features_are_what_the_classifier_sees() -> None:
    registry = load_registry()
    method = make_method(registry, registry.get(MethodCard, "cross_entropy")).eval()
    images = make_batch(method.task).images
    assert torch.equal(method.classifier(method.features(images)), method.logits(images))  # type: ignore[operator]
