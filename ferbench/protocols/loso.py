"""Leave one subject out: a fold a subject."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.protocols.base import Protocol, need_subjects


class LeaveOneSubjectOut(Protocol):
    """Subject IDs sorted ascending as text; the i-th of them (from 0) is tested in fold i, alone."""

    def folds(self, frames: pd.DataFrame) -> np.ndarray:
        order = {subject: fold for fold, subject in enumerate(need_subjects(frames, 2))}
        return frames["subject"].map(order).to_numpy(dtype=int)
