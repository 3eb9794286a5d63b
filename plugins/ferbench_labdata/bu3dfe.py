"""BU-3DFE, its 2D texture images.

Layout: `F0001/F0001_AN01WH_F2D.bmp`: subject, expression, intensity 01 to 04, group, kind of image. 100 subjects, six
expressions at four intensities and a neutral face (NE00). The 2D protocol of the literature takes the intensities 3 and 4;
neutral faces serve methods that need one. Written from the distribution's description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ferbench_labdata.base import Sequence_, StillImages
from ferbench_labdata.files import IMAGES, one_of, walk
from ferbench_labdata.plugin import Bu3dfeSettings

CODES = {
    "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral", "SA": "sadness", "SU": "surprise"
}  # fmt: skip
LEVELS = ("1", "2", "3", "4")
NAME = re.compile(r"([FM]\d{4})_(AN|DI|FE|HA|NE|SA|SU)(\d\d)([A-Z]{2})_F([23])D\.(bmp|png|jpe?g)", re.IGNORECASE)


class Bu3dfe(StillImages):
    """frame_id: 'F0001/AN3/3'."""

    name = "bu3dfe"
    settings: Bu3dfeSettings

    def sequences(self) -> Iterable[Sequence_]:
        wanted = one_of("levels", self.settings.levels, LEVELS)
        found, strange = [], []
        for relative, path in walk(self.root, IMAGES):
            match = NAME.fullmatch(path.name)
            if match is None:
                strange.append(relative)
                continue
            subject, code, level, group, kind = (part.upper() for part in match.groups()[:5])
            level = str(int(level))
            if kind == "3" or (code != "NE" and level not in wanted):
                continue
            factors = {"intensity": int(level), "group": group, "sex": subject[0]}
            found.append(Sequence_(f"{subject}/{code}{level}", subject, CODES[code], [(level, path)], factors))
        self.strange(strange, "F0001_AN01WH_F2D.bmp")
        return found
