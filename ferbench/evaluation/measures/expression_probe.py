"""What a linear probe finds out about expression: the worth of a representation apart from the method's classifier.

(a - c) / (1 - c),   a the balanced accuracy of the probe on subjects that it was not fitted on, c = 1 / expressions
"""

from __future__ import annotations

import numpy as np

from ferbench.errors import NotMeasurable
from ferbench.evaluation.measures.probes import LinearProbe, cross_probe


def expression_probe(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """How well a linear probe tells expressions apart, on subjects that it was not fitted on.

    >>> subjects, expressions = np.repeat(np.arange(4), 9), np.tile(np.repeat(np.arange(3), 3), 4)
    >>> round(expression_probe(np.eye(3)[expressions], subjects, expressions), 2)
    1.0

    Args:
        features: (N, D), float. subjects, expressions: (N,), any labels.

    Returns:
        At most 1: perfect. 0: as good as chance.

    Raises:
        NotMeasurable: fewer than two subjects, or one expression.
    """
    classes = np.unique(expressions)
    if len(np.unique(subjects)) < 2 or len(classes) < 2:
        raise NotMeasurable("expression_probe needs two test subjects and two expressions; this fold has fewer.")
    return cross_probe(LinearProbe, features, expressions, subjects, classes)
