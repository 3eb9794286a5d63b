"""Codes and factors of variation: what MIG, SAP and DCI share (Locatello et al., ICML 2019)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import mutual_info_score

from ferbench.errors import FerbenchError

BINS = 20
"""Of each dimension of a code, between its least and greatest value, as in Locatello et al."""

LEVELS = 10
"""A factor with more numbers than this is cut into so many groups of equal size."""

DECIDED = 0.5
"""Of the entropy of a column: where expression or subject tells more, the column follows from them."""

NOT_FACTORS = frozenset(
    {"frame_id", "sequence", "position", "phase", "fold", "split", "path", "source", "expression", "subject"}
)


def factors_of(frames: pd.DataFrame) -> dict[str, np.ndarray]:
    """(N,) int by name: expression, subject, and every further column of the frame table that varies and is never missing. What
    expression or subject decides, a coefficient of the face for instance, is no factor of its own.

    Raises:
        FerbenchError: there are fewer than two factors.
    """
    found: dict[str, np.ndarray] = {}
    for name in ["expression", "subject", *map(str, frames.columns)]:
        if name in found or name.startswith("p_") or (name in NOT_FACTORS and name not in ("expression", "subject")):
            continue
        codes = _levels(frames[name])
        if codes is not None and not any(_decided(codes, found[k]) for k in ("expression", "subject") if k in found):
            found[name] = codes
    if len(found) < 2:
        raise FerbenchError("Disentanglement is measured between factors; these frames vary in fewer than two.")
    return found


def _levels(values: pd.Series) -> np.ndarray | None:
    """(N,) int; None for what is missing somewhere, never varies, or is new in most frames."""
    if values.isna().any():
        return None
    if pd.api.types.is_float_dtype(values) and values.nunique() > LEVELS:
        values = pd.qcut(values, LEVELS, duplicates="drop", labels=False)
    levels, codes = np.unique(values.to_numpy(dtype=str), return_inverse=True)
    return codes if 1 < len(levels) <= len(values) // 2 else None


def _decided(codes: np.ndarray, by: np.ndarray) -> bool:
    """Whether one factor tells more than half of another."""
    return mutual_info_score(codes, by) > DECIDED * entropy(codes)


def halves(subjects: np.ndarray, sequences: np.ndarray) -> np.ndarray:
    """(N,), bool: the half that is fitted on. The sequences of a subject go to the sides in turn, so that both know every
    subject and no sequence is on both."""
    table = (
        pd.DataFrame({"subject": subjects, "sequence": sequences})
        .drop_duplicates()
        .sort_values(["subject", "sequence"])
    )
    order = table.groupby("subject").cumcount() + table.groupby("subject").ngroup()
    side = dict(zip(zip(table["subject"], table["sequence"], strict=True), order % 2 == 0, strict=True))
    return np.array([side[pair] for pair in zip(subjects, sequences, strict=True)])


def mutual_information(features: np.ndarray, factors: dict[str, np.ndarray]) -> np.ndarray:
    """(D, F) nats: of each dimension, in BINS bins, and each factor."""
    low, high = features.min(0), features.max(0)
    scaled = (features - low) / np.where(high > low, high - low, 1)
    binned = np.minimum((scaled * BINS).astype(int), BINS - 1)
    found = np.empty((features.shape[1], len(factors)))
    for column, codes in enumerate(factors.values()):
        levels = codes.max() + 1
        offsets = np.arange(features.shape[1]) * BINS * levels
        counts = np.bincount(
            (offsets + binned * levels + codes[:, None]).ravel(), minlength=features.shape[1] * BINS * levels
        )
        joint = counts.reshape(features.shape[1], BINS, levels) / len(features)
        apart = joint.sum(2, keepdims=True) * joint.sum(1, keepdims=True)
        found[:, column] = np.where(
            joint > 0, joint * np.log(np.where(joint > 0, joint / np.where(apart > 0, apart, 1), 1)), 0
        ).sum((1, 2))
    return found


def entropy(codes: np.ndarray) -> float:
    """Nats."""
    shares = np.bincount(codes) / len(codes)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def gaps(scores: np.ndarray) -> np.ndarray:
    """(D, F) -> (F,): the best dimension of each factor minus the second best."""
    if len(scores) < 2:
        return scores[0]
    ordered = np.sort(scores, axis=0)
    return ordered[-1] - ordered[-2]


def block_gaps(scores: np.ndarray, expression_dims: int) -> np.ndarray:
    """(D, 2) for expression and subject -> (2,): the best dimension in the factor's own block minus the best in the other."""
    own, other = scores[:expression_dims].max(0), scores[expression_dims:].max(0)
    return np.array([own[0] - other[0], other[1] - own[1]])
