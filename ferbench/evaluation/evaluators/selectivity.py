"""Expression probe minus identity leakage, of the representation and of what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from ferbench.evaluation.evaluators import expression_probe, leakage
from ferbench.evaluation.measures.selectivity import minus
from ferbench.interfaces.evaluator import Outputs, PerSubject


def evaluate(outputs: Outputs) -> Mapping[str, PerSubject]:
    """`selectivity`, and each of the references as "selectivity/NAME". Raises NotMeasurable as the two do."""
    worth, leak = expression_probe.evaluate(outputs), leakage.evaluate(outputs)
    return {
        f"selectivity{name}": PerSubject(
            minus(worth[f"expression_probe{name}"].values, leak[f"identity_leakage{name}"].values)
        )
        for name in outputs.representations
    }
