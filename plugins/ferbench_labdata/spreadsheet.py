"""Tables that datasets bring as Excel files or that somebody saved as CSV. Excel files are read with openpyxl (extra `excel`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferbench import FerbenchError
from ferbench.errors import enumerate_first
from ferbench_labdata.files import read_text
from ferbench_labdata.layout import plain

TABLES = frozenset({".csv", ".xls", ".xlsx"})


def records(path: Path, columns: Mapping[str, str]) -> list[Mapping[str, str]]:
    """The rows below the heading, as text by the keys of `columns`. Lines above the heading are passed over, and empty rows.

    Args:
        columns: for each key, the heading of its column, as `plain` compares names.

    Raises:
        FerbenchError: the file cannot be read, or has no heading with all these columns.
    """
    wanted = {plain(heading): key for key, heading in columns.items()}
    for sheet in _sheets(path):
        rows = iter(sheet)
        for row in rows:
            cells = [plain(cell) for cell in row]
            if set(wanted) <= set(cells):
                places = {key: cells.index(heading) for heading, key in wanted.items()}
                return [record for values in rows if any((record := _record(values, places)).values())]
    raise FerbenchError(
        f"{path} has no heading with the columns {enumerate_first([repr(h) for h in columns.values()], 8)}. Restore it from the "
        "dataset's archive, or save that as CSV beside it, with its heading."
    )


def _record(row: Sequence[str], places: Mapping[str, int]) -> Mapping[str, str]:
    return {key: row[place].strip() if place < len(row) else "" for key, place in places.items()}


def _sheets(path: Path) -> Iterator[Iterable[Sequence[str]]]:
    """The rows of each sheet, as text."""
    if path.suffix.lower() == ".xls":
        raise FerbenchError(f"{path} is in an old format of Excel. Open it, and save it beside it as .xlsx or .csv.")
    if path.suffix.lower() == ".csv":
        text = read_text(path, "utf-8-sig")
        separator = max(",;\t", key=text.count)
        yield csv.reader(io.StringIO(text), delimiter=separator)
        return
    book = _opened(path)
    try:
        for sheet in book.worksheets:
            yield [[_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    finally:
        book.close()


def _opened(path: Path) -> Any:
    """The workbook of an .xlsx file.

    Raises:
        FerbenchError: openpyxl is not installed, or the file is damaged.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise FerbenchError(
            f"{path} is an Excel file, and openpyxl, which reads it, is missing here: pip install 'ferbench[excel]'. Or save it "
            f"beside it as {path.stem}.csv."
        ) from error
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl lets through errors of zipfile, of XML and its own
        raise FerbenchError(f"{path} cannot be read as an Excel file: {error or type(error).__name__}.") from error


def _text(cell: object) -> str:
    return "" if cell is None else str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def whole(text: str) -> int | None:
    """A whole number, such as that of a frame; None if it is none, such as '/'.

    >>> whole("46"), whole("46.0"), whole("46.5"), whole("/"), whole("")
    (46, 46, None, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
