"""SAMM: Spontaneous Micro-facial Movements, at 200 frames a second, in gray.

Layout: `SAMM_Micro_FACS_Codes_v2.xlsx` (or saved as CSV), with 13 lines of text above the heading, and
`006/006_1_2/006_05562.jpg`. Columns are Subject, Filename, Inducement Code, Onset Frame, Apex Frame, Offset Frame, Duration,
Micro, Action Units, Estimated Emotion, Objective Classes, Notes. There are 159 clips; three have no usable apex. The literature
takes anger 57, contempt 12, happiness 26, other 26 and surprise 15, and leaves one subject out; disgust, fear and sadness have
too few. Layout and columns were seen in seven public loaders, the counts in one; no copy was available.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ferbench.expressions import canonical
from ferbench_labdata.base import Sequence_
from ferbench_labdata.cards import CARDS
from ferbench_labdata.files import number_of
from ferbench_labdata.microexpressions import Clip, Copy, Files, MicroExpressions, coded

FOLDER = re.compile(r"(?:^|/)((\d{3})_\d+_\d+)$")
CODING = "SAMM_Micro_FACS_Codes_v2.xlsx"
COLUMNS = {
    "clip": "Filename", "onset": "Onset Frame", "apex": "Apex Frame", "offset": "Offset Frame", "label": "Estimated Emotion"
}  # fmt: skip


class Samm(MicroExpressions):
    """frame_id: '006/006_1_2/5562'."""

    name = "samm"

    def sequences(self) -> Iterable[Sequence_]:
        return self.of_classes(clips(self, Copy(self)), self.own_classes(), "SAMM")


def clips(dataset: MicroExpressions, copy: Copy) -> Iterator[Clip]:
    """The coded clips of SAMM in a copy."""
    folders: dict[str, list[Files]] = {}
    for match, files in copy.clips(FOLDER):
        folders.setdefault(match.group(1), []).append(files)
    if not folders:
        raise dataset.without(CARDS["samm"], "no clips of SAMM")
    missing = []
    for row in coded(dataset, copy, "facscodes", CODING, COLUMNS):
        name = row["clip"]
        there = folders.get(name, [])
        if not there:
            missing.append(name)
        onset, apex, offset = (number_of(row[column]) for column in ("onset", "apex", "offset"))
        for files in there:
            yield Clip(name.partition("_")[0], name, canonical(row["label"]), files, onset, apex, offset)
    dataset.refuse(missing, "{count} clip{s} in the coding file of SAMM {have} no folder of frames: {items}.")
