"""Corrections for many tests."""

from __future__ import annotations

import math

import pytest

from ferbench.ranking import statistics


def test_holm_by_hand() -> None:
    """Four p-values, 0.01, 0.04, 0.03, 0.005: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not be below 0.06."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    with_nan = statistics.holm([math.nan, 0.02])
    assert math.isnan(with_nan[0])
    assert with_nan[1] == pytest.approx(0.02)
