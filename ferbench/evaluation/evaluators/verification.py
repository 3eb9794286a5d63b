"""Whether strangers can be recognised across expressions."""

from __future__ import annotations

from collections.abc import Mapping

from ferbench.evaluation.measures.identity_auc import identity_auc_by_subject
from ferbench.interfaces.evaluator import Outputs, PerSubject


def evaluate(outputs: Outputs) -> Mapping[str, PerSubject]:
    """`identity_auc`, and each of the references as "identity_auc/NAME"; see ferbench.evaluation.measures.identity_auc.

    Raises:
        NotMeasurable: there is no pair of one subject, or none of two, with two expressions.
    """
    expressions = outputs.frames["expression"].to_numpy(dtype=str)
    return {
        f"identity_auc{name}": PerSubject(identity_auc_by_subject(features, outputs.subjects, expressions))
        for name, features in outputs.representations.items()
    }
