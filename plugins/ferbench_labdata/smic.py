"""SMIC: the Spontaneous Micro-expression Corpus, three classes, from onset to offset.

Layout: `SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image1.bmp`, or `SMIC_all_raw/HS/...` with whole frames; beside HS
(high speed) VIS (visible light) and NIR (near infrared). The name of a clip is subject, class (ne negative, po positive, sur
surprise) and number; the folder `non_micro` beside `micro` holds other movements. The apex is not coded. HS has 164 clips of 16
people: 70 negative, 51 positive, 43 surprise. The long version SMIC-E (`HS_long/SMIC-HS-E/s01/s1_ne_01`), whose clips hold
frames before and after and which lacks some, is not read. The layout was seen in seven public loaders, the counts in a public
list; no copy was available.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ferbench import DatasetCard, FerbenchError, UnknownName
from ferbench_labdata.base import Sequence_
from ferbench_labdata.cards import CARDS, unpublished
from ferbench_labdata.layout import plain
from ferbench_labdata.microexpressions import Clip, Copy, MicroExpressions
from ferbench_labdata.settings import SmicSettings

FOLDER = re.compile(r"(?:^|/)s(\d+)_(ne|po|sur)_(\d+)$", re.IGNORECASE)
CLASSES = {"ne": "negative", "po": "positive", "sur": "surprise"}
CAMERAS = ("HS", "VIS", "NIR")
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
        return self.of_classes(kept, {name: name for name in self.own_card.expressions}, "SMIC")


def clips(dataset: MicroExpressions, copy: Copy, camera: str = "HS") -> Iterator[Clip]:
    """The clips of one camera of SMIC in a copy. Clips below no folder called HS, VIS or NIR are taken as those of HS."""
    found, long, others = [], 0, set[str]()
    for match, files in copy.clips(FOLDER):
        above = [plain(part) for part in match.string[: match.start()].split("/")]
        if "nonmicro" in above:
            continue
        if LONG.search(f"/{'/'.join(above)}/"):
            long += 1
            continue
        filmed = next((c for c in CAMERAS if plain(c) in above), "HS")
        if filmed != camera:
            others.add(filmed)
            continue
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
    if long:
        dataset.copy.append(f"{long} clips of SMIC's long version (SMIC-E) were left out")
    yield from found
