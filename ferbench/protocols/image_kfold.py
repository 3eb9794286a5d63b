"""k folds of images, for datasets that do not say who is who."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError
from ferbench.interfaces.protocol import Protocol
from ferbench.protocols.settings import SubjectKFoldSettings
from ferbench.protocols.stratified import stratified


class ImageKFold(Protocol):
    """scikit-learn's StratifiedKFold over images, for a dataset without identities.

    Images of one person may be in the training and in the test set, which records state."""

    leaky = True
    settings: SubjectKFoldSettings

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        from sklearn.model_selection import StratifiedKFold

        k = self.settings.k
        if k < 2 or len(frames) < k:
            raise FerbenchError(f"protocol.k is {k}; it can be 2 to {len(frames)}, the number of images.")
        splitter = StratifiedKFold(k, shuffle=True, random_state=self.settings.assignment)
        return stratified(splitter, frames, ["frame_id"], "images")
