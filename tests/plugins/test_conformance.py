"""Every component that ships keeps the rules that strangers' have to keep."""

from __future__ import annotations

import pytest

from ferbench.cards import BackboneCard, EvaluatorCard, MethodCard, ProtocolCard
from ferbench.registry.loader import load_registry
from ferbench.testing import Check, NotTried, checks_of

REGISTRY = load_registry()
SHIPPED = [
    *(
        (kind.kind, name)
        for kind in (MethodCard, BackboneCard, ProtocolCard, EvaluatorCard)
        for name in REGISTRY.catalogue(kind)
    ),
    ("dataset", "synthfaces"),
    *(("executor", name) for name in ("auto", "inprocess", "processes")),  # others need a cluster: tests/engines
]


@pytest.mark.parametrize("check", [c for kind, name in SHIPPED for c in checks_of(kind, name)], ids=str)
def test_conformance(check: Check) -> None:
    try:
        check.run()
    except NotTried:
        assert check.component == "listed", "its folds are those of a file"
