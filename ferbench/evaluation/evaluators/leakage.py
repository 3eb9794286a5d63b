"""Identity leakage of the representation and of what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from ferbench.evaluation.measures.leakage import leakage
from ferbench.evaluation.measures.probes import LinearProbe, nearest_neighbours
from ferbench.interfaces.evaluator import Outputs


def evaluate(outputs: Outputs) -> Mapping[str, float]:
    """`identity_leakage` (linear probe) and `identity_leakage_knn` (nearest neighbour), and each of the references as
    "identity_leakage/NAME"; see ferbench.evaluation.measures.leakage.

    Raises:
        NotMeasurable: fewer than two subjects have two expressions.
    """
    return outputs.once(__name__, _evaluate)


def _evaluate(outputs: Outputs) -> Mapping[str, float]:
    labels = outputs.frames["expression"].to_numpy(dtype=str)
    found = {}
    for name, features in outputs.representations.items():
        found[f"identity_leakage{name}"] = leakage(features, outputs.subjects, labels, LinearProbe)
        found[f"identity_leakage_knn{name}"] = leakage(features, outputs.subjects, labels, nearest_neighbours)
    return found
