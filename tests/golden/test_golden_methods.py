"""Every method trains as it did when its version was raised last."""

from __future__ import annotations

import pytest

from tests.golden.cases import cases
from tests.golden.check import check


@pytest.mark.parametrize("key", [case.key for case in cases().values() if case.kind == "method"])
def test_a_method_trains_as_it_did(key: str) -> None:
    check(key)
