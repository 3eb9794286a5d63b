"""Factors of variation: columns of a frame table by which frames can be told apart, and the levels of one."""

from __future__ import annotations

import pandas as pd

NAMES = frozenset({"frame_id", "sequence", "position"})
"""Columns that say which frame it is, and are no factor."""


def cut(values: pd.Series, groups: int, most: int) -> pd.Series | None:
    """Numbers with more than `most` different values in `groups` of equal size, as ordered intervals; None for anything else.

    >>> cut(pd.Series([0.0, 1.0, 2.0, 3.0]), groups=2, most=3).cat.codes.tolist()
    [0, 0, 1, 1]
    >>> cut(pd.Series(["left", "right"]), groups=2, most=1) is None
    True

    Args:
        values: (N,), a column; only floats count as numbers.
    """
    if pd.api.types.is_float_dtype(values) and values.nunique() > most:
        return pd.qcut(values, groups, duplicates="drop", precision=2)
    return None
