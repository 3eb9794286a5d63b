"""The dataset's own split into training and test frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError
from ferbench.protocols.base import TRAIN_ONLY, UNUSED, Protocol

FOLDS = {"train": TRAIN_ONLY, "test": 0}


class Fixed(Protocol):
    """One fold: the frames whose column `split` is "test" are tested, those with "train" are trained on, all others (a
    validation set) are left out: nothing is selected on them."""

    def folds(self, frames: pd.DataFrame) -> np.ndarray:
        if "split" not in frames:
            raise FerbenchError(
                "This dataset has no split of its own; use protocol=subject_kfold, or protocol=auto for the literature's."
            )
        fold = frames["split"].map(FOLDS).fillna(UNUSED).to_numpy(dtype=int)
        for name, number in FOLDS.items():
            if not (fold == number).any():
                raise FerbenchError(f"The dataset's split has no {name} frames (column split).")
        return fold


class CrossDataset(Fixed):
    """One fold: trained on `dataset`, tested on `test_dataset`, on the expressions that both have."""
