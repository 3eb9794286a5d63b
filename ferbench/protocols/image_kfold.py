"""k folds of images, for datasets that do not say who is who."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError
from ferbench.interfaces.protocol import Protocol
from ferbench.protocols.settings import SubjectKFoldSettings


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
        most = int(frames["expression"].value_counts().max())
        if most < k:
            raise FerbenchError(
                f"No class has as many images as protocol.k={k} folds; the largest has {most}. Use a smaller protocol.k."
            )
        # sort by frame_id, so that the folds do not depend on the order of the rows
        order = frames.reset_index(drop=True).sort_values("frame_id").index.to_numpy()
        splitter = StratifiedKFold(k, shuffle=True, random_state=self.settings.assignment)
        fold = np.empty(len(frames), dtype=int)
        with warnings.catch_warnings():
            # a class with fewer images than folds cannot be in every fold
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            for number, (_, tested) in enumerate(
                splitter.split(np.zeros(len(order)), frames["expression"].iloc[order])
            ):
                fold[order[tested]] = number
        return fold
