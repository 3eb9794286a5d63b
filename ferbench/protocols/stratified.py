"""Folds with the classes as balanced as possible, by the splitters of scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError


def stratified(
    splitter: Any, frames: pd.DataFrame, by: Sequence[str], what: str, groups: str | None = None
) -> np.ndarray:
    """The number of the fold in which each frame is tested: (N,), int.

    Args:
        splitter: StratifiedKFold or the like, which says into how many folds it splits.
        by: columns that tell all frames apart. The rows are sorted by them, so that the folds do not depend on their order.
        what: how an error calls the rows, such as "images".
        groups: column whose values stay in one fold each.

    Raises:
        FerbenchError: no class has as many rows as there are folds.
    """
    k = splitter.get_n_splits()
    most = int(frames["expression"].value_counts().max())
    if most < k:
        raise FerbenchError(
            f"No class has as many {what} as protocol.k={k} folds; the largest has {most}. Use a smaller protocol.k."
        )
    order = frames.reset_index(drop=True).sort_values(list(by)).index.to_numpy()
    ordered = frames.iloc[order]
    fold = np.empty(len(frames), dtype=int)
    with warnings.catch_warnings():
        # a class with fewer rows than folds cannot be in every fold
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        together = None if groups is None else ordered[groups]
        for number, (_, tested) in enumerate(splitter.split(np.zeros(len(order)), ordered["expression"], together)):
            fold[order[tested]] = number
    return fold
