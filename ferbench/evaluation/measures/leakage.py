"""Identity leakage: what a representation of strangers' faces still tells about who they are.

    (a - c) / (1 - c),   a the balanced accuracy of a probe on expressions that it was not fitted on, c = 1 / subjects

The subjects are told apart by a probe that is fitted on the frames of some expressions and tested on the other expressions, so
that neither expression nor near-duplicate frames of one sequence help it.

Features are centred by expression first. Without that, a representation that separates expressions well sends all
frames of an unseen expression to a place that the probe has never seen, the probe fails, and identity seems gone: in
a first trial DE-GAN's features had a leakage of 0.00 so, and of 0.55 when centred (docs/reference/evaluation.md).
"""

from __future__ import annotations

import numpy as np

from ferbench.errors import NotMeasurable
from ferbench.evaluation.measures.probes import LinearProbe, Probe, cross_probe


def leakage(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray, probe: Probe = LinearProbe) -> float:
    """How well a probe tells subjects apart, on expressions that it was not fitted on.

    >>> subjects, expressions = np.repeat(np.arange(4), 9), np.tile(np.repeat(np.arange(3), 3), 4)
    >>> round(leakage(np.eye(4)[subjects], subjects, expressions), 2)
    1.0

    Args:
        features: (N, D), float. subjects, expressions: (N,), any labels. Subjects with one expression are left out.
        probe: `LinearProbe`, or `nearest_neighbours` for one that needs no linear structure.

    Returns:
        At most 1: every frame is given its subject. 0: as good as chance.

    Raises:
        NotMeasurable: fewer than two subjects have two expressions.
    """
    usable = usable_rows(subjects, expressions)
    subjects, expressions = subjects[usable], expressions[usable]
    chosen = centred(features[usable], expressions)
    return cross_probe(probe, chosen, subjects, expressions, np.unique(subjects))


def centred(features: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """Features (N, D) without the mean of each expression (N,).

    >>> centred(np.array([[1.0], [3.0], [9.0]]), np.array(["joy", "joy", "fear"])).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    result = features.astype(np.float64)
    for expression in np.unique(expressions):
        result[expressions == expression] -= result[expressions == expression].mean(axis=0)
    return result


def usable_rows(subjects: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """(N,), bool: frames of subjects with at least two expressions; subjects, expressions: (N,).

    >>> usable_rows(np.array(list("aabbc")), np.array([0, 1, 0, 1, 0])).tolist()
    [True, True, True, True, False]

    Raises:
        NotMeasurable: fewer than two such subjects.
    """
    counts = {s: len(np.unique(expressions[subjects == s])) for s in np.unique(subjects)}
    enough = [s for s, count in counts.items() if count >= 2]
    if len(enough) < 2:
        raise NotMeasurable(
            f"identity_leakage needs two test subjects with two expressions each; this fold has {len(enough)}."
        )
    return np.isin(subjects, enough)
