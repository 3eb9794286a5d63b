"""BU-3DFE: the 2D texture images.

Layout: `F0001/F0001_AN01WH_F2D.bmp`: subject, expression, intensity 01 to 04, group, kind of image. 100 subjects, six
expressions at four intensities and a neutral face (NE00). The 2D protocol of the literature uses the intensities 3 and 4; the
neutral faces are for methods that need one. Images may be of any type, in any folders. Written from the description of the
distribution.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ferbench import DatasetCard
from ferbench_labdata.base import TWO_LETTERS, Sequence_, StillImages
from ferbench_labdata.cards import of_parts
from ferbench_labdata.files import one_of
from ferbench_labdata.settings import Bu3dfeSettings

LEVELS = ("1", "2", "3", "4")


class Bu3dfe(StillImages):
    """frame_id: 'F0001/AN3/3'."""

    name = "bu3dfe"
    settings: Bu3dfeSettings
    pattern = re.compile(r"([FM]\d{4})_(AN|DI|FE|HA|NE|SA|SU)(\d\d)([A-Z]{2})_F([23])D\.\w+", re.IGNORECASE)
    example = "F0001_AN01WH_F2D.bmp"
    person = re.compile(r"[FM]\d{4}", re.IGNORECASE)

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the counts of the intensities that are read; those of the literature are of two."""
        levels = sorted(set(one_of("levels", self.settings.levels, LEVELS)))
        if levels == ["3", "4"] or card.published is None:
            return card
        each = {name: count // 2 for name, count in card.published.by_expression.items()}
        one = replace(card.published, sequences=card.published.sequences // 2, by_expression=each)
        return of_parts(replace(card, published=one), [f"intensity {level}" for level in levels])

    def sequence(self, match: re.Match[str], path: Path) -> Sequence_ | None:
        subject, code, level, group, kind = (part.upper() for part in match.groups())
        level = str(int(level))
        wanted = one_of("levels", self.settings.levels, LEVELS)
        if kind == "3" or (code != "NE" and level not in wanted):
            return None
        factors = {"intensity": int(level), "group": group, "sex": subject[0]}
        return Sequence_(f"{subject}/{code}{level}", subject, TWO_LETTERS[code], [(level, path)], factors)
