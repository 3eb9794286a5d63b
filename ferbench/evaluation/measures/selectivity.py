"""The one number that a disentangling method should raise:

    selectivity = expression_probe - identity_leakage

both 0 for chance and 1 for all that can be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferbench.evaluation.measures.expression_probe import expression_probe_by_subject
from ferbench.evaluation.measures.leakage import leakage_by_subject


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
        NotMeasurable: as of the two.
    """
    worth = expression_probe_by_subject(features, subjects, expressions)
    leak = leakage_by_subject(features, subjects, expressions)
    return float(np.mean(list(minus(worth, leak).values())))


def minus(ours: Mapping[Any, float], theirs: Mapping[Any, float]) -> dict[Any, float]:
    """By subject, such that the mean is the difference of the two means. A subject that one of them lacks has its mean there, and
    the others then weigh more.

    >>> minus({"a": 1.0, "b": 0.5}, {"a": 0.25})
    {'a': 0.75, 'b': 0.25}
    """
    names = sorted({*ours, *theirs})

    def spread(values: Mapping[Any, float]) -> dict[Any, float]:
        mean, scale = float(np.mean(list(values.values()))), len(names) / len(values)
        return {name: mean + scale * (values[name] - mean) if name in values else mean for name in names}

    one, other = spread(ours), spread(theirs)
    return {name: one[name] - other[name] for name in names}
