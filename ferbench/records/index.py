"""An index of a results folder: what boards read of its records, in columns, so that thousands of them need not be parsed again.

The records are what counts. A row of the index stands for a record only where record.json still has the size, time and number that
it had when it was read; what boards do not ask for is read from record.json itself; without an index, or with a damaged one, all is
read there. Values that many records share (a configuration, an identity, the subjects of a fold) are held once.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.errors import FerbenchError
from ferbench.files import draft_of
from ferbench.records import files
from ferbench.records.identity import ComponentIdentity, DatasetIdentity, Identity
from ferbench.records.schema import Record, Trial

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = ".index/records"
"""Parquet, and after it the SHA-256 of its bytes."""
VERSION = b"2"
LEAST = 300
"""Records that have to be new before the index is written again: reading as many takes less time than writing it."""

COMPONENTS = ("protocol", "backbone", "method")
SHARED = ("study", "people", "origin", "names")
"""Columns of JSON that many rows have in common."""
VALUES = ("metrics", "cost", "by_subject")
"""Columns of numbers, whose names stand in the column "names"."""

Stamp = tuple[int, int, int]
"""Size, time of the last change in nanoseconds and number of a file."""


def stamp(path: str) -> Stamp | None:
    """The stamp of a file; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  (a third of the time of Path.stat, and it is asked of every record)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


