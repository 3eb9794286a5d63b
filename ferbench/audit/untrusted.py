"""What the files of a submitted record may hold: record.json with values of the kinds that ferbench writes, arrays and tables of
numbers and text. Whatever passes can be shown and ranked without an error."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from ferbench.config.schema import from_dict
from ferbench.errors import printable
from ferbench.records import files
from ferbench.records.metrics import CARDS, UNMEASURED
from ferbench.records.schema import Record
from ferbench.records.seals import unseal

LARGEST = 2**31
"""Bytes of one table or of the arrays of one file, in memory."""

LONGEST = 100_000
"""Characters of a text."""

ROWS, COLUMNS = 10_000_000, 10_000
"""Of a table."""

NUMBERS = "fiub"
"""Kinds of arrays: floats, integers and booleans. Objects would be pickled."""


def check_record(text: str) -> Record:
    """The record that a text is.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RecursionError, FerbenchError: it is none, or a value is of another kind,
            NaN or infinite.
    """
    record = Record.from_json(text)
    values = unseal(record.to_json())  # refuses NaN and infinite numbers
    if misfit := _misfit(values, RECORD, "record"):
        raise ValueError(misfit)
    classes = len(record.expressions)
    for table in (record.confusion, record.sequence_confusion):
        if set(table) != set(record.subjects):
            raise ValueError("the confusion counts are not of its subjects")
        for rows in table.values():
            if [len(row) for row in rows] != [classes] * classes or min(map(min, rows), default=0) < 0:
                raise ValueError(f"the confusion counts are not {classes} x {classes} counts")
    if len(set(record.expressions)) < classes or len(set(record.subjects)) < len(record.subjects):
        raise ValueError("an expression or a subject is there twice")
    from_dict(record.trial.config)
    return record


def check_file(name: str, data: bytes) -> None:
    """Raise ValueError if a file of a record, other than record.json, is not what its name says, or is far too large in memory."""
    try:
        if name == files.CODE:
            if misfit := _misfit(json.loads(data), {str: {str: str}}, name):
                raise ValueError(misfit)
        elif name.endswith(".parquet"):
            _check_table(data)
        elif name.endswith(".npz"):
            _check_arrays(data)
        else:
            _check_array(io.BytesIO(data), len(data))
    except (RecursionError, MemoryError, OSError, zlib.error, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _check_table(data: bytes) -> None:
    """Parquet may say in a few bytes that a text is there a million times: the table is read in small parts and counted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(data))
        if table.metadata.num_rows > ROWS or table.metadata.num_columns > COLUMNS:
            raise ValueError(f"it states {table.metadata.num_rows} rows and {table.metadata.num_columns} columns")
        for field in table.schema_arrow:
            plain = (pa.types.is_string, pa.types.is_large_string, pa.types.is_floating, pa.types.is_integer)
            if not any(is_kind(field.type) for is_kind in (*plain, pa.types.is_boolean, pa.types.is_null)):
                raise ValueError(f"the column {printable(field.name)[:80]} is neither numbers nor text")
        size = 0
        for part in table.iter_batches(batch_size=64):
            size += part.nbytes
            if size > LARGEST:
                raise ValueError(f"it has more than {LARGEST >> 20} MiB in memory")
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _check_arrays(data: bytes) -> None:
    left = LARGEST
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if len(archive.infolist()) > COLUMNS:
            raise ValueError(f"it holds {len(archive.infolist())} arrays")
        for member in archive.infolist():
            if member.file_size > left:
                raise ValueError(f"it has more than {LARGEST >> 20} MiB in memory")
            with archive.open(member) as source:
                left -= _check_array(source, member.file_size)


def _check_array(source: IO[bytes], size: int) -> int:
    """Check that .npy data are an array of numbers, and of the size that their header states. Returns its bytes."""
    version = np.lib.format.read_magic(source)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"it is an array of version {version}")
    shape, _, kind = read(source)
    if kind.kind not in NUMBERS:
        raise ValueError(f"it is an array of {kind}, and only numbers are read")
    stated, left = math.prod(shape) * kind.itemsize, size - source.tell()
    if stated != left or min(shape, default=0) < 0:
        raise ValueError(f"its header states {stated} bytes, and it has {left}")
    return stated


