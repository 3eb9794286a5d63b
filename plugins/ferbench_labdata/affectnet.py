"""AffectNet: the manually annotated part with eight expressions.

Two layouts: `Manually_Annotated_file_lists/training.csv` and `validation.csv` (columns subDirectory_filePath and expression)
with `Manually_Annotated_Images/`; and the smaller one, `train_set/images/0.jpg` with `train_set/annotations/0_exp.npy`, and
`val_set`. 0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt; 8 to 10 (none, uncertain,
no face) are left out. There are no identities. The literature tests on the validation set. Written from the description of the
distribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench import FerbenchError
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.files import child, walk

CODES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
OTHERS = range(len(CODES), 11)
LISTS = {"training.csv": "train", "validation.csv": "test"}
SETS = {"train_set": "train", "val_set": "test"}


class AffectNet(LabDataset):
    """frame_id: 'train:119:0123.jpg/8/0', with ':' for '/' in the path. Each image is its own subject, as they are unknown."""

    name = "affectnet"
    rises = False

    def sequences(self) -> Iterable[Sequence_]:
        lists = child(self.root, "Manually_Annotated_file_lists")
        entries = self._from_lists(lists) if lists is not None else self._from_arrays()
        found, missing = [], []
        for side, name, code, path in entries:
            if code in OTHERS:
                continue
            if not 0 <= code < len(CODES):
                raise FerbenchError(f"{path} has the expression {code} in AffectNet's lists; valid are 0 to 10.")
            if not path.is_file():
                missing.append(name)
                continue
            identifier = f"{side}:{name.replace('/', ':')}"
            found.append(Sequence_(f"{identifier}/8", identifier, CODES[code], [("0", path)], {"split": side}))
        self.refuse(missing, f"{{count}} images of AffectNet's lists are missing in {self.root}: {{items}}.")
        return found

    def _from_lists(self, lists: Path) -> Iterator[tuple[str, str, int, Path]]:
        images = child(self.root, "Manually_Annotated_Images")
        if images is None:
            raise FerbenchError(f"{self.root} holds no folder 'Manually_Annotated_Images' beside the lists.")
        for file, side in LISTS.items():
            try:
                table = pd.read_csv(lists / file, usecols=["subDirectory_filePath", "expression"], dtype=str)
            except (OSError, ValueError) as error:
                raise FerbenchError(
                    f"{lists / file} cannot be read as AffectNet's list, with the columns subDirectory_filePath and expression: "
                    f"{error}."
                ) from error
            for name, code in zip(table["subDirectory_filePath"], table["expression"], strict=True):
                if not str(code).strip().isdigit():
                    raise FerbenchError(
                        f"{lists / file} gives '{name}' the expression '{code}', which is not a number."
                    )
                yield side, str(name), int(code), images / str(name)

    def _from_arrays(self) -> Iterator[tuple[str, str, int, Path]]:
        for folder, side in SETS.items():
            base = child(self.root, folder)
            if base is None or child(base, "images") is None or child(base, "annotations") is None:
                raise FerbenchError(f"{self.root / folder} needs the folders 'images' and 'annotations'.")
            annotations = base / "annotations"
            for relative, path in walk(base / "images", {".jpg", ".jpeg", ".png"}):
                label = annotations / f"{path.stem}_exp.npy"
                try:
                    code = int(np.load(label, allow_pickle=False))
                except (OSError, ValueError, TypeError) as error:
                    raise FerbenchError(f"{label} cannot be read as an expression: {error}.") from error
                yield side, relative, code, path
