"""Measures of disentanglement as `torchmetrics.Metric`, usable without the rest of ferbench: one file a metric.

    from ferbench.metrics import IdentityLeakage

    metric = IdentityLeakage()
    for images, subjects, expressions in loader:
        metric.update(network(images), subjects, expressions)
    metric.compute()

Features are of people that the network was not trained on. `ferbench run` computes the same figures.
"""

from __future__ import annotations

from ferbench.metrics.expression_probe import ExpressionProbe
from ferbench.metrics.identity_auc import IdentityAUC
from ferbench.metrics.identity_leakage import IdentityLeakage
from ferbench.metrics.selectivity import Selectivity

__all__ = ["ExpressionProbe", "IdentityAUC", "IdentityLeakage", "Selectivity"]
