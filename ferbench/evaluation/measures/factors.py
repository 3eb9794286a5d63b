"""Codes and factors of variation: what MIG, SAP and DCI share (Locatello et al., ICML 2019)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import mutual_info_score

from ferbench.errors import NotMeasurable
from ferbench.factors import NAMES, cut

BINS = 20
"""Of each dimension of a code, between its least and greatest value, as in Locatello et al."""

LEVELS = 10
"""A factor with more numbers than this is cut into so many groups of equal size."""

DECIDED = 0.5
"""Of the entropy of a column: where expression or subject tells more, the column follows from them."""

NOT_FACTORS = NAMES | {"phase", "fold", "split", "path", "source", "expression", "subject"}
"""Columns that are not looked at as further factors: expression and subject come first anyway."""


def factors_of(frames: pd.DataFrame) -> dict[str, np.ndarray]:
    """(N,) int by name: expression, subject, and every further column of the frame table that varies and is never missing. What
    expression or subject decides, a coefficient of the face for instance, is no factor of its own.

    Raises:
        NotMeasurable: there are fewer than two factors.
    """
    found: dict[str, np.ndarray] = {}
    for name in ["expression", "subject", *map(str, frames.columns)]:
        if name in found or name.startswith("p_") or (name in NOT_FACTORS and name not in ("expression", "subject")):
            continue
        codes = _levels(frames[name])
        if codes is not None and not any(_decided(codes, found[k]) for k in ("expression", "subject") if k in found):
            found[name] = codes
    if len(found) < 2:
        raise NotMeasurable("Disentanglement is measured between factors; these frames vary in fewer than two.")
    return found


def _levels(values: pd.Series) -> np.ndarray | None:
    """(N,) int; None for what is missing somewhere, never varies, or is new in most frames."""
    if values.isna().any():
        return None
    groups = cut(values, LEVELS, most=LEVELS)
    values = values if groups is None else groups.cat.codes
    levels, codes = np.unique(values.to_numpy(dtype=str), return_inverse=True)
    return codes if 1 < len(levels) <= len(values) // 2 else None


def _decided(codes: np.ndarray, by: np.ndarray) -> bool:
    """Whether one factor tells more than half of another."""
    result: bool = mutual_info_score(codes, by) > DECIDED * entropy(codes)
    return result


def halves(subjects: np.ndarray, sequences: np.ndarray) -> np.ndarray:
    """(N,), bool: the half that is fitted on. The sequences of a subject go to the sides in turn, so that both know every
    subject and no sequence is on both.

    >>> halves(np.array(["P1"] * 4), np.array(["a", "a", "b", "b"])).tolist()
    [True, True, False, False]

    Args:
        subjects, sequences: (N,), names.
    """
    table = (
        pd.DataFrame({"subject": subjects, "sequence": sequences})
        .drop_duplicates()
        .sort_values(["subject", "sequence"])
    )
    order = table.groupby("subject").cumcount() + table.groupby("subject").ngroup()
    side = dict(zip(zip(table["subject"], table["sequence"], strict=True), order % 2 == 0, strict=True))
    return np.array([side[pair] for pair in zip(subjects, sequences, strict=True)])


def mutual_information(features: np.ndarray, factors: dict[str, np.ndarray]) -> np.ndarray:
    """(D, F), nats: of each dimension, in BINS bins, and each factor.

    >>> shape = np.array([0, 1, 0, 1])
    >>> round(float(mutual_information(shape[:, None].astype(float), {"shape": shape})[0, 0]), 4)
    0.6931

    Args:
        features: (N, D), float. factors: by name (N,), int, levels from 0.
    """
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
    """Of levels (N,), int from 0, in nats.

    >>> round(entropy(np.array([0, 1, 0, 1])), 4)
    0.6931
    """
    shares = np.bincount(codes) / len(codes)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def gaps(scores: np.ndarray) -> np.ndarray:
    """(D, F) -> (F,): the best dimension of each factor minus the second best; its score where there is one dimension.

    >>> gaps(np.array([[0.75, 0.5], [0.25, 0.5]])).tolist()
    [0.5, 0.0]
    """
    ordered = np.sort(scores, axis=0)
    result: np.ndarray = ordered[-1] - ordered[-2] if len(scores) > 1 else ordered[0]
    return result
