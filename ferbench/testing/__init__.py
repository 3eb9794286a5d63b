"""Tests of plugins: the conformance checks of `ferbench check` as pytest tests, and what a test of a method works on.

from ferbench.testing import conformance

test_conformance = conformance("method", "mine")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferbench.testing.cases import conformance as conformance
    from ferbench.testing.checks import Check as Check
    from ferbench.testing.checks import checks_of as checks_of
    from ferbench.testing.inputs import CPU as CPU
    from ferbench.testing.inputs import EXPRESSIONS as EXPRESSIONS
    from ferbench.testing.inputs import SIZE as SIZE
    from ferbench.testing.inputs import STEPS as STEPS
    from ferbench.testing.inputs import SUBJECTS as SUBJECTS
    from ferbench.testing.inputs import Drawn as Drawn
    from ferbench.testing.inputs import NotTried as NotTried
    from ferbench.testing.inputs import make_batch as make_batch
    from ferbench.testing.inputs import make_frames as make_frames
    from ferbench.testing.inputs import make_method as make_method
    from ferbench.testing.inputs import make_outputs as make_outputs
    from ferbench.testing.inputs import make_task as make_task
    from ferbench.testing.inputs import method_named as method_named
    from ferbench.testing.inputs import small_backbone as small_backbone
    from ferbench.testing.inputs import training as training
    from ferbench.testing.inputs import variants_of as variants_of

# name -> module that defines it; see __getattr__
_LAZY = {
    "Check": "ferbench.testing.checks",
    "checks_of": "ferbench.testing.checks",
    "conformance": "ferbench.testing.cases",
    "CPU": "ferbench.testing.inputs",
    "EXPRESSIONS": "ferbench.testing.inputs",
    "SIZE": "ferbench.testing.inputs",
    "STEPS": "ferbench.testing.inputs",
    "SUBJECTS": "ferbench.testing.inputs",
    "Drawn": "ferbench.testing.inputs",
    "NotTried": "ferbench.testing.inputs",
    "make_batch": "ferbench.testing.inputs",
    "make_frames": "ferbench.testing.inputs",
    "make_method": "ferbench.testing.inputs",
    "make_outputs": "ferbench.testing.inputs",
    "make_task": "ferbench.testing.inputs",
    "method_named": "ferbench.testing.inputs",
    "small_backbone": "ferbench.testing.inputs",
    "training": "ferbench.testing.inputs",
    "variants_of": "ferbench.testing.inputs",
}

__all__ = [
    "CPU",
    "EXPRESSIONS",
    "SIZE",
    "STEPS",
    "SUBJECTS",
    "Check",
    "Drawn",
    "NotTried",
    "checks_of",
    "conformance",
    "make_batch",
    "make_frames",
    "make_method",
    "make_outputs",
    "make_task",
    "method_named",
    "small_backbone",
    "training",
    "variants_of",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'ferbench.testing' has no attribute '{name}'")
