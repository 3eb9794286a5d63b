"""CK+ as `ckextended.csv`, a copy on Kaggle: gray faces of 48 x 48 pixels, as text in a CSV file.

Columns are emotion, pixels and Usage. Emotions are FER2013's codes (0 anger ... 5 surprise, 6 neutral), with 7 for contempt. 920
rows: one image of each of the 327 labelled sequences of CK+, and one neutral face of each of its 593 sequences. Usage is
Training, PublicTest or PrivateTest. The file has neither subjects nor sequences, so its split has the same people on both sides,
and nothing tells which. Columns and codes were seen in public loaders; the counts by class are those of CK+'s sequences, which
add up to 920.
"""

from __future__ import annotations

from typing import ClassVar

from ferbench_labdata.codes import CODES
from ferbench_labdata.fer2013 import Fer2013
from ferbench_labdata.layout import wrong_root
from ferbench_labdata.settings import LabSettings


class CkExtended(Fer2013):
    """frame_id: 'row 00012'. Each image is its own subject, as subjects are unknown."""

    name = "ckextended"
    files: ClassVar = ("ckextended.csv",)
    codes: ClassVar = {**CODES["fer2013"], 7: "contempt"}

    def __init__(self, settings: LabSettings) -> None:
        super().__init__(settings)
        self.copy.append("the file has no subjects: people of its training set are in its test set too")

    def _read_images(self) -> None:
        raise wrong_root(self.root, self.own_card, f"no file '{self.files[0]}'")

    def fingerprint(self) -> str:
        return self._digest("")  # its labels are in the file
