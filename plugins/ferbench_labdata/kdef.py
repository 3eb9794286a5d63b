"""KDEF: the Karolinska Directed Emotional Faces.

Layout: `AF01/AF01ANS.JPG`: session (A, B), sex, subject, expression, angle. 70 subjects, seven expressions, two sessions,
five angles: FL, HL, S, HR, FR. A few files of the distribution have names that follow no rule; they are named in an error,
and passed over with dataset.allow_incomplete=true. Written from the distribution's description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ferbench_labdata.base import Sequence_, StillImages
from ferbench_labdata.files import IMAGES, one_of, walk
from ferbench_labdata.plugin import KdefSettings

CODES = {
    "AF": "fear", "AN": "anger", "DI": "disgust", "HA": "happiness", "NE": "neutral", "SA": "sadness", "SU": "surprise"
}  # fmt: skip
ANGLES = ("FL", "HL", "S", "HR", "FR")
NAME = re.compile(r"([AB])([FM])(\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.jpe?g", re.IGNORECASE)


class Kdef(StillImages):
    """frame_id: 'F01/A-AN-S/S'. A subject is a sex and a number, in both sessions."""

    name = "kdef"
    settings: KdefSettings

    def sequences(self) -> Iterable[Sequence_]:
        wanted = one_of("angles", self.settings.angles, ANGLES)
        found, strange = [], []
        for relative, path in walk(self.root, IMAGES):
            match = NAME.fullmatch(path.name)
            if match is None:
                strange.append(relative)
                continue
            session, sex, number, code, angle = (part.upper() for part in match.groups())
            if angle not in wanted:
                continue
            subject = f"{sex}{number}"
            factors = {"session": session, "sex": sex, "angle": angle}
            found.append(
                Sequence_(f"{subject}/{session}-{code}-{angle}", subject, CODES[code], [(angle, path)], factors)
            )
        self.strange(strange, "AF01ANS.JPG")
        return found
