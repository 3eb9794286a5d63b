"""Identity leakage of the representation and of what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from ferbench.evaluation.measures.leakage import leakage_by_subject
from ferbench.evaluation.measures.probes import LinearProbe, Probe, kernel_machine, nearest_neighbours
from ferbench.interfaces.evaluator import Outputs, PerSubject

STRONGEST = "identity_leakage_strongest"


def evaluate(outputs: Outputs) -> Mapping[str, PerSubject]:
    """`identity_leakage` (linear probe), `identity_leakage_knn` (nearest neighbour), `identity_leakage_kernel` (support vector
    machine), and `identity_leakage_strongest`, that of the three that is highest; and each for the references as
    "identity_leakage/NAME". See ferbench.evaluation.measures.leakage.

    Raises:
        NotMeasurable: fewer than two subjects have two expressions, or no probe can be fitted.
    """
    return outputs.once(__name__, _evaluate)


def _evaluate(outputs: Outputs) -> Mapping[str, PerSubject]:
    labels = outputs.frames["expression"].to_numpy(dtype=str)
    probes: dict[str, Probe] = {
        "identity_leakage": LinearProbe(outputs.device),
        "identity_leakage_knn": nearest_neighbours,
        "identity_leakage_kernel": kernel_machine,
    }
    found: dict[str, PerSubject] = {}
    for name, features in outputs.representations.items():
        own = {
            f"{metric}{name}": PerSubject(leakage_by_subject(features, outputs.subjects, labels, probe))
            for metric, probe in probes.items()
        }
        found |= own | {f"{STRONGEST}{name}": max(own.values(), key=lambda value: value.mean)}
    return found
