"""Every component that ships keeps the rules that strangers' have to keep."""

from __future__ import annotations

import pytest

from ferbench.cards import BackboneCard, MethodCard
from ferbench.registry.loader import load_registry
from ferbench.testing import Check, checks_of

REGISTRY = load_registry()
SHIPPED = [
    *(("method", name) for name in REGISTRY.catalogue(MethodCard)),
    *(("backbone", name) for name in REGISTRY.catalogue(BackboneCard)),
    ("dataset", "synthfaces"),
]


@pytest.mark.parametrize("check", [c for kind, name in SHIPPED for c in checks_of(kind, name)], ids=str)
def test_conformance(check: Check) -> None:
    check.run()
