"""The method keeps the rules of ferbench."""

from __future__ import annotations

from ferbench.testing import conformance

test_conformance = conformance("method", "ada_cm")
