"""Measures of disentanglement as `torchmetrics.Metric`, usable without the rest of ferbench: one file a metric.

    from ferbench.metrics import IdentityLeakage

    metric = IdentityLeakage()
    for images, subjects, expressions in loader:
        metric.update(network(images), subjects, expressions)
    metric.compute()

`MIG`, `SAP` and `DCI` take (features, factors), factors (B, F). Features are of people that the network was not trained on.
`ferbench run` and `ferbench evaluate` compute the same figures.
"""

from __future__ import annotations

from ferbench.metrics.dci import DCI
from ferbench.metrics.expression_probe import ExpressionProbe
from ferbench.metrics.identity_auc import IdentityAUC
from ferbench.metrics.identity_leakage import IdentityLeakage
from ferbench.metrics.mig import MIG
from ferbench.metrics.sap import SAP
from ferbench.metrics.selectivity import Selectivity

__all__ = ["DCI", "MIG", "SAP", "ExpressionProbe", "IdentityAUC", "IdentityLeakage", "Selectivity"]
