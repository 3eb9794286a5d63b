"""FER2013 and FERPlus: gray faces of 48 x 48 pixels, as text in a CSV file.

Layout: `icml_face_data.csv` or `fer2013.csv` with the columns emotion, Usage and pixels (in the first file, names start with a
space); for FERPlus also `fer2013new.csv`, with the votes of ten people in each row. Emotions are 0 anger, 1 disgust, 2 fear,
3 happiness, 4 sadness, 5 surprise, 6 neutral. Usage is Training, PublicTest (a validation set) or PrivateTest (the test set).
The FERPlus label is the class with more than half of the votes. Rows without such a class, or where it is 'unknown' or 'no
face', are left out (our reading of the paper's majority voting).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench import Dataset, FerbenchError, FrameError, NoSuch
from ferbench_labdata.cards import CARDS
from ferbench_labdata.files import find_root, remembered
from ferbench_labdata.settings import LabSettings

CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
FILES = ("icml_face_data.csv", "fer2013.csv")
SIDE = 48


class Fer2013(Dataset):
    """frame_id: 'row 00012'. Each image is its own subject, as subjects are unknown."""

    name = "fer2013"
    settings: LabSettings

    def __init__(self, settings: LabSettings) -> None:
        super().__init__(settings)
        self.root = find_root(settings.root, CARDS[self.name], "fer2013")
        path = next(p for name in FILES for p in sorted(self.root.iterdir()) if p.name.lower() == name)
        self._path = path
        table = _read(path, ("emotion", "usage", "pixels"))
        if unknown := sorted(set(table["usage"]) - set(SPLITS)):
            raise FerbenchError(f"{path} has the Usage '{unknown[0]}'; it can be {', '.join(SPLITS)}.")
        self._pixels = table["pixels"]
        self._split = table["usage"].map(SPLITS)
        self._expression = self._labels(table)
        if not self._expression.notna().any():
            raise FerbenchError(f"{path} has no row with a label.")

    def _labels(self, table: pd.DataFrame) -> pd.Series:
        codes = pd.to_numeric(table["emotion"], errors="coerce")
        wrong = table.index[~codes.isin(range(len(CODES)))]
        if len(wrong):
            raise FerbenchError(
                f"{self._path}, row {wrong[0] + 2}, has the emotion '{table['emotion'].iloc[wrong[0]]}'; valid are 0 to 6."
            )
        return codes.astype(int).map(dict(enumerate(CODES)))

    def frames(self) -> pd.DataFrame:
        chosen = self._expression.notna()
        ids = [f"row {i:05d}" for i in self._expression.index[chosen]]
        expression = self._expression[chosen].to_numpy()
        return pd.DataFrame(
            {
                "frame_id": ids,
                "subject": ids,
                "sequence": ids,
                "position": 0,
                "phase": np.where(expression == "neutral", "neutral", "apex"),
                "expression": expression,
                "split": self._split[chosen].to_numpy(),
            }
        )

    def image(self, frame_id: str) -> np.ndarray:
        number = frame_id.removeprefix("row ")
        if not number.isdigit() or int(number) >= len(self._pixels):
            raise NoSuch("frame", frame_id, self.name)
        try:
            gray = np.array(self._pixels.iloc[int(number)].split(), dtype=np.uint8)
            return np.repeat(gray.reshape(SIDE, SIDE, 1), 3, axis=2)
        except (ValueError, OverflowError) as error:
            raise FrameError(
                f"{self._path}, {frame_id}, does not hold {SIDE} x {SIDE} numbers from 0 to 255", [frame_id]
            ) from error

    def fingerprint(self) -> str:
        def content() -> str:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()

        labels = ",".join(self._expression.fillna("").tolist())
        pixels = remembered("content", [(self._path.name, self._path)], content)
        return hashlib.sha256(f"{self.name} {pixels} {labels}".encode()).hexdigest()[:24]


class FerPlus(Fer2013):
    """FER2013's images with the labels of FERPlus."""

    name = "ferplus"

    def _labels(self, table: pd.DataFrame) -> pd.Series:
        path = self.root / "fer2013new.csv"
        if not path.is_file():
            raise FerbenchError(
                f"FERPlus' labels are missing: {path}. Get them from {CARDS['ferplus'].obtain.partition(' for ')[0]}."
            )
        names = [name.lower() for name in pd.read_csv(path, nrows=0).columns]
        votes = _read(path, (*VOTES, *(n for n in ("unknown", "nf") if n in names)))
        if len(votes) != len(table):
            raise FerbenchError(
                f"{path} has {len(votes)} rows, but {self._path.name} has {len(table)}; their rows have to correspond."
            )
        numbers = votes.apply(pd.to_numeric, errors="coerce")
        if numbers.isna().any(axis=None):
            row = int(numbers.isna().any(axis=1).idxmax())
            raise FerbenchError(f"{path}, row {row + 2}, has votes that are not numbers.")
        best = numbers.idxmax(axis=1)
        clear = numbers.max(axis=1) * 2 > numbers.sum(axis=1)
        result: pd.Series = best.where(clear & best.isin(VOTES))
        return result


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read columns of a CSV file as text. Names of columns are compared in lower case and without spaces.

    Raises:
        FerbenchError: the file cannot be read, or lacks a column.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FerbenchError(f"{path} cannot be read as CSV: {error}.") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    if lacking := [name for name in columns if name not in table]:
        raise FerbenchError(f"{path} has no column {', '.join(lacking)}; it has {', '.join(table.columns)}.")
    return table[list(columns)]
