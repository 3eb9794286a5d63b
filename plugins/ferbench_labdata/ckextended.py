"""CK+ as `ckextended.csv`, a copy on Kaggle: gray faces of 48 x 48 pixels, as text in a CSV file.

Columns are emotion, pixels and Usage. Emotions are FER2013's codes (0 anger ... 5 surprise, 6 neutral), with 7 for contempt. 920
rows: one image of each of the 327 labelled sequences of CK+, and one neutral face of each of its 593 sequences. Usage is
Training, PublicTest or PrivateTest. The file has neither subjects nor sequences, so its split has the same people on both sides,
and nothing tells which. Columns and codes were seen in public loaders; the counts by class are those of CK+'s sequences, which
add up to 920.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from ferbench import Dataset, FerbenchError, FrameError, NoSuch
from ferbench_labdata.cards import CARDS
from ferbench_labdata.codes import CODES
from ferbench_labdata.files import LINE, one_of_equal, read_columns, remembered, walk, whole_text
from ferbench_labdata.layout import existing_root, wrong_root
from ferbench_labdata.settings import LabSettings

FILE = "ckextended.csv"
LABELS = {**CODES["fer2013"], 7: "contempt"}
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
SIDE = 48


class CkExtended(Dataset):
    """frame_id: 'row 00012'. Each image is its own subject, as subjects are unknown."""

    settings: LabSettings

    def __init__(self, settings: LabSettings) -> None:
        super().__init__(settings)
        card = CARDS["ckextended"]
        root = existing_root(settings.root, card)
        path = one_of_equal([path for _, path in walk(root, [".csv"]) if path.name.lower() == FILE])
        if path is None:
            raise wrong_root(root, card, f"no file '{FILE}'")
        self._path = path
        table = read_columns(path, ("emotion", "pixels", "usage"))
        self._pixels = table["pixels"]
        self._expression = self._translated(
            table["emotion"].map(whole_text), {str(code): name for code, name in LABELS.items()}
        )
        self._split = self._translated(table["usage"], SPLITS)

    def _translated(self, column: pd.Series, names: dict[str, str]) -> pd.Series:
        values = column.str.strip()
        wrong = values.index[~values.isin(names)]
        if len(wrong):
            written = values[wrong[0]][:LINE]
            raise FerbenchError(
                f"{self._path}, row {wrong[0] + 2}, has the {column.name} '{written}'; it can be {', '.join(names)}."
            )
        return values.map(names)

    def which_copy(self) -> str:
        return "ckextended.csv has no subjects: people of its training set are in its test set too"

    def frames(self) -> pd.DataFrame:
        ids = [f"row {i:05d}" for i in range(len(self._pixels))]
        return pd.DataFrame(
            {
                "frame_id": ids,
                "subject": ids,
                "sequence": ids,
                "position": 0,
                "phase": np.where(self._expression == "neutral", "neutral", "apex"),
                "expression": self._expression,
                "split": self._split,
            }
        )

    def image(self, frame_id: str) -> np.ndarray:
        number = frame_id.removeprefix("row ")
        if not number.isdecimal() or int(number) >= len(self._pixels):
            raise NoSuch("frame", frame_id, "ckextended")
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

        pixels = remembered("content", [(FILE, self._path)], content)
        return hashlib.sha256(f"ckextended {pixels}".encode()).hexdigest()[:24]
