"""CASME II: micro-expressions of 26 people at 200 frames a second, coded by onset, apex and offset.

Layout: `CASME2-coding-20140508.xlsx` (or of another date, or saved as CSV), and `Cropped/sub01/EP02_01f/reg_img46.jpg` or
`CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`, often nested twice. Columns are Subject, Filename, OnsetFrame, ApexFrame,
OffsetFrame, Action Units, Estimated Emotion. The apex is missing ("/") in 21 of 255 rows. The labels: others 99, disgust 63,
happiness 32, repression 27, surprise 25, sadness 7, fear 2. The literature takes the first five, and leaves one subject out.
Layout and columns were seen in ten public loaders, the counts in four; no copy was available.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ferbench.expressions import canonical
from ferbench_labdata.base import Sequence_
from ferbench_labdata.cards import CARDS
from ferbench_labdata.files import number_of
from ferbench_labdata.microexpressions import Clip, Copy, Files, MicroExpressions, coded
from ferbench_labdata.settings import MicroSettings

FOLDER = re.compile(r"(?:^|/)sub(\d+)/(EP[^/]+)$", re.IGNORECASE)
CODING = "CASME2-coding-20140508.xlsx"
COLUMNS = {
    "subject": "Subject", "clip": "Filename", "onset": "OnsetFrame", "apex": "ApexFrame", "offset": "OffsetFrame",
    "label": "Estimated Emotion",
}  # fmt: skip


class Casme2(MicroExpressions):
    """frame_id: 'sub01/EP02_01f/46'."""

    name = "casme2"

    settings: MicroSettings

    def sequences(self) -> Iterable[Sequence_]:
        kept = self.of_kind(clips(self, Copy(self)), self.settings.images)
        return self.of_classes(kept, self.own_classes(), "CASME II")


def clips(dataset: MicroExpressions, copy: Copy) -> Iterator[Clip]:
    """The coded clips of CASME II in a copy."""
    folders: dict[tuple[str, str], list[Files]] = {}
    for match, files in copy.clips(FOLDER):
        folders.setdefault((f"sub{int(match.group(1)):02d}", match.group(2).lower()), []).append(files)
    if not folders:
        raise dataset.without(CARDS["casme2"], "no clips of CASME II")
    missing = []
    for row in coded(dataset, copy, "coding", CODING, COLUMNS):
        number = number_of(row["subject"].lower().removeprefix("sub"))
        subject = f"sub{number:02d}" if number is not None else row["subject"]
        there = folders.get((subject, row["clip"].lower()), [])
        if not there:
            missing.append(f"{subject}/{row['clip']}")
        onset, apex, offset = (number_of(row[column]) for column in ("onset", "apex", "offset"))
        for files in there:
            yield Clip(subject, row["clip"], canonical(row["label"]), files, onset, apex, offset)
    dataset.refuse(missing, "{count} clip{s} in the coding file of CASME II {have} no folder of frames: {items}.")
