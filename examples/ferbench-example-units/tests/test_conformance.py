"""Method and evaluator keep the rules of ferbench."""

from __future__ import annotations

from ferbench.testing import conformance

test_method = conformance("method", "unit_coupling")
test_evaluator = conformance("evaluator", "units_by_subject")
