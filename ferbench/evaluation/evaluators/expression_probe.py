"""The expression probe on the representation and on what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from ferbench.evaluation.measures.expression_probe import expression_probe_by_subject
from ferbench.interfaces.evaluator import Outputs, PerSubject


def evaluate(outputs: Outputs) -> Mapping[str, PerSubject]:
    """`expression_probe`, and each of the references as "expression_probe/NAME"; see
    ferbench.evaluation.measures.expression_probe.

    Raises:
        NotMeasurable: fewer than two subjects, or one expression.
    """
    return outputs.once(__name__, _evaluate)


def _evaluate(outputs: Outputs) -> Mapping[str, PerSubject]:
    labels = outputs.frames["expression"].to_numpy(dtype=str)
    return {
        f"expression_probe{name}": PerSubject(
            expression_probe_by_subject(features, outputs.subjects, labels, outputs.device)
        )
        for name, features in outputs.representations.items()
    }
