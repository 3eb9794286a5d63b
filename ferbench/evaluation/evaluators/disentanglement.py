"""MIG, SAP and DCI of the representation, for datasets with known factors: docs/reference/evaluation.md. On request only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench.evaluation.measures.blocks import blocks
from ferbench.evaluation.measures.dci import dci
from ferbench.evaluation.measures.factors import factors_of, halves
from ferbench.evaluation.measures.mig import mig
from ferbench.evaluation.measures.sap import sap
from ferbench.interfaces.evaluator import Outputs

BLOCKS = ("expression", "subject")


def evaluate(outputs: Outputs) -> Mapping[str, float]:
    """`mig`, `sap`, `dci_disentanglement`, `dci_completeness`, `dci_informativeness` over all factors of the frame table, and
    `mig_expression`, `mig_subject`, `sap_expression`, `sap_subject` of these two; of methods with a representation of identity
    also `mig_blocks`, `sap_blocks` and `dci_blocks`: whether each of the two stands in its own block.

    Raises:
        NotMeasurable: the frames vary in fewer than two factors.
    """
    factors = factors_of(outputs.frames)
    fit = halves(outputs.subjects, outputs.frames["sequence"].to_numpy(dtype=str))
    information, separation = mig(outputs.features, factors), sap(outputs.features, factors, fit)
    found = {"mig": float(np.mean(list(information.values()))), "sap": float(np.mean(list(separation.values())))}
    found |= {f"dci_{part}": value for part, value in dci(outputs.features, factors, fit).items()}
    for name in BLOCKS:
        if name in factors:
            found |= {f"mig_{name}": information[name], f"sap_{name}": separation[name]}
    if outputs.identity_features is not None and set(BLOCKS) <= set(factors):
        own = {name: factors[name] for name in BLOCKS}
        found |= blocks(outputs.features, outputs.identity_features, own, fit)
    return found
