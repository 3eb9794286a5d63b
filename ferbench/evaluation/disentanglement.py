"""MIG, SAP and DCI of the representation, for datasets with known factors: docs/reference/evaluation.md. On request only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench.evaluation.factors import block_gaps, entropy, factors_of, gaps, halves, mutual_information
from ferbench.interfaces.evaluator import Outputs
from ferbench.metrics.dci import completeness, disentanglement, importances
from ferbench.metrics.mig import mig
from ferbench.metrics.sap import sap_scores

BLOCKS = ("expression", "subject")


def evaluate(outputs: Outputs) -> Mapping[str, float]:
    """`mig`, `sap`, `dci_disentanglement`, `dci_completeness`, `dci_informativeness` over all factors of the frame table, and
    `mig_expression`, `mig_subject`, `sap_expression`, `sap_subject` of these two; of methods with a representation of identity
    also `mig_blocks`, `sap_blocks` and `dci_blocks`: whether each of the two stands in its own block (our reading of the three
    measures for blocks).

    Raises:
        FerbenchError: the frames vary in fewer than two factors.
    """
    factors = factors_of(outputs.frames)
    fit = halves(outputs.subjects, outputs.frames["sequence"].to_numpy(dtype=str))
    information, scores = mig(outputs.features, factors), sap_scores(outputs.features, factors, fit)
    separation = dict(zip(factors, map(float, gaps(scores)), strict=True))
    importance, right = importances(outputs.features, factors, fit)
    found = {
        "mig": float(np.mean(list(information.values()))),
        "sap": float(np.mean(list(separation.values()))),
        "dci_disentanglement": disentanglement(importance),
        "dci_completeness": completeness(importance),
        "dci_informativeness": float(right.mean()),
    }
    for name in BLOCKS:
        if name in factors:
            found |= {f"mig_{name}": information[name], f"sap_{name}": separation[name]}
    if outputs.identity_features is not None and set(BLOCKS) <= set(factors):
        found |= _blocks(outputs, {name: factors[name] for name in BLOCKS}, fit)
    return found


def _blocks(outputs: Outputs, factors: dict[str, np.ndarray], fit: np.ndarray) -> dict[str, float]:
    assert outputs.identity_features is not None
    both = np.concatenate([outputs.features, outputs.identity_features], axis=1)
    own = outputs.features.shape[1]
    scale = np.array([entropy(codes) for codes in factors.values()])
    importance, _ = importances(both, factors, fit)
    return {
        "mig_blocks": float((block_gaps(mutual_information(both, factors), own) / scale).mean()),
        "sap_blocks": float(block_gaps(sap_scores(both, factors, fit), own).mean()),
        "dci_blocks": disentanglement(np.stack([importance[:own].sum(0), importance[own:].sum(0)])),
    }
