"""The files of a record: their names, writing and reading. All other modules use this one.

Arrays are stored without pickle and tables as Parquet. Weights are written by ferbench.training.checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError
from ferbench.hashing import file_digest

RECORD = "record.json"
STAGE = "stage.json"
PREDICTIONS = "predictions.parquet"
LOSSES = "losses.parquet"
LOGITS = "logits.npy"
EMBEDDINGS = "embeddings.npy"
IDENTITY_EMBEDDINGS = "identity_embeddings.npy"
SYNTHESES = "syntheses.npz"
ESTIMATES = "estimates.npz"
SYNTHESIS_GRID = "synthesis.npy"
WEIGHTS = "weights.safetensors"
CODE = "code.json"
CHECKPOINT = ".checkpoint.safetensors"
"""Ending of the name of a checkpoint."""
FIGURES = "figures"

REFERENCE = re.compile(r"(?:reference|floor)_(\w+)\.npy")
"""Files of reference representations. Early records of version 1 have the prefix `floor_`."""

SKIPPED = "/skipped"
"""End of the name of what says which updates were left out: 1 for one whose gradient was infinite in fp16, else 0."""
TEST_ACCURACY = "test/accuracy"
"""Name, in the table of losses, of the accuracy on the test set. It is logged during training and not used."""

VALIDATION_ACCURACY = "validation/accuracy"
"""The same of the accuracy on the validation subjects, by which the epoch is chosen (`trainer.choose=validation`)."""

NOT_PACKED = frozenset({WEIGHTS, SYNTHESIS_GRID})
"""Files that are not part of a submission: weights, and images of faces."""


def packed(name: str) -> bool:
    """Whether a file of a record is part of a submission: all are, except those in NOT_PACKED."""
    known = {RECORD, PREDICTIONS, LOSSES, LOGITS, EMBEDDINGS, IDENTITY_EMBEDDINGS, SYNTHESES, ESTIMATES, CODE}
    return name in known or REFERENCE.fullmatch(name) is not None


def checkpoint(stage: Path) -> Path:
    """The checkpoint of a stage that is being trained. `stage` is the folder that the trained stage will have."""
    return stage.with_name(f"{stage.name}{CHECKPOINT}")


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 by name of all files in a folder, except record.json."""
    return {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != RECORD}


def check(folder: Path, files: Mapping[str, str], names: Sequence[str]) -> None:
    """Compare files with the checksums in their record.

    Args:
        folder: folder of the record.
        files: SHA-256 by name, from the record. A file that is not among them is not compared.
        names: the files to check.

    Raises:
        FerbenchError: a file is missing or was changed.
    """
    for name in names:
        path = folder / name
        if not path.is_file():
            raise FerbenchError(f"{path} is missing.")
        if name in files and file_digest(path) != files[name]:
            raise FerbenchError(f"{path} is not the file that its record names; it was changed.")


def write_predictions(
    folder: Path, frames: pd.DataFrame, expressions: Sequence[str], probabilities: np.ndarray
) -> None:
    """Write the predictions: the frame table and one column with the probability of each expression.

    Args:
        frames: N rows of the frame table.
        expressions: names of the C classes.
        probabilities: (N, C), in [0, 1].
    """
    table = frames.drop(columns="fold", errors="ignore").reset_index(drop=True)
    for expression, column in zip(expressions, probabilities.T, strict=True):
        table[f"p_{expression}"] = column.astype(np.float64)
    table.to_parquet(folder / PREDICTIONS, index=False)


def read_predictions(folder: Path, expressions: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Read (frame table of N rows, probabilities (N, C)) of the C classes in `expressions`.

    Raises:
        FerbenchError: the file is missing, cannot be read, or lacks a class.
    """
    try:
        table = pd.read_parquet(folder / PREDICTIONS)
        columns = [f"p_{expression}" for expression in expressions]
        return table.drop(columns=columns), table[columns].to_numpy()
    except FileNotFoundError as error:
        raise FerbenchError(f"The record in {folder} has no {PREDICTIONS}.") from error
    except (OSError, ValueError, KeyError) as error:
        raise FerbenchError(f"The predictions in {folder} cannot be read: {error}.") from error


def write_array(folder: Path, name: str, values: np.ndarray | None) -> None:
    """Write an array as .npy; for None, nothing is written."""
    if values is not None:
        np.save(folder / name, values, allow_pickle=False)


def read_array(folder: Path, name: str) -> np.ndarray | None:
    """Read a .npy file; None if it does not exist."""
    path = folder / name
    return np.load(path, allow_pickle=False) if path.is_file() else None


def write_references(folder: Path, features: Mapping[str, np.ndarray]) -> None:
    """Write reference representations by name ("pixels", "untrained", "identity"), each (N, D)."""
    for name, values in features.items():
        write_array(folder, f"reference_{name}.npy", values)


def read_references(folder: Path) -> dict[str, np.ndarray]:
    """Read reference representations by name, each (N, D)."""
    paths = {match.group(1): path for path in sorted(folder.iterdir()) if (match := REFERENCE.fullmatch(path.name))}
    return {name: np.load(path, allow_pickle=False) for name, path in paths.items()}


def write_arrays(folder: Path, name: str, values: Mapping[str, np.ndarray]) -> None:
    """Write several arrays to one .npz file."""
    np.savez_compressed(folder / name, allow_pickle=False, **dict(values))


def read_arrays(folder: Path, name: str) -> dict[str, np.ndarray] | None:
    """Read the arrays of a .npz file by name; None if it does not exist."""
    path = folder / name
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


Losses = list[tuple[int, str, float]]
"""Losses as (step, name, value), in the order of training."""


def losses_table(losses: Losses, stage: str = "") -> pd.DataFrame:
    """A table with the columns step, loss (its name) and value and, if a stage is given, stage as the first column."""
    table = pd.DataFrame(losses, columns=["step", "loss", "value"])
    if stage:
        table.insert(0, "stage", stage)
    return table


def write_losses(folder: Path, table: pd.DataFrame) -> None:
    """Write a table as of `losses_table`."""
    table.to_parquet(folder / LOSSES, index=False)


def read_losses(folder: Path) -> pd.DataFrame:
    """Read a table as of `losses_table`. Raises OSError or ValueError if it cannot be read."""
    return pd.read_parquet(folder / LOSSES)


def write_code(folder: Path, functions: Mapping[str, Mapping[str, str]]) -> None:
    """Write the digests of functions: by part ("core", "method", ...) and by "module:name"."""
    (folder / CODE).write_text(json.dumps(functions, indent=0, sort_keys=True), encoding="utf-8")


def read_code(folder: Path) -> dict[str, dict[str, str]]:
    """Read what `write_code` wrote; empty if there is no such file."""
    try:
        return dict(json.loads((folder / CODE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
