"""A stand-in for the protocol that a dataset's card names; planning replaces it before any use."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError
from ferbench.protocols.base import Protocol


class Auto(Protocol):
    """`protocol=auto`, the default: the dataset's own."""

    def folds(self, frames: pd.DataFrame) -> np.ndarray:
        raise FerbenchError("protocol=auto was not resolved to the protocol of the dataset's card.")
