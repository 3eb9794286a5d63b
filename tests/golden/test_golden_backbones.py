"""Every backbone maps images to features as it did when its version was raised last."""

from __future__ import annotations

import pytest

from tests.golden.cases import cases
from tests.golden.check import check


@pytest.mark.parametrize("key", [case.key for case in cases().values() if case.kind == "backbone"])
def test_a_backbone_gives_the_maps_that_it_gave(key: str) -> None:
    check(key)
