"""KDEF: the Karolinska Directed Emotional Faces.

Layout: `AF01/AF01ANS.JPG`: session (A, B), sex, subject, expression, angle. 70 subjects, seven expressions, two sessions,
five angles: FL, HL, S, HR, FR. A few files of the distribution have irregular names. They are an error, or are ignored with
dataset.allow_incomplete=true. Written from the description of the distribution.
"""

from __future__ import annotations

import re
from pathlib import Path

from ferbench_labdata.base import TWO_LETTERS, Sequence_, StillImages
from ferbench_labdata.files import one_of
from ferbench_labdata.settings import KdefSettings

CODES = {**TWO_LETTERS, "AF": "fear"}
ANGLES = ("FL", "HL", "S", "HR", "FR")


class Kdef(StillImages):
    """frame_id: 'F01/A-AN-S/S'. A subject's ID is sex and number, and is the same in both sessions."""

    name = "kdef"
    settings: KdefSettings
    pattern = re.compile(r"([AB])([FM])(\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.jpe?g", re.IGNORECASE)
    example = "AF01ANS.JPG"

    def sequence(self, match: re.Match[str], path: Path) -> Sequence_ | None:
        session, sex, number, code, angle = (part.upper() for part in match.groups())
        if angle not in one_of("angles", self.settings.angles, ANGLES):
            return None
        subject = f"{sex}{number}"
        factors = {"session": session, "sex": sex, "angle": angle}
        return Sequence_(f"{subject}/{session}-{code}-{angle}", subject, CODES[code], [(angle, path)], factors)
