"""The file with the weights that a backbone starts from (`backbone.weights`): its digest, and the record that it is of, if any."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from ferbench.errors import FerbenchError, enumerate_first
from ferbench.hashing import file_digest
from ferbench.records import files
from ferbench.records.schema import Record
from ferbench.records.store import Store

LENGTH = 16
"""Hexadecimal digits of a digest that a trial's identity states."""


def found(path: str) -> Path:
    """The file. Raises FerbenchError if there is none."""
    file = Path(path).expanduser()
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise FerbenchError(
            f"backbone.weights={path} {what}; it has to be a file of weights (.safetensors, .pt or .pth)."
        )
    return file


def digest_of(path: str) -> str:
    """The first LENGTH digits of the SHA-256 of the file's content.

    Raises:
        FerbenchError: there is no such file, or it cannot be read.
    """
    file = found(path)
    try:
        state = file.stat()
        return _digest(file, state.st_size, state.st_mtime_ns)[:LENGTH]
    except OSError as error:
        raise FerbenchError(f"backbone.weights={path} cannot be read: {error.strerror or error}.") from error


@lru_cache(maxsize=64)
def _digest(file: Path, size: int, changed: int) -> str:
    """`size` and `changed` (its time of change) are keys of the cache: a study has thousands of trials and one file."""
    return file_digest(file)


def made_by(path: str) -> Record | None:
    """The record whose weights the file is, where it lies; None for any other file, and where the record cannot be read."""
    folder = found(path).absolute().parent
    try:
        state = (folder / files.RECORD).stat()
    except OSError:
        return None
    return _record(folder, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _record(folder: Path, size: int, changed: int) -> Record | None:
    """As `_digest`, of the record in a folder."""
    try:
        return Store(folder.parent).load(folder.name)
    except FerbenchError:
        return None


def refuse_those_of_tested(path: str, dataset: str, tested: Collection[str]) -> None:
    """Raise FerbenchError if the file is of a trial that was trained on subjects of the dataset that are tested now."""
    record = made_by(path)
    if record is None or record.trial.identity.dataset.name != dataset:
        return
    if seen := sorted(set(record.trial.identity.train_subjects) & set(tested)):
        raise FerbenchError(
            f"backbone.weights={path} was trained on subjects that would be tested: trial {record.trial.id} ({record.trial.label}) "
            f"has {enumerate_first(seen)} of {dataset} in its training set. Weights of another dataset, or of the same fold, are "
            "possible."
        )


def seen_by(path: str, words: str) -> str:
    """What the weights were trained on, for boards: `words` (`backbone.seen`), or what a record says, or that nobody says it."""
    if words:
        return words
    if (record := made_by(path)) is not None:
        trial = record.trial
        return f"{trial.identity.dataset.name}, its labels of expression and identity (ferbench, {trial.method}, trial {trial.id})"
    return f"data that backbone.seen does not name ({Path(path).name}, sha256 {digest_of(path)})"
