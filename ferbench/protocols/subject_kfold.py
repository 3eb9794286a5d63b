"""k folds of subjects, with the classes as balanced as possible."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.interfaces.protocol import Protocol
from ferbench.protocols.select import need_subjects
from ferbench.protocols.settings import SubjectKFoldSettings
from ferbench.protocols.stratified import stratified


class SubjectKFold(Protocol):
    """scikit-learn's StratifiedGroupKFold with the subjects as groups."""

    settings: SubjectKFoldSettings

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        from sklearn.model_selection import StratifiedGroupKFold

        need_subjects(frames, self.settings.k)
        splitter = StratifiedGroupKFold(self.settings.k, shuffle=True, random_state=self.settings.assignment)
        return stratified(splitter, frames, ["subject", "frame_id"], "frames", groups="subject")
