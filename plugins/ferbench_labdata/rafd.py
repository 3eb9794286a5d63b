"""RaFD: the Radboud Faces Database.

Layout: `Rafd090_01_Caucasian_female_angry_frontal.jpg`: camera angle, model, group, sex, expression, gaze. 67 models, eight
expressions, three gazes, five angles. Images may be of any type, in any folders. Written from the description of the distribution.
"""

from __future__ import annotations

import re
from pathlib import Path

from ferbench import DatasetCard
from ferbench_labdata.base import Sequence_, StillImages
from ferbench_labdata.cards import of_parts
from ferbench_labdata.files import one_of
from ferbench_labdata.settings import RafdSettings

CODES = {
    "angry": "anger", "contemptuous": "contempt", "disgusted": "disgust", "fearful": "fear", "happy": "happiness",
    "neutral": "neutral", "sad": "sadness", "surprised": "surprise",
}  # fmt: skip
ANGLES = ("000", "045", "090", "135", "180")


class Rafd(StillImages):
    """frame_id: '01/angry-frontal-090/090'."""

    name = "rafd"
    settings: RafdSettings
    pattern = re.compile(
        rf"Rafd({'|'.join(ANGLES)})_(\d\d)_([a-z]+)_([a-z]+)_({'|'.join(CODES)})_(left|frontal|right)\.\w+",
        re.IGNORECASE,
    )
    example = "Rafd090_01_Caucasian_female_angry_frontal.jpg"

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the counts of the angles that are read."""
        if self.settings.angles == "090":
            return card
        return of_parts(card, one_of("angles", self.settings.angles, ANGLES))

    def sequence(self, match: re.Match[str], path: Path) -> Sequence_ | None:
        angle, model, group, sex, code, gaze = (part.lower() for part in match.groups())
        if angle not in one_of("angles", self.settings.angles, ANGLES):
            return None
        factors = {"angle": angle, "gaze": gaze, "sex": sex, "group": group}
        return Sequence_(f"{model}/{code}-{gaze}-{angle}", model, CODES[code], [(angle, path)], factors)
