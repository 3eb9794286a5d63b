"""What a linear probe finds out about expression: the worth of a representation apart from the method's classifier.

    mean over expressions e of  P(said e | frame of e) - P(said e | frame of another),   said by a probe

on subjects that it was not fitted on. Where all expressions have as many frames this is (a - c) / (1 - c) with the accuracy a and
c = 1 / expressions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ferbench.errors import NotMeasurable
from ferbench.evaluation.measures.probes import LinearProbe, cross_probe, finite


def expression_probe(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """How well a linear probe tells expressions apart, on subjects that it was not fitted on: the mean of
    `expression_probe_by_subject`.

    >>> subjects, expressions = np.repeat(np.arange(4), 9), np.tile(np.repeat(np.arange(3), 3), 4)
    >>> round(expression_probe(np.eye(3)[expressions], subjects, expressions), 2)
    1.0
    """
    return float(np.mean(list(expression_probe_by_subject(features, subjects, expressions).values())))


def expression_probe_by_subject(
    features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray, device: str = "cpu"
) -> dict[Any, float]:
    """What each subject contributes to the expression probe: the mean over all, and by how much its answers raise the means of its
    expressions. Expressions have equal weight, so that a subject who shows rare ones contributes more.

    Args:
        features: (N, D), float. subjects, expressions: (N,), any labels.
        device: of torch, on which the probes are fitted.

    Returns:
        By subject. The mean is 1 where all answers are right, and 0 in expectation by chance.

    Raises:
        NotMeasurable: fewer than two subjects or expressions, no probe could be fitted, or features are not finite.
    """
    finite(features, "expression_probe")
    if len(np.unique(subjects)) < 2 or len(np.unique(expressions)) < 2:
        raise NotMeasurable("expression_probe needs two test subjects and two expressions; this fold has fewer.")
    values = cross_probe(LinearProbe(device), features, expressions, subjects).above_chance()
    tested = np.isfinite(values)
    shown, counts = np.unique(expressions[tested], return_counts=True)
    if len(shown) < 2:
        raise NotMeasurable(
            "expression_probe needs expressions that several test subjects show: here no probe can be fitted on some subjects and "
            "tested on others that show two of the same expressions."
        )
    weight = dict(zip(shown, 1 / (counts * len(shown)), strict=True))
    means = {expression: values[tested & (expressions == expression)].mean() for expression in shown}
    raised = np.zeros(len(values))
    for row in np.flatnonzero(tested):
        raised[row] = weight[expressions[row]] * (values[row] - means[expressions[row]])
    names, mean = np.unique(subjects[tested]), float(np.mean(list(means.values())))
    return {name: mean + float(len(names) * raised[subjects == name].sum()) for name in names}
