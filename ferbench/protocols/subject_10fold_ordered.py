"""Ten folds by ordered subject ID: the protocol of the literature on CK+, Oulu-CASIA and MMI."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.protocols.base import Protocol, need_subjects
from ferbench.protocols.settings import AssignedSettings

FOLDS = 10


class SubjectTenFoldOrdered(Protocol):
    """Subject IDs are sorted ascending as text; the i-th of them (from 0) belongs to fold i mod 10.

    The public CK+ list of Emotion-FAN (Open-Debin/Emotion-FAN, "IDascendorder_step10") has exactly these folds:
    its fold i, from 1, holds ids[i-1::10]. With protocol.assignment=1 or more the subjects are shuffled first, by that number.
    """

    settings: AssignedSettings

    def folds(self, frames: pd.DataFrame) -> np.ndarray:
        subjects = need_subjects(frames, FOLDS)
        if self.settings.assignment:
            np.random.default_rng(self.settings.assignment).shuffle(subjects)
        fold = {subject: index % FOLDS for index, subject in enumerate(subjects)}
        return frames["subject"].map(fold).to_numpy(dtype=int)
