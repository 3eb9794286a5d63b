"""Ten folds of subjects, sorted by ID: the usual protocol in the literature on CK+ and Oulu-CASIA."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.interfaces.protocol import Protocol
from ferbench.protocols.select import need_subjects
from ferbench.protocols.settings import AssignedSettings

FOLDS = 10


class SubjectTenFoldOrdered(Protocol):
    """Subject IDs are sorted ascending as text; the i-th of them (from 0) belongs to fold i mod 10.

    Source: the public CK+ list of Emotion-FAN (Open-Debin/Emotion-FAN, "IDascendorder_step10") has exactly these folds; its
    fold i, from 1, holds ids[i-1::10]. With protocol.assignment=1 or more the sorted subjects are shuffled first, with that
    number as the seed.
    """

    settings: AssignedSettings

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        subjects = need_subjects(frames, FOLDS, self.settings.assignment)
        fold = {subject: index % FOLDS for index, subject in enumerate(subjects)}
        return frames["subject"].map(fold).to_numpy(dtype=int)
