"""CREMA-D: the Crowd-sourced Emotional Multimodal Actors Dataset.

Layout: `VideoFlash/1001_DFA_ANG_XX.flv`: actor, sentence, emotion, level (LO, MD, HI, XX unspecified). 91 actors, 7,442
clips. The literature does not agree on frames; our choice is the three in the middle, and a frame of a neutral clip as the
actor's neutral face. The layout is that of the dataset's repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ferbench_labdata.base import Sequence_
from ferbench_labdata.files import VIDEOS, child, walk
from ferbench_labdata.video import Videos

CODES = {
    "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"
}  # fmt: skip
LEVELS = {"LO": 1, "MD": 2, "HI": 3, "XX": None, "X": None}
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})")


class CremaD(Videos):
    """frame_id: '1001/DFA-ANG-XX/017'."""

    name = "cremad"
    rises = False

    def sequences(self) -> Iterable[Sequence_]:
        found, strange = [], []
        for relative, path in walk(child(self.root, "VideoFlash") or self.root, VIDEOS):
            match = NAME.fullmatch(path.stem)
            if match is None or match.group(3) not in CODES or match.group(4) not in LEVELS:
                strange.append(relative)
                continue
            actor, sentence, emotion, level = match.groups()
            factors = {"statement": sentence, "intensity": LEVELS[level]}
            found.append(self.video(f"{actor}/{sentence}-{emotion}-{level}", actor, CODES[emotion], path, factors))
        self.refuse(strange, "{count} videos are not named like CREMA-D's (1001_DFA_ANG_XX.flv): {items}.")
        return self.counted(found)
