"""Your own images: a CSV or Parquet file with one row for each frame.

Required columns are `path` and `expression`. Optional ones are `subject` (if identities are known), `sequence` and `position` (if
frames form sequences), `phase` (neutral, onset, apex, offset), `frame_id` (default: the path) and `split` (train, val, test). All
other columns are factors. The columns determine what the dataset provides, and the labels, in alphabetical order, its classes.

Labels are translated by `ferbench.expressions`, so that "Happy " and "happiness" are one class; words that it lacks stay as
they are, in lower case and without blanks around them. What numbers mean is said by `dataset.codes`; without it they are names
of classes. A subject may be called NA or None: nothing but a blank is a missing value. A column that is blank throughout counts
as absent.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import Dataset, DatasetCard, FerbenchError, NoSuch
from ferbench.errors import enumerate_first, printable
from ferbench.expressions import canonical
from ferbench.interfaces.dataset import PHASES
from ferbench.tables import read_csv, refuse_doubled
from ferbench_labdata.cards import of_users
from ferbench_labdata.files import cell_text, content_fingerprint, number_codes, number_of, open_image
from ferbench_labdata.layout import SPLITS, plain
from ferbench_labdata.sentences import counted
from ferbench_labdata.settings import TableSettings

KNOWN = ("path", "frame_id", "subject", "sequence", "position", "phase", "expression", "split")
WHOLE = ("path", "frame_id", "subject", "sequence", "position", "phase", "split")
"""Columns that are blank in no row, or in all."""

MOST = 2**53
"""Largest position: up to it, floats are exact."""


class Table(Dataset):
    """frame_id: the column of that name in the file, or the path."""

    settings: TableSettings

    def __init__(self, settings: TableSettings) -> None:
        super().__init__(settings)
        if not settings.file:
            raise FerbenchError("dataset=table needs a file: add dataset.file=/path/to/frames.csv.")
        self._path = Path(settings.file).expanduser()
        self._copy: list[str] = []
        table = self._read()
        self._given = given = set(table.columns)
        root = Path(settings.root).expanduser() if settings.root else self._path.absolute().parent
        self._files = [_file(root, name) for name in table["path"]]
        if missing := [str(p) for p in self._files if not os.path.isfile(p)]:  # noqa: PTH113
            raise FerbenchError(
                f"{len(missing)} of {len(table)} images of {self._path} are missing: {enumerate_first(missing, 3)}."
            )
        table["expression"] = self._labels(table["expression"])
        if "frame_id" not in given:
            table["frame_id"] = table["path"]
        for name in sorted({"frame_id", "subject", "sequence"} & set(table.columns)):
            table[name] = table[name].map(printable)
        self._no_doubles(table["frame_id"])
        for name in ("subject", "sequence"):
            if name not in given:
                table[name] = table["frame_id"]
        table["position"] = self._positions(table)
        if "phase" not in given:
            table["phase"] = np.where(table["expression"] == "neutral", "neutral", "apex")
        else:
            table["phase"] = self._words(table["phase"].str.lower(), dict.fromkeys(PHASES), "phase")
        if "split" in given:
            table["split"] = self._words(table["split"].map(plain), SPLITS, "split")
        for name in given - set(KNOWN):
            table[name] = _factor(table[name])
        first = ["frame_id"] if "frame_id" not in given else []
        rest = [name for name in table.columns if name not in ("path", *first)]
        self._table = table[[*first, *rest]].reset_index(drop=True)
        self._index = {frame: row for row, frame in enumerate(self._table["frame_id"])}

    def _read(self) -> pd.DataFrame:
        """The file as text without blanks around values, with the numbers of the rows as index."""
        if self._path.suffix.lower() in (".parquet", ".pq"):
            table = _parquet(self._path)
        else:
            table = read_csv(self._path)
        table = table.rename(columns={name: name.lower() for name in table.columns if name.lower() in KNOWN})
        refuse_doubled(list(table.columns), str(self._path))
        if self.settings.unlabelled and "expression" not in table.columns:
            table["expression"] = ""
        if lacking := sorted({"path", "expression"} - set(table.columns)):
            raise FerbenchError(f"{self._path} has no column {lacking[0]}; it has {', '.join(table.columns)}.")
        if table.empty:
            raise FerbenchError(f"{self._path} has names of columns and no row below them.")
        self._written = table["expression"].copy()
        for name in table.columns:
            table[name] = table[name].str.strip()
        for name in [name for name in WHOLE if name in table]:
            blank = table.index[table[name] == ""]
            if len(blank) == len(table) and name != "path":
                table = table.drop(columns=name)
                self._copy.append(f"the column {name} is blank")
            elif len(blank):
                raise FerbenchError(
                    f"{self._path} has no {name} in {len(blank)} of {len(table)} rows: {enumerate_first(blank)}. Fill it in, "
                    "or leave these rows out."
                )
        return table

    def _labels(self, column: pd.Series) -> pd.Series:
        """The names of the classes; missing where there is no label."""
        codes = number_codes(self.settings.codes)
        names = {}
        strange = []
        for label in column.unique():
            number = number_of(label)
            if codes and number is not None:
                if number not in codes:
                    strange.append(label)
                names[label] = codes.get(number)
            else:
                names[label] = canonical(label) or None
        if strange:
            rows = column.index[column.isin(strange)]
            raise FerbenchError(
                f"{self._path} has labels that dataset.codes={self.settings.codes} lacks ({', '.join(strange)}) in "
                f"{len(rows)} rows: {enumerate_first(rows)}."
            )
        labels = column.map(names).astype(object)
        labels = labels.where(labels.notna())
        unlabelled = int(labels.isna().sum())
        if unlabelled == len(labels) and not self.settings.unlabelled:
            raise FerbenchError(f"{self._path} has no frame with an expression.")
        if unlabelled:
            self._copy.append(f"{unlabelled} of {len(labels)} rows have no label")
        changed = Counter(
            f"'{old}' is read as {new}"
            for old, new in zip(self._written, labels, strict=True)
            if isinstance(new, str) and old != new
        )
        self._copy += [counted(count, f"{what} in {{count}} row{{s}}") for what, count in changed.most_common(12)]
        return labels

    def _no_doubles(self, frames: pd.Series) -> None:
        doubled = frames[frames.duplicated(keep=False)]
        if len(doubled):
            what = "frame_id" if "frame_id" in self._given else "path"
            rows = [
                f"'{name}' in the rows {', '.join(map(str, group.index))}"
                for name, group in doubled.groupby(doubled, sort=False)
            ]
            raise FerbenchError(f"{self._path} has a {what} more than once: {enumerate_first(rows, 3)}.")

    def _positions(self, table: pd.DataFrame) -> pd.Series:
        if "position" not in self._given:
            return table.groupby("sequence", sort=False).cumcount()
        numbers = pd.to_numeric(table["position"], errors="coerce")
        strange = table.index[~np.isfinite(numbers) | (numbers % 1 != 0) | (numbers.abs() > MOST)]
        if len(strange):
            raise FerbenchError(
                f"{self._path}, row {strange[0]}, has the position '{table['position'][strange[0]]}', which is not a number "
                f"without a fraction of at most {MOST:,}."
            )
        return numbers.astype(int)

    def _words(self, column: pd.Series, words: Mapping[str, str | None], name: str) -> pd.Series:
        """A column whose values are all known."""
        strange = column.index[~column.isin(words)]
        if len(strange):
            raise FerbenchError(
                f"{self._path}, row {strange[0]}, has the {name} '{column[strange[0]]}'; it can be {', '.join(words)}."
            )
        return column.map(lambda word: words[word] or word)

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the classes, and with what the columns of the file provide."""
        has = {"subject", "sequence", "intensity", "split"} & self._given
        if (self._table["phase"] == "neutral").any() and "subject" in has:
            has.add("neutral")
        labels = set(self._table["expression"].dropna())
        neutral_only = self._table.loc[self._table["expression"] == "neutral", "phase"]
        if len(neutral_only) and "phase" in self._given and (neutral_only == "neutral").all():
            labels.discard("neutral")  # these frames are marked as neutral faces, not as a class
        whole = of_users(card, labels, has, self.settings.population)
        return dataclasses.replace(whole, frames="apex" if "phase" in self._given else "all")

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

    def which_copy(self) -> str:
        return "; ".join(self._copy)


def _file(root: Path, name: str) -> Path:
    """The image that a path names; Windows' separators are read where there is no other reading."""
    path = root / name
    return root / name.replace("\\", "/") if "\\" in name and not path.exists() else path


def _parquet(path: Path) -> pd.DataFrame:
    """A Parquet file as text; what is missing in it is blank."""
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # the reader has exceptions of its own
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FerbenchError(f"dataset.file={path} cannot be read as Parquet: {reason}.") from error
    table.columns = [str(name).strip() for name in table.columns]
    refuse_doubled(list(table.columns), str(path))
    cells: dict[str, list[str]] = {str(name): [cell_text(value) for value in table[name]] for name in table.columns}
    return pd.DataFrame(cells, index=range(1, len(table) + 1), dtype=object)


def _factor(column: pd.Series) -> pd.Series:
    """Numbers where all values are; blank ones are missing."""
    filled = column.where(column != "")
    numbers = pd.to_numeric(filled, errors="coerce")
    return numbers if numbers.notna().sum() == filled.notna().sum() else filled
