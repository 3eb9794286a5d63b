"""RADIATE: the Racially Diverse Affective Expression face stimulus set.

Layout: `RADIATE_JPEGS1/AF01/AF01_AC.jpg`, `RADIATE_BMP/RADIATE_450_COLOR_BMP/WF/WF01/WF01_NC.bmp`, or all files in one folder:
race (A Asian, B Black, C Caucasian, H Hispanic, W White, O other), sex, number, and expression. The first letter of the
expression is A anger, C calm, D disgust, F fear, H happiness, N neutral, S sadness; the second is the mouth: C closed, O open,
and E for an expressive smile. SUR is surprise. So each of over 100 adults shows sixteen expressions; the paper counts 1,721
photographs. The set comes as JPEG and BMP, in colour and in black and white; a root holds one version. The names were seen in
four public programs, which between them use all codes but NO, SC and SO; these follow from the rule. No copy was available.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ferbench import FerbenchError
from ferbench_labdata.base import Sequence_, StillImages
from ferbench_labdata.files import same_content

CODES = {
    "A": "anger", "C": "calm", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness", "SUR": "surprise"
}  # fmt: skip
RACES = {"A": "Asian", "B": "Black", "C": "Caucasian", "H": "Hispanic", "O": "other", "W": "White"}
MOUTHS = {"C": "closed", "O": "open", "E": "expressive"}


def _one_version(one: Path, other: Path) -> str:
    """What to do about two files of one name in two versions."""
    above = Path(os.path.commonpath([one, other]))
    folders = [above / path.relative_to(above).parts[0] for path in (one, other)]
    apart = next((p for p, path in zip(folders, (one, other), strict=True) if p not in (path, path.parent)), None)
    return (
        "move one version to a folder of its own"
        if apart is None
        else f"write dataset.root={apart}, or name the other version"
    )


class Radiate(StillImages):
    """frame_id: 'AF01/AC/AC'."""

    name = "radiate"
    pattern = re.compile(r"([ABCHOW])([FM])(\d+)_([ACDFNS][CO]|H[COE]|SUR)\.[a-z]+", re.IGNORECASE)
    example = "AF01_AC.jpg"
    person = re.compile(r"[ABCHOW][FM]\d+", re.IGNORECASE)

    def sequences(self) -> Iterable[Sequence_]:
        found = list(super().sequences())
        first: dict[str, Path] = {}
        for sequence in found:
            path = sequence.frames[0][1]
            other = first.setdefault(sequence.name, path)
            if path.suffix.lower() != other.suffix.lower() or not same_content(path, other):
                raise FerbenchError(
                    f"{self.root} holds RADIATE in several versions: {other} and {path}. It comes as JPEG and BMP, in colour and "
                    f"in black and white; {_one_version(other, path)}."
                )
        return found

    def sequence(self, match: re.Match[str], path: Path) -> Sequence_:
        race, sex, number, code = (part.upper() for part in match.groups())
        subject = f"{race}{sex}{number}"
        factors = {
            "race": RACES[race],
            "sex": "female" if sex == "F" else "male",
            "mouth": "open" if code == "SUR" else MOUTHS[code[1]],
        }
        return Sequence_(
            f"{subject}/{code}", subject, CODES[code if code == "SUR" else code[0]], [(code, path)], factors
        )
