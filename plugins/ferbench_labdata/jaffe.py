"""JAFFE: Japanese Female Facial Expressions.

Layout: `KA.AN1.39.tiff`: subject, expression with a number, serial number. 10 subjects, 213 images, in `jaffe`, or in
`jaffedbase/jaffe` with README files beside. Copies hold them as jpg, png or bmp too, also as `KA.AN1.39.tiff.bmp`. Numbers and
serials have gaps (KM.SA5.13, no KM.DI2). All names of a public listing of a jpg copy fit; the rest is from the description of the
distribution.
"""

from __future__ import annotations

import re
from pathlib import Path

from ferbench_labdata.base import TWO_LETTERS, Sequence_, StillImages


class Jaffe(StillImages):
    """frame_id: 'KA/AN1/39'."""

    name = "jaffe"
    pattern = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)(\d)\.(\d+)(?:\.tiff?)?\.\w+", re.IGNORECASE)
    example = "KA.AN1.39.tiff"

    def sequence(self, match: re.Match[str], path: Path) -> Sequence_:
        subject, code, number, serial = (part.upper() for part in match.groups())
        return Sequence_(f"{subject}/{code}{number}", subject, TWO_LETTERS[code], [(serial, path)])
