"""JAFFE: Japanese Female Facial Expressions.

Layout: `KA.AN1.39.tiff`: subject, expression with a number, a serial number; 10 subjects, 213 images. Written from the
distribution's description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ferbench_labdata.base import Sequence_, StillImages
from ferbench_labdata.files import IMAGES, walk

CODES = {
    "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral", "SA": "sadness", "SU": "surprise"
}  # fmt: skip
NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})(\d)\.(\d+)\.tiff?", re.IGNORECASE)


class Jaffe(StillImages):
    """frame_id: 'KA/AN1/39'."""

    name = "jaffe"

    def sequences(self) -> Iterable[Sequence_]:
        found, strange = [], []
        for relative, path in walk(self.root, IMAGES):
            match = NAME.fullmatch(path.name)
            if match is None or match.group(2).upper() not in CODES:
                strange.append(relative)
                continue
            subject, code, number, serial = (part.upper() for part in match.groups())
            found.append(Sequence_(f"{subject}/{code}{number}", subject, CODES[code], [(serial, path)]))
        self.strange(strange, "KA.AN1.39.tiff")
        return found
