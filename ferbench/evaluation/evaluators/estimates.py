"""Factors that a method estimates, against those of the frame table, and what a constant would get."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ferbench.errors import NotMeasurable
from ferbench.evaluation.measures.agreement import PRESENT, concordance, f1
from ferbench.interfaces.evaluator import Outputs, PerSubject, Value

ACTION_UNIT = re.compile(r"au\d+")
"""Names of the columns of action units: "au12"."""


def evaluate(outputs: Outputs) -> Mapping[str, Value]:
    """`au_f1`, the mean F1 over the action units that some test frame shows, of which one that the method does not estimate counts
    as never found; `valence_ccc`, `arousal_ccc` and `intensity_mae`, as far as the method estimates them. Frames without a label
    are left out, of each column by itself.

    Beside them, as "/constant", what the best constant gets: an action unit always present, 0 for a CCC, the median for the
    error. They are the same for all methods.

    Raises:
        NotMeasurable: the estimates are not finite, or an action unit has values outside [0, 1].
    """
    estimates, frames = outputs.estimates, outputs.frames
    for name, values in estimates.items():
        if bad := int((~np.isfinite(values)).sum()):
            raise NotMeasurable(f"The estimates of {name} are NaN or infinite for {bad} of {len(values)} test frames.")
    found: dict[str, Value] = {}
    units = _present(frames)
    if units:
        found["au_f1/constant"] = float(np.mean([f1(np.ones_like(p), p) for _, p in units.values()]))
    if units and any(map(ACTION_UNIT.fullmatch, estimates)):
        never = np.full(len(frames), -math.inf)
        found["au_f1"] = float(
            np.mean(
                [f1((estimates.get(name, never) >= 0.5)[known], present) for name, (known, present) in units.items()]
            )
        )
    for name in ("valence", "arousal"):
        if (known := _known(frames, name)).any():
            true = frames[name].to_numpy(dtype=float)[known]
            found[f"{name}_ccc/constant"] = 0.0
            if name in estimates:
                found[f"{name}_ccc"] = concordance(estimates[name][known], true)
    if (known := _known(frames, "intensity")).any():
        true, subjects = frames["intensity"].to_numpy(dtype=float)[known], outputs.subjects[known]
        found["intensity_mae/constant"] = float(np.abs(true - np.median(true)).mean())
        if "intensity" in estimates:
            errors = pd.Series(np.abs(estimates["intensity"][known] - true)).groupby(subjects).mean()
            found["intensity_mae"] = PerSubject({str(subject): float(error) for subject, error in errors.items()})
    return found


def _known(frames: pd.DataFrame, name: str) -> np.ndarray:
    """(N,), bool: which frames have a number in a column."""
    if name not in frames or not pd.api.types.is_numeric_dtype(frames[name]):
        return np.zeros(len(frames), dtype=bool)
    return frames[name].notna().to_numpy()


def _present(frames: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each action unit that some frame shows: (N,), bool, which frames are labelled, and of these which show it."""
    found = {}
    for name in filter(ACTION_UNIT.fullmatch, map(str, frames.columns)):
        known = _known(frames, name)
        values = frames[name].to_numpy(dtype=float, na_value=math.nan)[known] if known.any() else np.zeros(0)
        if len(values) and (values.min() < 0 or values.max() > 1):
            raise NotMeasurable(
                f"The action unit {name} has values from {values.min():g} to {values.max():g}; F1 takes intensities from 0 to 1, "
                "or 0 and 1 for absent and present."
            )
        if (values >= PRESENT).any():
            found[name] = (known, values >= PRESENT)
    return found
