"""A split that is read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError, enumerate_first
from ferbench.interfaces.protocol import TRAIN_ONLY, UNUSED, Protocol
from ferbench.protocols import splitfile
from ferbench.protocols.settings import ListedSettings


class Listed(Protocol):
    """Folds from the CSV file `protocol.file`, in the format that `ferbench splits` prints and `ferbench audit` reads: columns
    frame_id (or path), and fold or split.

    With a column fold, each fold in turn is the test set and the other folds are the training set. With a column split, there
    is one fold, and its test set is what is called test or eval, or else val or dev. Where there is a test set, a validation set
    is not used. Frames that are not in the file are not used.

    A file with the same subjects in the training and the test set is an error unless `protocol.leaky` is true.
    """

    settings: ListedSettings

    def __init__(self, settings: ListedSettings) -> None:
        super().__init__(settings)
        self.leaky = settings.leaky

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        if not self.settings.file:
            raise FerbenchError("protocol=listed needs a file: add protocol.file=/path/to/splits.csv.")
        by_frame = read_folds(Path(self.settings.file).expanduser())
        found = frames["frame_id"].map(by_frame)
        if found.notna().sum() == 0:
            raise FerbenchError(
                f"None of the {len(frames)} frames of the dataset is in {self.settings.file}. The dataset's frame_ids are like "
                f"{enumerate_first(frames['frame_id'], 2)}; the file's are like {enumerate_first(by_frame, 2)}."
            )
        return found.fillna(UNUSED).to_numpy(dtype=int)


def read_folds(path: Path) -> dict[str, int]:
    """The number of the fold of each frame_id in a file, or TRAIN_ONLY, or UNUSED for a validation set beside a test set.

    Raises:
        FerbenchError: the file cannot be read, or lacks the columns or splits that it needs.
    """
    table = splitfile.read(path, f"protocol.file={path}")
    column = splitfile.side_column(table)
    names = splitfile.in_order(table[column])
    if column == "fold":
        number = {name: index for index, name in enumerate(names)}
    else:
        tested = splitfile.tested_names(names)
        if not tested or len(tested) == len(names):
            raise FerbenchError(
                f"protocol.file={path} has the splits {', '.join(names)}; it needs a training split and a test split."
            )
        number = {name: UNUSED if name.lower() in splitfile.TEST_NAMES else TRAIN_ONLY for name in names}
        number |= dict.fromkeys(tested, 0)
    return dict(zip(table["frame_id"], table[column].map(number).astype(int), strict=True))
