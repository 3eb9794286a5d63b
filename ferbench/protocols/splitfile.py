"""Split files: CSV with a row a frame, and a column `fold` or `split`. The one reader of them."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ferbench.errors import FerbenchError, enumerate_first

TEST_NAMES = frozenset({"test", "testing", "val", "valid", "validation", "dev", "eval"})
"""Splits of these names are tested, in any case of letters."""

FINAL_TEST_NAMES = frozenset({"test", "testing", "eval"})
"""Where a split has one of these, those for validation are left out."""


def read(path: Path, label: str = "") -> pd.DataFrame:
    """The table of a split: all columns as text without blanks around it, names of columns and splits in lower case; `frame_id` is
    filled from `path` where it lacks. Columns may be separated by ',', ';' or tabs, as Excel writes them.

    Args:
        label: how errors call the file; by default its path.

    Raises:
        FerbenchError: the file cannot be read, has a column twice, or does not say which frame is in which fold or split.
    """
    label = label or str(path)
    table = _csv(path, label)
    table.columns = [str(column).strip().lower() for column in table.columns]
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
            f"{label} has no {column} in {len(blank)} of {len(table)} rows: {enumerate_first(row + 2 for row in blank)}. Fill it "
            "in, or leave these rows out."
        )
    table[column] = table[column].map({name: _plain(name) for name in table[column].unique()})
    return table


def _plain(name: str) -> str:
    """
    >>> _plain("Test"), _plain("01"), _plain("2.0")
    ('test', '1', '2')
    """
    number = name.removesuffix(".0")
    return str(int(number)) if number.isdecimal() else name.lower()


def _csv(path: Path, label: str) -> pd.DataFrame:
    """All columns of a CSV file as text, whatever separates them, in UTF-8 or as Windows writes it."""
    try:
        text = path.read_bytes()
        try:
            decoded = text.decode("utf-8-sig")
        except UnicodeDecodeError:
            decoded = text.decode("cp1252")
        first = decoded.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        names = [name.strip().lower() for name in next(csv.reader([first], delimiter=separator), [])]
        if doubled := next((name for name in names if names.count(name) > 1), None):
            raise FerbenchError(f"{label} has the column {doubled} twice; it has {', '.join(names)}.")
        return pd.read_csv(io.StringIO(decoded), dtype=str, keep_default_na=False, sep=separator, index_col=False)
    except (OSError, ValueError) as error:  # pandas' errors of parsing and decoding are ValueErrors
        raise FerbenchError(f"{label} cannot be read as CSV: {str(error).rstrip('.')}.") from error


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
