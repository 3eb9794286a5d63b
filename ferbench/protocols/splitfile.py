"""Split files: CSV with a row a frame, and a column `fold` or `split`. The one reader of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ferbench.errors import FerbenchError, enumerate_first
from ferbench.tables import read_csv, refuse_doubled

TEST_NAMES = frozenset({"test", "testing", "val", "valid", "validation", "dev", "eval"})
"""Splits of these names are tested, in any case of letters."""

FINAL_TEST_NAMES = frozenset({"test", "testing", "eval"})
"""Where a split has one of these, those for validation are left out."""


def read(path: Path, label: str = "") -> pd.DataFrame:
    """The table of a split: all columns as text without blanks around it, names of columns and splits in lower case; `frame_id` is
    filled from `path` where it lacks. The file is read as by `ferbench.tables.read_csv`.

    Args:
        label: how errors call the file; by default its path.

    Raises:
        FerbenchError: the file cannot be read, has a column twice, or does not say which frame is in which fold or split.
    """
    label = label or str(path)
    table = read_csv(path, label)
    table.columns = [column.lower() for column in table.columns]
    refuse_doubled(list(table.columns), label)
    found = ", ".join(table.columns)
    for column in table:
        table[column] = table[column].str.strip()
    if "frame_id" not in table:
        if "path" not in table:
            raise FerbenchError(f"{label} has neither a column frame_id nor path; it has {found}.")
        table["frame_id"] = table["path"]
    if "fold" not in table and "split" not in table:
        raise FerbenchError(f"{label} has neither a column fold nor split; it has {found}.")
    if table.empty:
        raise FerbenchError(f"{label} has no rows.")
    column = side_column(table)
    blank = table.index[table[column] == ""]
    if len(blank):
        raise FerbenchError(
            f"{label} has no {column} in {len(blank)} of {len(table)} rows: {enumerate_first(blank)}. Fill it "
            "in, or leave these rows out."
        )
    table[column] = table[column].map({name: _plain(name) for name in table[column].unique()})
    return table.reset_index(drop=True)


def _plain(name: str) -> str:
    """
    >>> _plain("Test"), _plain("01"), _plain("2.0")
    ('test', '1', '2')
    """
    number = name.removesuffix(".0")
    return str(int(number)) if number.isdecimal() else name.lower()


def alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that differ in upper and lower case, leading zeros or the composition of accents only, and may be one person's.

    >>> alike(["P1", "p01", "P10", "X"])
    [('P1', 'p01')]
    """
    found: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        plain = re.sub(r"(?<!\d)0+(?=\d)", "", unicodedata.normalize("NFC", name).casefold())
        found.setdefault(plain, []).append(name)
    return [tuple(group) for group in found.values() if len(group) > 1]


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
