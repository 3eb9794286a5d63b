"""CSV files as people write them and as Excel exports them: the one reader of tables that users bring, and cells that no
spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ferbench.errors import FerbenchError

SEPARATORS = ",;\t"

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
"""Beginnings of texts that spreadsheets take for formulas (OWASP, CSV injection), and of such texts as `cell` writes them."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def cell(value: Any) -> Any:
    """A value for a CSV file. A text that a spreadsheet would take for a formula gets an apostrophe in front, as people write it
    there; `read_csv` takes it away. Numbers stay, also as text.

    >>> cell("=1+1"), cell("-rf.png"), cell("-0.5"), cell(-0.5), cell("P001")
    ("'=1+1", "'-rf.png", '-0.5', -0.5, 'P001')
    """
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def _content(text: str) -> str:
    """The inverse of `cell` for texts."""
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text.lstrip("'")) is None


def read_csv(path: Path, label: str = "") -> pd.DataFrame:
    """A CSV file as text: the index is the number of the row in the file, nothing is taken for a missing value, and blanks around
    names of columns are cut. Separators are ',', ';' or a tab; encodings UTF-8, UTF-16 (with its mark) or Windows-1252. Rows
    without a value are passed over. Values that `cell` wrote are what they were before.

    Args:
        label: how errors call the file; by default its path.

    Raises:
        FerbenchError: the file is none, has a column twice, or a row has more or fewer values than there are columns.
    """
    label = label or str(path)
    text = text_of(path, label)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(text), strict=True)
    rows: dict[int, list[str]] = {}
    try:
        for row in lines:
            if any(value.strip() for value in row):
                rows[lines.line_num] = [_content(value) for value in row]
    except csv.Error as error:
        raise FerbenchError(
            f"{label}, row {lines.line_num}, cannot be read as CSV: {error}. A quotation mark may be missing."
        ) from error
    if not rows:
        raise FerbenchError(f"{label} cannot be read as CSV: it is empty.")
    columns = [name.strip() for name in rows.pop(next(iter(rows)))]
    while (
        columns
        and not columns[-1]
        and all(len(row) < len(columns) or not row[len(columns) - 1] for row in rows.values())
    ):
        columns.pop()  # Excel writes separators behind the last column
    refuse_doubled(columns, label)
    for number, row in rows.items():
        if len(row) < len(columns) or any(row[len(columns) :]):
            raise FerbenchError(f"{label}, row {number}, has {len(row)} values for {len(columns)} columns.")
    return pd.DataFrame([row[: len(columns)] for row in rows.values()], index=list(rows), columns=columns, dtype=object)


def refuse_doubled(columns: Sequence[str], label: str) -> None:
    """Raise FerbenchError if a table has a column twice.

    Args:
        label: how the error calls the table.
    """
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        raise FerbenchError(f"{label} has several columns called '{doubled[0]}'; it has {', '.join(columns)}.")


def separator_of(text: str) -> str:
    r"""The mark that separates the values of a CSV file: ',', ';' or a tab, whichever makes most values of its first row.

    >>> separator_of("path;class;note, if any\na.png;3;,,,")
    ';'
    """
    first = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    return max(SEPARATORS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))


def text_of(path: Path, label: str = "") -> str:
    """The text of a table, in UTF-8, UTF-16 (with its mark) or Windows-1252.

    Args:
        label: how errors call the file; by default its path.

    Raises:
        FerbenchError: the file cannot be read, or is no text.
    """
    label = label or str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FerbenchError(f"{label} cannot be read as CSV: {error.strerror or error}.") from error
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FerbenchError(f"{label} is an Excel file or an archive; save the sheet as CSV and name that file.")
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise FerbenchError(f"{label} is no text in UTF-8, UTF-16 or Windows-1252; save it as 'CSV UTF-8'.")
