"""Whether expression and identity each stand in a block of dimensions of their own: our reading of MIG, SAP and DCI for blocks."""

from __future__ import annotations

import numpy as np

from ferbench.evaluation.measures.dci import disentanglement, importances
from ferbench.evaluation.measures.factors import entropy, mutual_information
from ferbench.evaluation.measures.sap import sap_scores


def blocks(
    expression_code: np.ndarray, identity_code: np.ndarray, factors: dict[str, np.ndarray], fit: np.ndarray
) -> dict[str, float]:
    """`mig_blocks` and `sap_blocks`, -1 to 1, and `dci_blocks`, 0 to 1: with the best dimension of the other block in place of the
    second best dimension, and with the importance of a block in place of that of a dimension.

    >>> grid = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 20)
    >>> factors = {"expression": grid[:, 0], "subject": grid[:, 1]}
    >>> found = blocks(1.0 * grid[:, :1], 1.0 * grid[:, 1:], factors, np.arange(80) < 40)
    >>> found["mig_blocks"], found["sap_blocks"], found["dci_blocks"] > 0.9
    (1.0, 0.5, True)

    Args:
        expression_code: (N, D). identity_code: (N, D').
        factors: "expression" and "subject" in this order, each (N,), int, levels from 0.
        fit: (N,), bool, the frames to fit on; the others are scored.
    """
    both = np.concatenate([expression_code, identity_code], axis=1)
    own = expression_code.shape[1]
    scale = np.array([entropy(codes) for codes in factors.values()])
    importance, _ = importances(both, factors, fit)
    return {
        "mig_blocks": float((block_gaps(mutual_information(both, factors), own) / scale).mean()),
        "sap_blocks": float(block_gaps(sap_scores(both, factors, fit), own).mean()),
        "dci_blocks": disentanglement(np.stack([importance[:own].sum(0), importance[own:].sum(0)])),
    }


def block_gaps(scores: np.ndarray, expression_dims: int) -> np.ndarray:
    """(D, 2) for expression and subject -> (2,): the best dimension in the factor's own block minus the best in the other.

    >>> block_gaps(np.array([[0.75, 0.25], [0.5, 0.75]]), 1).tolist()
    [0.25, 0.5]
    """
    own, other = scores[:expression_dims].max(0), scores[expression_dims:].max(0)
    return np.array([own[0] - other[0], other[1] - own[1]])
