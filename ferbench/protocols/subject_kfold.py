"""k folds of subjects, with the classes as balanced as possible."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError
from ferbench.interfaces.protocol import Protocol
from ferbench.protocols.select import need_subjects
from ferbench.protocols.settings import SubjectKFoldSettings


class SubjectKFold(Protocol):
    """scikit-learn's StratifiedGroupKFold with the subjects as groups."""

    settings: SubjectKFoldSettings

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        from sklearn.model_selection import StratifiedGroupKFold

        need_subjects(frames, self.settings.k)
        most = int(frames["expression"].value_counts().max())
        if most < self.settings.k:
            raise FerbenchError(
                f"No class has as many frames as protocol.k={self.settings.k} folds; the largest has {most}. Use a smaller "
                "protocol.k."
            )
        # sort by subject and frame_id, so that the folds do not depend on the order of the rows
        order = frames.reset_index(drop=True).sort_values(["subject", "frame_id"]).index.to_numpy()
        ordered = frames.iloc[order]
        splitter = StratifiedGroupKFold(self.settings.k, shuffle=True, random_state=self.settings.assignment)
        fold = np.empty(len(frames), dtype=int)
        with warnings.catch_warnings():
            # a class with fewer frames than folds cannot be in every fold; the protocol balances as well as possible
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            parts = splitter.split(np.zeros(len(ordered)), ordered["expression"], ordered["subject"])
            for number, (_, tested) in enumerate(parts):
                fold[order[tested]] = number
        return fold
