"""Verification: can a stranger be recognised across expressions?

    AUC = P(cos(f_i, f_j) > cos(f_k, f_l)),   i, j of one subject and k, l of two, each pair of two expressions

0.5: nothing to tell; 1: every pair of one subject is nearer than every pair of two. Lower is better for a representation
of expression. The protocol of pairs is that of face verification; across expressions, so that the expression itself cannot help.
"""

from __future__ import annotations

import numpy as np

from ferbench.errors import NotMeasurable


def identity_auc(features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
    """How often a pair of frames of one subject is more alike than a pair of two subjects.

    >>> subjects, expressions = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> identity_auc(np.eye(2)[subjects], subjects, expressions)
    1.0
    >>> identity_auc(np.ones((4, 2)), subjects, expressions)
    0.5

    Args:
        features: (N, D), float; their lengths do not matter. subjects, expressions: (N,), any labels.

    Returns:
        0 to 1, 0.5 is chance; ties count half.

    Raises:
        NotMeasurable: there is no pair of one subject, or none of two, with two expressions.
    """
    from sklearn.metrics import roc_auc_score

    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(norms, 1e-12)
    first, second = np.triu_indices(len(features), 1)
    apart = expressions[first] != expressions[second]
    first, second = first[apart], second[apart]
    same = subjects[first] == subjects[second]
    if same.all() or not same.any():
        raise NotMeasurable(
            "identity_auc needs pairs of one subject and of two, each with two expressions; this fold has none."
        )
    similarity = (unit @ unit.T)[first, second]
    return float(roc_auc_score(same, similarity))
