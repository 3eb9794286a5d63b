"""Leave-one-subject-out: each fold tests one subject."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.interfaces.protocol import Protocol
from ferbench.protocols.select import need_subjects


class LeaveOneSubjectOut(Protocol):
    """Subject IDs are sorted ascending as text. Fold i (from 0) tests the i-th subject and trains on all others."""

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        order = {subject: fold for fold, subject in enumerate(need_subjects(frames, 2))}
        return frames["subject"].map(order).to_numpy(dtype=int)
