"""SMIC: the Spontaneous Micro-expression Corpus, three classes, from onset to offset.

Layout: `SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image1.bmp`, or `SMIC_all_raw/HS/...` with whole frames; beside HS
(high speed) VIS (visible light) and NIR (near infrared), also in folders such as `SMIC_VIS`. The name of a clip is subject,
class (ne negative, po positive, sur surprise) and number; the folder `non_micro` beside `micro` holds other movements. The apex
is not coded. HS has 164 clips of 16 people: 70 negative, 51 positive, 43 surprise. The long version SMIC-E
(`HS_long/SMIC-HS-E/s01/s1_ne_01`), whose clips hold frames before and after and which lacks some, is not read. The layout was
seen in seven public loaders, the counts in a public list; no copy was available.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ferbench import DatasetCard, FerbenchError, UnknownName
from ferbench_labdata.base import Sequence_
from ferbench_labdata.cards import CARDS, unpublished
from ferbench_labdata.layout import plain
from ferbench_labdata.microexpressions import Clip, Copy, MicroExpressions
from ferbench_labdata.settings import SmicSettings

FOLDER = re.compile(r"(?:^|/)s(\d+)_(ne|po|sur)_(\d+)$", re.IGNORECASE)
CLASSES = {"ne": "negative", "po": "positive", "sur": "surprise"}
CAMERAS = ("HS", "VIS", "NIR")
UNNAMED = "an unnamed one"
LONG = re.compile(r"/(HS|VIS|NIR)long/|/SMIC(HS|VIS|NIR)E/", re.IGNORECASE)


class Smic(MicroExpressions):
    """frame_id: 's01/ne-01/7'."""

    name = "smic"
    settings: SmicSettings

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card, whose counts are those of the camera HS."""
        return card if self.settings.camera == "HS" else unpublished(card)

    def sequences(self) -> Iterable[Sequence_]:
        if self.settings.camera not in CAMERAS:
            raise UnknownName("value of dataset.camera", self.settings.camera, CAMERAS)
        kept = self.of_kind(clips(self, Copy(self), self.settings.camera), self.settings.images)
        return self.of_classes(kept, self.own_classes(), "SMIC")


def clips(dataset: MicroExpressions, copy: Copy, camera: str = "HS") -> Iterator[Clip]:
    """The clips of one camera of SMIC in a copy. Those of which no folder names the camera are read as HS's, which is said."""
    found, long, unnamed, others = [], 0, 0, set[str]()
    for match, files in copy.clips(FOLDER):
        above = match.string[: match.start()].split("/")
        same = [plain(part) for part in above]
        if "nonmicro" in same:
            continue
        if LONG.search(f"/{'/'.join(same)}/"):
            long += 1
            continue
        filmed = _camera(above)
        if (filmed or "HS") != camera:
            others.add(filmed or UNNAMED)
            continue
        unnamed += not filmed
        code = match.group(2).lower()
        name = f"{code}-{int(match.group(3)):02d}"
        found.append(Clip(f"s{int(match.group(1)):02d}", name, CLASSES[code], files))
    if not found and long:
        raise FerbenchError(
            f"{dataset.root} holds the long version of SMIC (SMIC-E), whose clips hold frames before and after the expression. "
            "Name the folder of the cut version instead, such as SMIC_all_cropped."
        )
    if not found:
        lacking = (
            f"no clips of SMIC's camera {camera}, only of {' and '.join(sorted(others))}"
            if others
            else "no clips of SMIC"
        )
        raise dataset.without(CARDS["smic"], lacking)
    dataset.say(long, "{count} clip{s} of SMIC's long version (SMIC-E) {were} left out")
    dataset.say(unnamed, "no folder says which camera filmed {count} clip{s} of SMIC, and {they} {are} read as of HS")
    yield from found


def _camera(folders: Sequence[str]) -> str:
    """The camera that the lowest folder names that names one, as in 'SMIC_VIS'; nothing where none does.

    >>> _camera(["SMIC_all_cropped", "HS", "s1"]), _camera(["SMIC_VIS", "micro"]), _camera(["SMIC"])
    ('HS', 'VIS', '')
    """
    for folder in reversed(folders):
        named = [camera for camera in CAMERAS if camera in re.split("[^A-Z]+", folder.upper())]
        if len(named) == 1:
            return named[0]
    return ""
