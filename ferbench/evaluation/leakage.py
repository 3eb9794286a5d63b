"""Identity leakage: what a representation of strangers' faces still tells about who they are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from ferbench.errors import FerbenchError
from ferbench.evaluation.probes import LinearProbe, cross_probe, nearest_neighbours
from ferbench.interfaces.evaluator import Outputs


@lru_cache(maxsize=1)  # selectivity asks again for the same outputs
def evaluate(outputs: Outputs) -> Mapping[str, float]:
    """`identity_leakage` (linear probe) and `identity_leakage_knn` (nearest neighbour), and each of the references as
    "identity_leakage/NAME".

    The test subjects, strangers to the model, are told apart by a probe that is fitted on the frames of some
    expressions and tested on the other expressions, so that neither expression nor near-duplicate frames of one
    sequence help it. 0: as good as chance; 1: every frame is given its subject. Subjects with one expression are left out.

    Features are centred by expression first. Without that, a representation that separates expressions well sends all
    frames of an unseen expression to a place that the probe has never seen, the probe fails, and identity seems gone: in
    a first trial DE-GAN's features had a leakage of 0.00 so, and of 0.55 when centred (docs/reference/evaluation.md).

    Raises:
        FerbenchError: fewer than two subjects have two expressions.
    """
    labels = outputs.frames["expression"].to_numpy(dtype=str)
    usable = usable_rows(outputs.subjects, labels)
    subjects, labels = outputs.subjects[usable], labels[usable]
    classes = np.unique(subjects)
    found = {}
    for name, features in outputs.representations.items():
        chosen = centred(features[usable], labels)
        found[f"identity_leakage{name}"] = cross_probe(LinearProbe, chosen, subjects, labels, classes)
        found[f"identity_leakage_knn{name}"] = cross_probe(nearest_neighbours, chosen, subjects, labels, classes)
    return found


def centred(features: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """(N, D) without the mean of each expression."""
    result = features.astype(np.float64)
    for expression in np.unique(expressions):
        result[expressions == expression] -= result[expressions == expression].mean(axis=0)
    return result


def usable_rows(subjects: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """(N,), bool: frames of subjects with at least two expressions.

    Raises:
        FerbenchError: fewer than two such subjects.
    """
    counts = {s: len(np.unique(expressions[subjects == s])) for s in np.unique(subjects)}
    enough = [s for s, count in counts.items() if count >= 2]
    if len(enough) < 2:
        raise FerbenchError(
            f"identity_leakage needs two test subjects with two expressions each; this fold has {len(enough)}."
        )
    return np.isin(subjects, enough)