class Index:
    """The index of a results folder as it was when it was written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._table: pa.Table | None = None
        self.rows: dict[str, int] = {}
        if not (root / PLACE).is_file():
            return
        import pyarrow as pa
        from pyarrow import parquet

        with contextlib.suppress(OSError, pa.ArrowException, KeyError, ValueError):
            table = parquet.read_table(pa.BufferReader(_whole(root / PLACE)))
            if (table.schema.metadata or {}).get(b"version") == VERSION:
                columns = _Columns(root, table)
                self._table, self._columns = table, columns
                self.rows = {name: row for row, name in enumerate(columns.names)}

    def get(self, name: str, now: Stamp) -> Record | None:
        """The record in the folder `name`, if the index knows it and its record.json has not changed."""
        row = self.rows.get(name)
        if row is None or self._columns.stamps[row] != now:
            return None
        return _Indexed(self._columns, row)

    def write(self, known: Iterable[str], new: Sequence[tuple[Record, Stamp]]) -> None:
        """Write the index again, if there is enough that is new: the rows `known`, which still stand for their records, and those
        of new ones. A folder that cannot be written has none."""
        rows = [row for record, now in new if (row := _row(record, now)) is not None]
        if len(rows) < LEAST:
            return
        import pyarrow as pa
        from pyarrow import parquet

        added = _table(rows)
        kept = [self.rows[name] for name in known]
        if self._table is not None and kept:
            added = pa.concat_tables([self._table.take(kept), added]).combine_chunks()
        path = self.root / PLACE
        draft = draft_of(path)
        content = io.BytesIO()
        parquet.write_table(added.replace_schema_metadata({"version": VERSION}), content, compression="zstd")
        with contextlib.suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            try:
                draft.write_bytes(content.getvalue() + hashlib.sha256(content.getvalue()).digest())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)


def _whole(path: Path) -> memoryview:
    """The Parquet of an index. Raises ValueError if it is not what was written."""
    content = memoryview(path.read_bytes())
    table, written = content[:-32], content[-32:]
    if hashlib.sha256(table).digest() != written:
        raise ValueError("it was changed")
    return table


def damaged(root: Path) -> bool:
    """Whether there is an index that cannot be used, because it was changed."""
    try:
        _whole(root / PLACE)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return False


# -- from records to rows


def _row(record: Record, now: Stamp) -> dict[str, Any] | None:
    """A record as a row; None for one that has something else than numbers where numbers belong."""
    trial, identity = record.trial, record.trial.identity
    whole = {name: vars(getattr(identity, name)) for name in ("dataset", *COMPONENTS)}
    rest = {
        f.name: getattr(identity, f.name)
        for f in fields(Identity)
        if f.name not in (*whole, "test_subjects", "train_subjects", "frames_digest", "seed")
    }
    own_seeds = trial.config.get("seeds") == [trial.seed]
    origin = {key: value for key, value in record.provenance.items() if key not in ("began", "seconds")}
    metrics, cost = list(record.metrics.values()), list(record.cost.values())
    by_subject = [value for values in record.by_subject.values() for value in values.values()]
    tables = [*record.confusion.values(), *record.sequence_confusion.values()]
    size = len(record.expressions)
    counts = np.array(tables) if tables else np.zeros((0, size, size), int)
    if counts.shape[1:] != (size, size) or not np.issubdtype(counts.dtype, np.integer):
        return None
    if not all(type(value) is float for value in [*(m for m in metrics if m is not None), *by_subject]):
        return None
    if not all(type(value) in (int, float) for value in cost):
        return None
    return {
        "name": trial.id,
        "stamp": list(now),
        "fold": trial.fold,
        "seed": trial.seed,
        "began": record.provenance.get("began"),
        "seconds": record.provenance.get("seconds"),
        "study": _text({"config": {**trial.config, "seeds": None} if own_seeds else trial.config, "own_seeds": own_seeds,
                        "variant": trial.variant, "fold_count": trial.fold_count, "identity": {**whole, **rest}}),
        "people": _text([identity.test_subjects, identity.train_subjects, identity.frames_digest, record.subjects,
                         record.expressions, list(record.confusion), list(record.sequence_confusion)]),
        "origin": _text(origin),
        "names": _text([list(record.metrics), {k: type(v).__name__ for k, v in record.cost.items()},
                        {k: list(v) for k, v in record.by_subject.items()}]),
        "metrics": metrics,
        "cost": list(map(float, cost)),
        "by_subject": by_subject,
        "counts": counts.ravel().astype(np.int32),
    }  # fmt: skip


def _text(value: Any) -> str:
    """JSON that UTF-8 can hold, whatever names of files are in it."""
    return json.dumps(value)


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    shared = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("name", pa.string()),
            ("stamp", pa.list_(pa.int64(), 3)),
            ("fold", pa.int32()),
            ("seed", pa.int64()),
            ("began", pa.string()),
            ("seconds", pa.float64()),
            *((name, shared) for name in SHARED),
            *((name, pa.list_(pa.float64())) for name in VALUES),
            ("counts", pa.list_(pa.int32())),
        ]
    )
    return pa.table({field.name: pa.array([row[field.name] for row in rows], field.type) for field in schema}, schema)


# -- from rows to records


class _Columns:
    """The columns of an index, those of JSON parsed once for all rows that share a value."""

    def __init__(self, root: Path, table: pa.Table) -> None:
        self.root = root
        self.names: list[str] = table["name"].to_pylist()
        self.stamps = list(map(tuple, table["stamp"].combine_chunks().flatten().to_numpy().reshape(-1, 3).tolist()))
        self.scalars = {name: table[name].to_pylist() for name in ("fold", "seed", "began", "seconds")}
        self._codes, self._values = {}, {}
        for name in SHARED:
            column = table[name].unify_dictionaries().combine_chunks()
            self._codes[name] = column.indices.to_pylist()
            make = {"study": _study, "people": _people}.get(name, json.loads)
            self._values[name] = [make(text) for text in column.dictionary.to_pylist()]
        self._flat, self._ends = {}, {}
        for name in (*VALUES, "counts"):
            column = table[name].combine_chunks()
            self._flat[name] = column.flatten().to_numpy(zero_copy_only=False)
            self._ends[name] = column.offsets.to_pylist()

    def shared(self, name: str, row: int) -> Any:
        """The parsed value of a column of JSON."""
        return self._values[name][self._codes[name][row]]

    def values(self, name: str, row: int) -> np.ndarray:
        """The numbers of a column of lists."""
        ends = self._ends[name]
        result: np.ndarray = self._flat[name][ends[row] : ends[row + 1]]
        return result


def _study(text: str) -> dict[str, Any]:
    study = dict(json.loads(text))
    parts = study["identity"]
    parts["dataset"] = DatasetIdentity(**parts["dataset"])
    parts |= {name: ComponentIdentity(**parts[name]) for name in COMPONENTS}
    return study


def _people(text: str) -> list[Any]:
    test, train, digest, *others = json.loads(text)
    return [tuple(test), tuple(train), digest, *map(tuple, others)]


class Tables(Mapping[str, list[list[int]]]):
    """Confusion counts by subject as one array. Equal to a dict of lists with the same counts.

    Attributes:
        names: of the S subjects. array: (S, C, C), int.
    """

    def __init__(self, names: tuple[str, ...], array: np.ndarray) -> None:
        self.names, self.array = names, array

    def __getitem__(self, name: str) -> list[list[int]]:
        try:
            found: list[list[int]] = self.array[self.names.index(name)].tolist()
        except ValueError:
            raise KeyError(name) from None
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class _Lazy:
    """An attribute that is made when it is asked for first, and then kept."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, holder: Any, owner: type | None = None) -> Any:
        value = holder.__dict__[self.name] = self.make(holder)
        return value


