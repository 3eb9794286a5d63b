"""Every evaluator gives the same metrics of the same outputs as when its version was raised last."""

from __future__ import annotations

import pytest

from tests.golden.cases import cases
from tests.golden.check import check


@pytest.mark.parametrize("key", [case.key for case in cases().values() if case.kind == "evaluator"])
def test_an_evaluator_measures_as_it_did(key: str) -> None:
    check(key)
