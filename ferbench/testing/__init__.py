"""Tests of plugins: the conformance checks of `ferbench check` as pytest tests, and what a test of a method works on.

from ferbench.testing import conformance

test_conformance = conformance("method", "mine")
"""

from __future__ import annotations

from ferbench.testing.checks import Check, checks_of
from ferbench.testing.conformance import conformance
from ferbench.testing.inputs import (
    CPU,
    EXPRESSIONS,
    SIZE,
    STEPS,
    SUBJECTS,
    make_batch,
    make_method,
    make_task,
    small_backbone,
    training,
    variants_of,
)

__all__ = [
    "CPU",
    "EXPRESSIONS",
    "SIZE",
    "STEPS",
    "SUBJECTS",
    "Check",
    "checks_of",
    "conformance",
    "make_batch",
    "make_method",
    "make_task",
    "small_backbone",
    "training",
    "variants_of",
]
