"""Loss and queue are the papers'."""

from __future__ import annotations

import math

import pytest
import torch
from ferbench_example_momentum.method import Queue, contrast
from torch.nn import functional as F


def test_the_contrast_by_hand() -> None:
    """Two queries; three keys, of which one is missing."""
    queries, labels = torch.eye(2), torch.tensor([0, 1])
    keys, key_labels = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), torch.tensor([0, 0, -1])
    total = math.exp(1 / 0.5) + math.exp(0.6 / 0.5)
    first = -(math.log(math.exp(1 / 0.5) / total) + math.log(math.exp(0.6 / 0.5) / total)) / 2
    found = contrast(queries, labels, keys, key_labels, temperature=0.5)
    assert found.item() == pytest.approx(first / 2), "the second query has no key of its class"


def test_with_one_key_of_each_class_it_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, keys = (F.normalize(torch.randn(4, 8, generator=generator)) for _ in range(2))
    labels = torch.tensor([2, 0, 3, 1])
    expected = F.cross_entropy(queries @ keys.T / 0.07, labels)
    assert torch.allclose(contrast(queries, labels, keys, torch.arange(4), 0.07), expected)


@pytest.mark.parametrize("size", [3, 5, 8, 40])
def test_a_queue_holds_the_last_keys(size: int) -> None:
    queue = Queue(size, 2)
    rows = torch.arange(40.0).view(20, 2)
    for start in range(0, 20, 5):
        queue.push(rows[start : start + 5], torch.arange(start, start + 5))
    held = sorted(label for label in queue.labels.tolist() if label >= 0)
    assert held == list(range(max(20 - size, 0), 20))
    for key, label in zip(queue.keys, queue.labels.tolist(), strict=True):
        assert torch.equal(key, rows[label] if label >= 0 else torch.zeros(2))
