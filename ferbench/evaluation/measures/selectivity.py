"""The one number that a disentangling method should raise:

    selectivity = expression_probe - identity_leakage

both normalised to chance.
"""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.expression_probe import expression_probe
from ferbench.evaluation.measures.leakage import leakage


def selectivity(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """Expression probe minus identity leakage, both with a linear probe.

    >>> subjects, expressions = np.repeat(np.arange(4), 9), np.tile(np.repeat(np.arange(3), 3), 4)
    >>> selectivity(np.eye(3)[expressions], subjects, expressions) > 0.9
    True

    Args:
        features: (N, D), float. subjects, expressions: (N,), any labels.

    Returns:
        1 knows all of expression and nothing of identity, 0 as much of both, -1 the reverse; up to 2 and down to -2 where one
        of the two is worse than chance.

    Raises:
        NotMeasurable: fewer than two subjects have two expressions.
    """
    return expression_probe(features, subjects, expressions) - leakage(features, subjects, expressions)
