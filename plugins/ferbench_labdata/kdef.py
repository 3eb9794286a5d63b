"""KDEF: the Karolinska Directed Emotional Faces.

Layout: `KDEF/AF01/AF01ANS.JPG`: session (A, B), sex, subject, expression, angle. 70 subjects, seven expressions, two sessions,
five angles: FL, HL, S, HR, FR; 4,900 pictures. `KDEF_and_AKDEF.zip` puts `AKDEF` beside it: average faces (`FAFS.JPG`), which are
no frames. Copies are flat, by class, or nested; only the names of the files are read.

Known facts of the published copy: two files have wrong names (three public loaders and a notebook name them), and ten pictures
are black (one public loader lists them, another nine of them, a notebook counts ten); none of these twelve is straight (S).
Written from public loaders and the description of the distribution.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageStat

from ferbench import DatasetCard
from ferbench_labdata.base import TWO_LETTERS, Sequence_, StillImages
from ferbench_labdata.cards import of_parts
from ferbench_labdata.files import FORMATS, one_of
from ferbench_labdata.settings import KdefSettings

CODES = {**TWO_LETTERS, "AF": "fear"}
ANGLES = ("FL", "HL", "S", "HR", "FR")
MISNAMED = {"AF31V": "AF31SAHL", "AM31H": "AM31SUHR"}
"""The right name of a file, by its name in the published copy."""

BLACK = frozenset(
    {
        "AF01SUFR", "AF10AFFR", "AF11NEHL", "AF20DIHL", "AM25DIFL", "AM34DIFR", "BF13NEHR", "BM21DIFL", "BM22DIHL", "BM24DIFL",
    }
)  # fmt: skip
"""Pictures that are black in the published copy."""

DARK = 10
"""A picture with a lower mean is black. Those of the published copy have 0.6, all others more than 55."""

_AVERAGE = re.compile(r"[FM](AF|AN|DI|HA|NE|SA|SU|A)(FL|HL|S|HR|FR)\.\w+", re.IGNORECASE)


class Kdef(StillImages):
    """frame_id: 'F01/A-AN-S/S'. A subject's ID is sex and number, and is the same in both sessions."""

    name = "kdef"
    settings: KdefSettings
    pattern = re.compile(r"([AB])([FM])(\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.\w+", re.IGNORECASE)
    example = "AF01ANS.JPG"
    person = re.compile(r"[AB][FM]\d\d", re.IGNORECASE)

    def sequences(self) -> Iterable[Sequence_]:
        self._renamed: set[str] = set()
        self._averages = 0
        self._black: dict[str, None] = {}
        found = super().sequences()
        if self._renamed:
            names = ", ".join(f"{name} as {MISNAMED[name]}" for name in sorted(self._renamed))
            self.copy.append(f"files with wrong names in the published copy were read under their right ones ({names})")
        black = ", ".join(self._black)
        self.say(
            len(self._black),
            f"{{count}} picture{{s}} that {{are}} black in the published copy {{were}} left out ({black})",
        )
        self.say(self._averages, "{count} average face{s} (AKDEF) {are} no frame{s} and {were} left out")
        return found

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the counts of the angles that are read, without the pictures that are black."""
        if self.settings.angles != "S":
            card = of_parts(card, one_of("angles", self.settings.angles, ANGLES))
        if card.published is None or not self._black:
            return card
        black = Counter(CODES[name[4:6]] for name in self._black)
        counts = {name: count - black[name] for name, count in card.published.by_expression.items()}
        published = replace(
            card.published,
            source=f"{card.published.source}, without {black.total()} black pictures",
            sequences=card.published.sequences - black.total(),
            by_expression=counts,
        )
        return replace(card, published=published)

    def right_name(self, relative: str) -> str | None:
        *folders, name = relative.split("/")
        if "akdef" in map(str.lower, folders) or _AVERAGE.fullmatch(name):
            self._averages += 1
            return None
        stem, dot, suffix = name.partition(".")
        if (wrong := stem.upper()) not in MISNAMED:
            return name
        self._renamed.add(wrong)
        return f"{MISNAMED[wrong]}{dot}{suffix}"

    def sequence(self, match: re.Match[str], path: Path) -> Sequence_ | None:
        session, sex, number, code, angle = (part.upper() for part in match.groups())
        if angle not in one_of("angles", self.settings.angles, ANGLES):
            return None
        if (name := f"{session}{sex}{number}{code}{angle}") in BLACK and _black(path):
            self._black[name] = None
            return None
        subject = f"{sex}{number}"
        factors = {"session": session, "sex": sex, "angle": angle}
        return Sequence_(f"{subject}/{session}-{code}-{angle}", subject, CODES[code], [(angle, path)], factors)


def _black(path: Path) -> bool:
    try:
        with Image.open(path, formats=FORMATS) as image:
            return ImageStat.Stat(image.convert("L")).mean[0] < DARK
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # damaged, which is said when it is read
        return False
