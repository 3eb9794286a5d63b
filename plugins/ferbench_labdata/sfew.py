"""SFEW 2.0: Static Facial Expressions in the Wild, frames of films, as in the challenge EmotiW 2015.

Layout: `Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png` and
`Val/Val_Aligned_Faces_new/Val_Aligned_Faces/Angry/`; in other copies `Val/Val_Aligned_Faces`, or both folders without `Train`
and `Val` above them, or `Train/Angry` and `Val/Angry`. The classes are Angry, Disgust, Fear, Happy, Neutral, Sad, Surprise. A
name is the film, the time and the number of the face. The aligned faces are 891 of the 958 training photographs and 431 of the
436 of the validation set. The labels of the test set (372) are not public; the literature tests on the validation set. There
are no identities. Seen in six public loaders; no copy was available.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ferbench_labdata.base import Sequence_
from ferbench_labdata.files import IMAGES, walk
from ferbench_labdata.layout import called, find
from ferbench_labdata.parts import Parts
from ferbench_labdata.splitfolders import SplitFolders

HIDDEN = ("Test_Aligned_Faces", "Test")


class Sfew(SplitFolders):
    """frame_id: 'train:anger:Airheads_000519240_00000005/photo/0'. The column `film` is the film's name."""

    name = "sfew"
    sides: ClassVar[Mapping[str, Sequence[str]]] = {
        "train": ("Train_Aligned_Faces", "Train"),
        "test": ("Val_Aligned_Faces_new", "Val_Aligned_Faces", "Val"),
    }
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"(.+)_\d{9}_\d{8}")
    example = "Airheads_000519240_00000005.png"

    def sequences(self) -> Iterable[Sequence_]:
        found = super().sequences()
        if any(self._hidden(folder) for folder in self.places(*HIDDEN)):
            self.copy.append(
                "the test images were left out: their labels are not public, and the validation set is the test set"
            )
        return found

    def _parts(self) -> Parts:
        """The aligned faces, where the photographs lie beside them."""
        parts = super()._parts()
        aligned = {
            side: [p for p in folders if "aligned" in p.name.lower()] or folders
            for side, folders in parts.folders.items()
        }
        return Parts(parts.names, aligned)

    def _hidden(self, folder: Path) -> bool:
        """Whether a folder holds the test images: no folders of other parts, and images."""
        return not find(folder, called(*(name for names in self.sides.values() for name in names))) and any(
            True for _ in walk(folder, IMAGES)
        )

    def factors(self, match: re.Match[str]) -> Mapping[str, object]:
        return {"film": match.group(1)}
