"""The method keeps the rules of ferbench."""

from __future__ import annotations

import pytest

from ferbench.testing import Check, checks_of


@pytest.mark.parametrize("check", checks_of("method", "frame_attention"), ids=str)
def test_conformance(check: Check) -> None:
    check.run()
