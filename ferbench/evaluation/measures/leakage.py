"""Identity leakage: what a representation of strangers' faces still tells about who they are.

    mean over subjects s of  P(said s | frame of s) - P(said s | frame of another),   said by a probe

on expressions that the probe was not fitted on: it is fitted on the frames of some expressions and tested on the others, so that
neither expression nor near-duplicate frames of one sequence help it. Frames are compared within an expression. Where all subjects
have as many frames this is (a - c) / (1 - c) with the accuracy a and c = 1 / subjects. Unlike that, it is 0 in expectation for a
representation of noise whatever the numbers of frames: a subject whose frames are held out has fewer left to be fitted on, is
named less often, and would fall below c.

Features are centred by expression first. Without that, a representation that separates expressions well sends all
frames of an unseen expression to a place that the probe has never seen, the probe fails, and identity seems gone: in
a first trial DE-GAN's features had a leakage of 0.00 so, and of 0.55 when centred (docs/reference/evaluation.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ferbench.errors import NotMeasurable
from ferbench.evaluation.measures.probes import Probe, cross_probe, finite, linear_probe


def leakage(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray, probe: Probe = linear_probe) -> float:
    """How well a probe tells subjects apart, on expressions that it was not fitted on: the mean of `leakage_by_subject`.

    >>> subjects, expressions = np.repeat(np.arange(4), 9), np.tile(np.repeat(np.arange(3), 3), 4)
    >>> round(leakage(np.eye(4)[subjects], subjects, expressions), 2)
    1.0
    """
    return float(np.mean(list(leakage_by_subject(features, subjects, expressions, probe).values())))


def leakage_by_subject(
    features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray, probe: Probe = linear_probe
) -> dict[Any, float]:
    """How much more often a probe names a subject for its own frames than for those of others.

    Args:
        features: (N, D), float. subjects, expressions: (N,), any labels. Subjects with one expression are left out.
        probe: `linear_probe`, `nearest_neighbours` or `kernel_machine`.

    Returns:
        By subject, -1 to 1: 1 if all its frames and no others are given to it, 0 for chance.

    Raises:
        NotMeasurable: fewer than two subjects have two expressions, no probe could be fitted, or features are not finite.
    """
    finite(features, "identity_leakage")
    usable = usable_rows(subjects, expressions)
    subjects, expressions = subjects[usable], expressions[usable]
    chosen = centred(features[usable], expressions)
    values = cross_probe(probe, chosen, subjects, expressions).above_chance(expressions)
    found = {
        subject: float(values[own].mean())
        for subject in np.unique(subjects)
        if (own := (subjects == subject) & np.isfinite(values)).any()
    }
    if len(found) < 2:
        raise NotMeasurable(
            "identity_leakage needs test subjects that share expressions: here no probe can be fitted on some expressions of two "
            "subjects and tested on another that they share."
        )
    return found


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
