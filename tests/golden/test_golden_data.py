"""Frames, folds and batches are what they were when the version that stands for them was raised last."""

from __future__ import annotations

import pytest

from tests.golden.cases import cases
from tests.golden.check import check


@pytest.mark.parametrize("key", [case.key for case in cases().values() if case.kind in ("core", "dataset", "protocol")])
def test_the_way_from_a_dataset_to_a_batch_is_what_it_was(key: str) -> None:
    check(key)