# -- the values of record.json. A form is a type, a list of one form, {str: form}, {name: form} with all its names but
# those that may be None, or a tuple of forms

Form = Any
ANY = object()
COMPONENT = {"name": str, "version": int, "settings": {str: ANY}}
STAGE = {"name": str, "key": str, "steps": int}
DATASET = {"name": str, "version": int, "fingerprint": str}
IDENTITY = {
    "dataset": DATASET,
    "protocol": COMPONENT,
    "backbone": COMPONENT,
    "method": COMPONENT,
    "test_subjects": [str],
    "train_subjects": [str],
    "frames_digest": str,
    "stage_steps": {str: int},
    "seed": int,
    "preparation": {str: ANY},
    "augment": {str: ANY},
    "budget": {str: ANY},
    "trainer": {str: ANY},
    "evaluation": {str: ANY},
    "core": int,
    "code": {str: str},
    "version": int,
    "extra": (None, DATASET),
}
TRIAL = {
    "id": str,
    "config": {str: ANY},
    "identity": IDENTITY,
    "variant": str,
    "fold": int,
    "fold_count": int,
    "seed": int,
    "stages": [STAGE],
    "plugin_files": [str],
    "judges": (None, STAGE),
    "code": {str: str},
    "replaces": str,
}
PROVENANCE = {
    "seconds": float,
    "code": {str: str},
    "evaluators": {str: int},
    "pretraining": str,
    "began": str,
    CARDS: {str: {str: ANY}},
    UNMEASURED: {str: str},
}
"""Values that are read; a record may lack them, and have others."""

RECORD = {
    "trial": TRIAL,
    "expressions": [str],
    "subjects": [str],
    "metrics": {str: (None, float)},
    "confusion": {str: [[int]]},
    "sequence_confusion": {str: [[int]]},
    "notes": [str],
    "stages": [{**STAGE, "steps_run": int, "seconds": float, "weights": str, "code": str}],
    "cost": {str: float},
    "provenance": {str: ANY},
    "files": {str: str},
    "by_subject": {str: {str: float}},
    "schema": int,
}


def _misfit(value: Any, form: Form, place: str) -> str:
    """What in a value is not of its form, in a sentence's end; empty if all is."""
    if form is ANY:
        form = _form_of(value)
    if isinstance(form, tuple):
        return "" if any(not _misfit(value, one, place) for one in form) else _not(place, value)
    if isinstance(form, list):
        if not isinstance(value, list):
            return _not(place, value)
        return next((m for i, item in enumerate(value) if (m := _misfit(item, form[0], f"{place}[{i}]"))), "")
    if isinstance(form, dict):
        return _misfit_of_names(value, form, place)
    if form is None or value is None:
        return "" if form is value else _not(place, value)
    if isinstance(value, bool):
        return "" if form is bool else _not(place, value)
    if form is float and isinstance(value, int):
        form = int
    if not isinstance(value, form):
        return _not(place, value)
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{place} has {len(value)} characters"
    return f"{place} is a number of more than 18 digits" if isinstance(value, int) and abs(value) >= 2**63 else ""


def _misfit_of_names(value: Any, form: Mapping[Any, Form], place: str) -> str:
    if not isinstance(value, dict):
        return _not(place, value)
    may_lack = {name for name, own in form.items() if isinstance(own, tuple) and None in own}
    if str not in form and (odd := sorted((set(value) ^ set(form)) - (may_lack - set(value)))):
        return f"{place} has not the names that it should have: {printable(odd[0])[:80]}"
    for name, item in value.items():
        expected = form[str] if str in form else form[name]
        if place == "record.provenance":
            expected = ANY if item is None else PROVENANCE.get(name, ANY)
        if misfit := _misfit(name, str, place) or _misfit(item, expected, f"{place}.{printable(name)[:80]}"):
            return misfit
    return ""


def _form_of(value: Any) -> Form:
    """The form of a value that may be anything."""
    if isinstance(value, dict):
        return {str: ANY}
    return [ANY] if isinstance(value, list) else (None, bool, float, str)


def _not(place: str, value: Any) -> str:
    return f"{place} is {printable(repr(value)[:80])}"
