"""The split into training and test frames that comes with the dataset."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError, UnknownName
from ferbench.interfaces.protocol import TRAIN_ONLY, UNUSED, Protocol
from ferbench.protocols.settings import CrossDatasetSettings

FOLDS = {"train": TRAIN_ONLY, "test": 0}


class Fixed(Protocol):
    """One fold. Frames with "test" in the column `split` are the test set, those with "train" the training set. All others,
    such as a validation set, are not used: no model is selected on them."""

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        if "split" not in frames:
            raise FerbenchError(
                "This dataset comes without a split. Use protocol=subject_kfold, or protocol=auto for the literature's protocol."
            )
        fold = frames["split"].map(FOLDS).fillna(UNUSED).to_numpy(dtype=int)
        for name, number in FOLDS.items():
            if not (fold == number).any():
                raise FerbenchError(f"The dataset's split has no {name} frames (column split).")
        return fold


class CrossDataset(Fixed):
    """One fold: `dataset` is the training set, `test_dataset` the test set, with the expressions that both have.

    Of a dataset that comes with a split, its training set is trained on, or its test set is tested. Two datasets of the same people
    or pictures (`DatasetCard.population`) are an error, unless `protocol.allow_overlap` asks for it.
    """

    settings: CrossDatasetSettings

    def __init__(self, settings: CrossDatasetSettings) -> None:
        super().__init__(settings)
        if settings.allow_overlap not in ("", "subjects", "images"):
            raise UnknownName("value of protocol.allow_overlap", settings.allow_overlap, ("subjects", "images"))
        self.leaky = bool(settings.allow_overlap)
