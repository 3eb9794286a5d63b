"""What a linear probe finds out about expression: the worth of the representation apart from the method's classifier."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from ferbench.errors import FerbenchError
from ferbench.evaluation.probes import LinearProbe, cross_probe
from ferbench.interfaces.evaluator import Outputs


@lru_cache(maxsize=1)  # selectivity asks again for the same outputs
def evaluate(outputs: Outputs) -> Mapping[str, float]:
    """`expression_probe`, and each of the references as "expression_probe/NAME": a linear probe fitted on some test
    subjects and tested on the others. 0: as good as chance; 1: perfect.

    Raises:
        FerbenchError: fewer than two subjects, or one expression.
    """
    labels = outputs.frames["expression"].to_numpy(dtype=str)
    classes = np.unique(labels)
    if len(np.unique(outputs.subjects)) < 2 or len(classes) < 2:
        raise FerbenchError("expression_probe needs two test subjects and two expressions; this fold has fewer.")
    return {
        f"expression_probe{name}": cross_probe(LinearProbe, features, labels, outputs.subjects, classes)
        for name, features in outputs.representations.items()
    }
