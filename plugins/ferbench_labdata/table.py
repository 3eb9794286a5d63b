"""Your own images: a CSV or Parquet file with one row for each frame.

Required columns are `path` and `expression`. Optional ones are `subject` (if identities are known), `sequence` and `position` (if
frames form sequences), `phase` (neutral, onset, apex, offset), `frame_id` (default: the path) and `split` (train, val, test). All
other columns are factors. The columns determine what the dataset provides, and the labels, in alphabetical order, its classes.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import Dataset, DatasetCard, FerbenchError, NoSuch
from ferbench.errors import enumerate_first
from ferbench_labdata.files import content_fingerprint, open_image
from ferbench_labdata.settings import TableSettings


class Table(Dataset):
    """frame_id: the column of that name in the file, or the path."""

    settings: TableSettings

    def __init__(self, settings: TableSettings) -> None:
        super().__init__(settings)
        if not settings.file:
            raise FerbenchError("dataset=table needs a file: add dataset.file=/path/to/frames.csv.")
        path = Path(settings.file).expanduser()
        table = _read(path)
        given = set(table.columns)
        if lacking := sorted({"path", "expression"} - given):
            raise FerbenchError(f"{path} has no column {lacking[0]}; it has {', '.join(table.columns)}.")
        root = Path(settings.root).expanduser() if settings.root else path.absolute().parent
        self._files = [root / str(name) for name in table["path"]]
        table = table.rename(columns={"path": "frame_id"}) if "frame_id" not in given else table.drop(columns="path")
        table["frame_id"] = table["frame_id"].astype(str)
        table["expression"] = table["expression"].where(table["expression"].astype(str).str.strip() != "")
        for name in ("subject", "sequence"):
            table[name] = table[name].astype(str) if name in given else table["frame_id"]
        table["position"] = _positions(path, table, "position" in given)
        if "phase" not in given:
            table["phase"] = np.where(table["expression"] == "neutral", "neutral", "apex")
        if not table["expression"].notna().any():
            raise FerbenchError(f"{path} has no frame with an expression.")
        if missing := [str(p) for p in self._files if not p.is_file()]:
            raise FerbenchError(
                f"{len(missing)} of {len(table)} images of {path} are missing: {enumerate_first(missing, 3)}."
            )
        self._table = table
        self._given = given
        self._index = {frame: row for row, frame in enumerate(table["frame_id"])}

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the classes, and with what the columns of the file provide."""
        has = {"subject", "sequence", "intensity", "split"} & self._given
        if (self._table["phase"] == "neutral").any() and "subject" in has:
            has.add("neutral")
        labels = set(self._table["expression"].dropna())
        neutral_only = self._table.loc[self._table["expression"] == "neutral", "phase"]
        if len(neutral_only) and "phase" in self._given and (neutral_only == "neutral").all():
            labels.discard("neutral")  # these frames are marked as neutral faces, not as a class
        return dataclasses.replace(
            card,
            expressions=tuple(sorted(labels)),
            provides=frozenset(has),
            frames="apex" if "phase" in self._given else "all",
            protocol="subject_kfold" if "subject" in has else "fixed",
        )

    def frames(self) -> pd.DataFrame:
        return self._table

    def image(self, frame_id: str) -> np.ndarray:
        return np.asarray(self.picture(frame_id, 0))

    def picture(self, frame_id: str, least: int) -> Image.Image:
        if frame_id not in self._index:
            raise NoSuch("frame", frame_id, "the table")
        return open_image(self._files[self._index[frame_id]], frame_id, least)

    def fingerprint(self) -> str:
        text = self._table.to_csv(index=False)
        return content_fingerprint(zip(self._table["frame_id"], self._files, strict=True), extra=text)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=dict.fromkeys(("path", "frame_id", "subject", "sequence", "expression"), str))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FerbenchError(f"dataset.file={path} cannot be read as CSV or Parquet: {reason}.") from error


def _positions(path: Path, table: pd.DataFrame, given: bool) -> pd.Series:
    if not given:
        return table.groupby("sequence", sort=False).cumcount()
    numbers = pd.to_numeric(table["position"], errors="coerce")
    if numbers.isna().any():
        row = int(numbers.isna().to_numpy().argmax())
        raise FerbenchError(
            f"{path}, row {row + 2}, has the position '{table['position'].iloc[row]}', which is not a number."
        )
    return numbers.astype(int)
