"""RaFD: the Radboud Faces Database.

Layout: `Rafd090_01_Caucasian_female_angry_frontal.jpg`: camera angle, model, group, sex, expression, gaze. 67 models, eight
expressions, three gazes, five angles. Written from the distribution's description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ferbench_labdata.base import Sequence_, StillImages
from ferbench_labdata.files import IMAGES, one_of, walk
from ferbench_labdata.plugin import RafdSettings

CODES = {
    "angry": "anger", "contemptuous": "contempt", "disgusted": "disgust", "fearful": "fear", "happy": "happiness",
    "neutral": "neutral", "sad": "sadness", "surprised": "surprise",
}  # fmt: skip
ANGLES = ("000", "045", "090", "135", "180")
NAME = re.compile(r"Rafd(\d{3})_(\d\d)_([A-Za-z]+)_([A-Za-z]+)_([a-z]+)_(left|frontal|right)\.jpe?g", re.IGNORECASE)


class Rafd(StillImages):
    """frame_id: '01/angry-frontal-090/090'."""

    name = "rafd"
    settings: RafdSettings

    def sequences(self) -> Iterable[Sequence_]:
        wanted = one_of("angles", self.settings.angles, ANGLES)
        found, strange = [], []
        for relative, path in walk(self.root, IMAGES):
            match = NAME.fullmatch(path.name)
            if match is None or match.group(5).lower() not in CODES or match.group(1) not in ANGLES:
                strange.append(relative)
                continue
            angle, model, group, sex, code, gaze = match.groups()
            if angle not in wanted:
                continue
            factors = {"angle": angle, "gaze": gaze.lower(), "sex": sex.lower(), "group": group.lower()}
            name = f"{model}/{code.lower()}-{gaze.lower()}-{angle}"
            found.append(Sequence_(name, model, CODES[code.lower()], [(angle, path)], factors))
        self.strange(strange, "Rafd090_01_Caucasian_female_angry_frontal.jpg")
        return found
