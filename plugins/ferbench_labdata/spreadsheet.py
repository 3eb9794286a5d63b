"""Tables that datasets bring as Excel files or that somebody saved as CSV. Excel files are read with openpyxl (extra `excel`)."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferbench import FerbenchError
from ferbench.errors import enumerate_first
from ferbench.tables import SEPARATORS, text_of
from ferbench_labdata.files import cell_text
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
    """The rows of each sheet, as text; those of a CSV file by each separator, since lines above the heading may hold others."""
    if path.suffix.lower() == ".xls":
        raise FerbenchError(f"{path} is in an old format of Excel. Open it, and save it beside it as .xlsx or .csv.")
    if path.suffix.lower() == ".csv":
        text = text_of(path)
        for separator in SEPARATORS:
            with contextlib.suppress(
                csv.Error
            ):  # by another separator, a quotation mark may open a value without an end
                yield list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        return
    book = _opened(path)
    try:
        for sheet in book.worksheets:
            yield [[cell_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
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
