"""Split files: CSV with a row a frame, and a column `fold` or `split`. The one reader of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ferbench.errors import FerbenchError

TEST_NAMES = frozenset({"test", "testing", "val", "valid", "validation", "dev", "eval"})
"""Splits of these names are tested, in any case of letters."""

FINAL_TEST_NAMES = frozenset({"test", "testing", "eval"})
"""Where a split has one of these, those for validation are left out."""


def read(path: Path, label: str = "") -> pd.DataFrame:
    """The table of a split: all columns as text, their names in lower case; `frame_id` is filled from `path` where it lacks.

    Args:
        label: how errors call the file; by default its path.

    Raises:
        FerbenchError: the file cannot be read, or does not say which frame is in which fold or split.
    """
    label = label or str(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' errors of parsing and decoding are ValueErrors
        raise FerbenchError(f"{label} cannot be read as CSV: {error}.") from error
    table.columns = [str(column).strip().lower() for column in table.columns]
    found = ", ".join(table.columns)
    if "frame_id" not in table:
        if "path" not in table:
            raise FerbenchError(f"{label} has neither a column frame_id nor path; it has {found}.")
        table["frame_id"] = table["path"]
    if "fold" not in table and "split" not in table:
        raise FerbenchError(f"{label} has neither a column fold nor split; it has {found}.")
    if table.empty:
        raise FerbenchError(f"{label} has no rows.")
    return table


def side_column(table: pd.DataFrame) -> str:
    """ "fold" where the table has one, else "split"."""
    return "fold" if "fold" in table else "split"


def in_order(names: Iterable[str]) -> list[str]:
    """Names of folds or splits, each once: numbers by value, then words.

    >>> in_order(["10", "2", "test"])
    ['2', '10', 'test']
    """
    return sorted(set(names), key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))


def tested_names(names: Iterable[str]) -> list[str]:
    """Of the names of splits those that are tested: test sets, else validation sets."""
    ordered = in_order(names)
    return [n for n in ordered if n.lower() in FINAL_TEST_NAMES] or [n for n in ordered if n.lower() in TEST_NAMES]