def _of_whole(name: str) -> _Lazy:
    return _Lazy(lambda holder: getattr(holder.whole, name))


class _Indexed(Record):
    """A record whose values are made from the index when they are asked for, and what boards do not read from record.json."""

    _columns: _Columns
    _row: int

    def __init__(self, columns: _Columns, row: int) -> None:
        self.__dict__.update(_columns=columns, _row=row, trial=_IndexedTrial(columns, row))

    whole: Any = _Lazy(lambda record: _read(record._columns, record._row))
    _people: Any = _Lazy(lambda record: record._columns.shared("people", record._row))
    _names: Any = _Lazy(lambda record: record._columns.shared("names", record._row))
    subjects: Any = _Lazy(lambda record: record._people[3])
    expressions: Any = _Lazy(lambda record: record._people[4])
    confusion: Any = _Lazy(lambda record: record._tables[0])
    sequence_confusion: Any = _Lazy(lambda record: record._tables[1])
    notes: Any = _of_whole("notes")
    stages: Any = _of_whole("stages")
    files: Any = _of_whole("files")
    schema: Any = _of_whole("schema")

    @_Lazy
    def _tables(self) -> tuple[Tables, Tables]:
        """Counts of frames and of sequences."""
        frames, sequences = self._people[5:7]
        size = len(self.expressions)
        counts = self._columns.values("counts", self._row).reshape(len(frames) + len(sequences), size, size)
        return Tables(frames, counts[: len(frames)]), Tables(sequences, counts[len(frames) :])

    @_Lazy
    def metrics(self) -> dict[str, float | None]:
        values = self._columns.values("metrics", self._row).tolist()
        return {name: None if value != value else value for name, value in zip(self._names[0], values, strict=True)}

    @_Lazy
    def cost(self) -> dict[str, float]:
        values = self._columns.values("cost", self._row).tolist()
        kinds = self._names[1]
        return {name: int(v) if kinds[name] == "int" else v for name, v in zip(kinds, values, strict=True)}

    @_Lazy
    def by_subject(self) -> dict[str, dict[str, float]]:
        values = iter(self._columns.values("by_subject", self._row).tolist())
        return {metric: dict(zip(names, values, strict=False)) for metric, names in self._names[2].items()}

    @_Lazy
    def provenance(self) -> dict[str, Any]:
        scalars = self._columns.scalars
        own = {name: value for name in ("began", "seconds") if (value := scalars[name][self._row]) is not None}
        return {**self._columns.shared("origin", self._row), **own}

    def to_json(self) -> str:
        return str(self.whole.to_json())


class _IndexedTrial(Trial):
    """The trial of an indexed record."""

    _columns: _Columns
    _row: int
    _study: Mapping[str, Any]

    def __init__(self, columns: _Columns, row: int) -> None:
        study, scalars = columns.shared("study", row), columns.scalars
        self.__dict__.update(
            _columns=columns, _row=row, _study=study, id=columns.names[row], variant=study["variant"],
            fold=scalars["fold"][row], fold_count=study["fold_count"], seed=scalars["seed"][row],
        )  # fmt: skip

    whole: Any = _Lazy(lambda trial: _read(trial._columns, trial._row).trial)
    stages: Any = _of_whole("stages")
    plugin_files: Any = _of_whole("plugin_files")
    judges: Any = _of_whole("judges")
    code: Any = _of_whole("code")
    replaces: Any = _of_whole("replaces")

    @_Lazy
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self._study["config"]
        return {**config, "seeds": [self.seed]} if self._study["own_seeds"] else config

    @_Lazy
    def identity(self) -> Identity:
        test, train, digest, *_ = self._columns.shared("people", self._row)
        return Identity(
            **self._study["identity"], test_subjects=test, train_subjects=train, frames_digest=digest, seed=self.seed
        )


def _read(columns: _Columns, row: int) -> Record:
    """The record as its file has it."""
    path = columns.root / columns.names[row] / files.RECORD
    try:
        return Record.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FerbenchError(
            f"{path} was changed or removed while it was read: {error}. Start the command again."
        ) from error


def with_plugin_files(record: Record, paths: Sequence[str]) -> Record:
    """The record with other plugin files."""
    trial = Trial.from_dict({**record.trial.to_dict(), "plugin_files": tuple(paths)})
    return replaced(record, trial=trial)


def replaced(record: Record, **changes: Any) -> Record:
    """The record with other values, as dataclasses.replace."""
    if not isinstance(record, _Indexed):
        return dataclasses.replace(record, **changes)
    other = copy.copy(record)
    other.__dict__.update(changes)
    return other
