"""Verification: can a stranger be recognised across expressions?

    AUC = P(cos(f_i, f_j) > cos(f_k, f_l)),   i, j of one subject and k, l of two, each pair of two expressions

0.5: nothing to tell; 1: every pair of one subject is nearer than every pair of two. Lower is better for a representation
of expression. The protocol of pairs is that of face verification; across expressions, so that the expression itself cannot help.
"""

from __future__ import annotations

import numpy as np

from ferbench.errors import FerbenchError
from ferbench.metrics.base import FeatureMetric


def identity_auc(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """features (N, D); subjects, expressions (N,). Ties count half.

    Raises:
        FerbenchError: there is no pair of one subject, or none of two, with two expressions.
    """
    from sklearn.metrics import roc_auc_score

    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(norms, 1e-12)
    first, second = np.triu_indices(len(features), 1)
    apart = expressions[first] != expressions[second]
    first, second = first[apart], second[apart]
    same = subjects[first] == subjects[second]
    if same.all() or not same.any():
        raise FerbenchError(
            "identity_auc needs pairs of one subject and of two, each with two expressions; this fold has none."
        )
    similarity = (unit @ unit.T)[first, second]
    return float(roc_auc_score(same, similarity))


class IdentityAUC(FeatureMetric):
    """Range 0 to 1, 0.5 is chance; lower is better."""

    higher_is_better = False

    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        return identity_auc(features, subjects, expressions)
