"""What a probe finds out about identity; ferbench.evaluation.measures.leakage has the equation."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.leakage import leakage
from ferbench.evaluation.measures.probes import Probe, kernel_machine, linear_probe, nearest_neighbours
from ferbench.metrics.base import FeatureMetric

PROBES: dict[str, Probe] = {"linear": linear_probe, "knn": nearest_neighbours, "kernel": kernel_machine}


class IdentityLeakage(FeatureMetric):
    """How much more often a probe names a person for their own frames than for those of others, on expressions that it was not
    fitted on. At most 1, chance is 0; lower is better.

    >>> import torch
    >>> subjects = torch.arange(4).repeat_interleave(9)
    >>> expressions = torch.arange(3).repeat_interleave(3).repeat(4)
    >>> metric = IdentityLeakage()
    >>> metric.update(torch.eye(4)[subjects], subjects, expressions)
    >>> round(float(metric.compute()), 2)
    1.0

    Args:
        probe: "linear", "knn" for the nearest neighbour, or "kernel" for a support vector machine with a Gaussian kernel.
    """

    higher_is_better = False

    def __init__(self, probe: str = "linear", **settings: object) -> None:
        super().__init__(**settings)
        if probe not in PROBES:
            raise ValueError(f"probe is '{probe}'; it can be {' or '.join(PROBES)}.")
        self.probe = probe

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return leakage(features, subjects, expressions, PROBES[self.probe])
