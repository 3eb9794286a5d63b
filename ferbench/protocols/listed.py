"""A split that somebody else made, from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError, enumerate_first
from ferbench.protocols.base import TRAIN_ONLY, UNUSED, Protocol
from ferbench.protocols.settings import ListedSettings

TEST_NAMES = frozenset({"test", "testing", "val", "valid", "validation", "dev", "eval"})
"""Splits of these names are tested, in any case of letters."""

FINAL = frozenset({"test", "testing", "eval"})
"""Where a split has one of these, those for validation are left out."""


class Listed(Protocol):
    """`protocol.file` is CSV with frame_id (or path) and fold or split, as `ferbench splits` prints it and `ferbench audit`
    takes it. Each fold is tested against all others; with splits, the one called test or the like against the rest.
    Frames that are not in the file are left out.

    A file that trains on and tests the same subjects is refused, unless `protocol.leaky` says that this is meant.
    """

    settings: ListedSettings

    def __init__(self, settings: ListedSettings) -> None:
        super().__init__(settings)
        self.leaky = settings.leaky

    def folds(self, frames: pd.DataFrame) -> np.ndarray:
        if not self.settings.file:
            raise FerbenchError("protocol=listed needs a file: add protocol.file=/path/to/splits.csv.")
        by_frame = read_folds(Path(self.settings.file).expanduser())
        found = frames["frame_id"].map(by_frame)
        if found.notna().sum() == 0:
            raise FerbenchError(
                f"None of the {len(frames)} frames of the dataset is in {self.settings.file}: the dataset calls them "
                f"{enumerate_first(frames['frame_id'], 2)}, the file {enumerate_first(by_frame, 2)}."
            )
        return found.fillna(UNUSED).to_numpy(dtype=int)


def read_folds(path: Path) -> dict[str, int]:
    """Fold by frame_id, or TRAIN_ONLY, or UNUSED for a validation set beside a test set.

    Raises:
        FerbenchError: the file cannot be read, or says nothing of folds.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FerbenchError(f"protocol.file={path} cannot be read as CSV: {error}.") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    key = "frame_id" if "frame_id" in table else "path"
    column = "fold" if "fold" in table else "split"
    if key not in table or column not in table:
        raise FerbenchError(
            f"protocol.file={path} needs frame_id or path, and fold or split; it has {', '.join(table.columns)}."
        )
    names = sorted(table[column].unique(), key=lambda n: (not n.isdigit(), int(n) if n.isdigit() else 0, n))
    if column == "fold":
        number = {name: index for index, name in enumerate(names)}
    else:
        tested = [n for n in names if n.lower() in FINAL] or [n for n in names if n.lower() in TEST_NAMES]
        if not tested or len(tested) == len(names):
            raise FerbenchError(
                f"protocol.file={path} has the splits {', '.join(names)}; it needs one to test and one to train on."
            )
        number = {name: UNUSED if name.lower() in TEST_NAMES else TRAIN_ONLY for name in names}
        number |= {name: index for index, name in enumerate(tested)}
    return dict(zip(table[key], table[column].map(number).astype(int), strict=True))
