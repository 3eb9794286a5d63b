"""CAER-S: Context-Aware Emotion Recognition, still images taken from videos of television programmes.

Layout: `CAER-S/train/Anger/0001.png` and `CAER-S/test/Anger/0001.png`; in some copies `Train` and `Test`. The classes are
Anger (in some copies Angry), Disgust, Fear, Happy, Neutral, Sad, Surprise. The images are whole scenes, with one face or several
and without boxes: a face detector (preparation=align) finds the largest. There are no identities. Copies hold 69,982 or 69,999
images, about 49,000 of them for training. Seen in eight public loaders; no copy was available.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ferbench_labdata.splitfolders import SplitFolders


class CaerS(SplitFolders):
    """frame_id: 'train:anger:0001/photo/0'."""

    name = "caers"
    sides: ClassVar[Mapping[str, Sequence[str]]] = {"train": ("train",), "test": ("test",)}
    strangers: ClassVar[Mapping[str, Sequence[str]]] = {"val": ("val", "valid", "validation")}
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"\d+")
    example = "0001.png"
