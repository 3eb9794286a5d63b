"""CK+ (extended Cohn-Kanade).

Layout: `cohn-kanade-images/S005/001/S005_001_00000001.png`, `Emotion/S005/001/S005_001_00000011_emotion.txt` and
`Landmarks/S005/001/S005_001_00000001_landmarks.txt`. 593 sequences of 123 subjects, from neutral to apex; 327 of them, of
118 subjects, have a label: a text file with a float such as "   3.0000000e+00". Many folders in `Emotion` are empty, there may be
system files, and frame numbers need not start at 1. The literature uses the last three frames, and the first one as the
subject's neutral face. A file of landmarks has 68 lines of x and y; if it exists, `preparation=align` uses it.

'CK+ with 7 classes' is ambiguous in the literature, so each set of classes is a separate dataset: ckplus7c (six and contempt),
ckplus7n (six and neutral), ckplus6 and ckplus8. If neutral is a class, the first frame of each labelled sequence is an example
of it. Source of the counts: Li and Deng, Deep Facial Expression Recognition: A Survey, arXiv 1804.08348. No copy was available
when this was written; the layout follows the description of the distribution and public loaders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ferbench import FerbenchError, FrameError
from ferbench.errors import enumerate_first
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.cards import BASIC, CONTEMPT
from ferbench_labdata.files import IMAGES, child, read_text, wrong_root

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""Expression by emotion code."""

FIVE = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))
"""Indices into the 68 landmarks: outlines of the image-left and image-right eye, nose tip, image-left and image-right mouth
corner."""


class _CkPlus(LabDataset):
    """frame_id: 'S005/001/011', of which the last part is the number in the file name."""

    mark = "ckplus7c"
    classes: ClassVar[tuple[str, ...]]

    def sequences(self) -> Iterable[Sequence_]:
        images, labels = child(self.root, "cohn-kanade-images"), child(self.root, "Emotion")
        if images is None:
            raise wrong_root(self.root, "folder 'cohn-kanade-images'")
        if labels is None:
            raise FerbenchError(
                f"{self.root} holds no folder 'Emotion'; CK+ is distributed with it next to the images (Emotion_labels.zip)."
            )
        self._landmarks = child(self.root, "Landmarks")
        found, lacking = [], []
        for name, expression in sorted(_labels(labels).items()):
            if expression == "neutral" or expression not in self.classes:  # a neutral sequence has no apex
                continue
            frames = _images(images / name)
            if len(frames) < 2:
                lacking.append(name)
            else:
                found.append(Sequence_(name, name.partition("/")[0], expression, frames))
        self.refuse(lacking, f"{{count}} labelled sequences of CK+ have fewer than two images in {images}: {{items}}.")
        if not found:
            raise FerbenchError(f"No labelled sequence shows one of {', '.join(self.classes)}.")
        return found

    def frames(self) -> pd.DataFrame:
        table = super().frames()
        if "neutral" in self.classes:
            first = table["position"] == 0
            table.loc[first, "expression"] = "neutral"
            table.loc[first, "sequence"] += "/neutral"
        return table

    def landmarks(self, frame_id: str) -> np.ndarray | None:
        """(5, 2), as of `ferbench.Face.landmarks`; None if the copy has none for this frame. Eyes are means of their outlines."""
        if self._landmarks is None:
            return None
        image = self._files[frame_id]
        path = self._landmarks / frame_id.rpartition("/")[0] / f"{image.stem}_landmarks.txt"
        if not path.is_file():
            return None
        try:
            points = np.array(
                [[float(x) for x in line.split()] for line in read_text(path).splitlines() if line.strip()]
            )
        except ValueError:
            points = np.zeros(0)
        if points.shape != (68, 2):
            raise FrameError(f"{path} does not hold 68 landmarks of two numbers each", [frame_id])
        return np.stack([points[part].mean(axis=0) for part in FIVE])


def _labels(folder: Path) -> dict[str, str]:
    """Expression by sequence ('S005/001')."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*/*/*_emotion.txt")):
        if path.name.startswith("."):
            continue
        text = read_text(path, "ascii").strip()
        try:
            code = float(text)
        except ValueError:
            raise FerbenchError(
                f"{path} holds '{text[:40]}', which is not a number; CK+ labels are like 3.0000000e+00."
            ) from None
        if code not in range(len(CODES)):
            raise FerbenchError(f"{path} holds the emotion code {code:g}; CK+ has 0 to {len(CODES) - 1}.")
        subject = path.parent.parent.name
        if not re.fullmatch(r"S\d{3}", subject):
            raise FerbenchError(f"{path} is of the subject '{subject}'; subjects of CK+ have names like S005 and S010.")
        found[f"{subject}/{path.parent.name}"] = CODES[int(code)]
    if not found:
        raise FerbenchError(
            f"There is no label in {folder}; expected were files like S005/001/S005_001_00000011_emotion.txt."
        )
    return found


def _images(folder: Path) -> list[tuple[str, Path]]:
    """(number, file) in the order of the numbers."""
    if not folder.is_dir():
        return []
    found, strange = [], []
    for path in folder.iterdir():
        if path.suffix.lower() in IMAGES and not path.name.startswith("."):
            match = re.fullmatch(r"S\d+_\d+_(\d+)", path.stem)
            if match is None:
                strange.append(path)
            else:
                found.append((int(match.group(1)), path))
    if strange:
        raise FerbenchError(
            f"{enumerate_first(strange)} is not a frame of CK+: frames have names like S005_001_00000001.png."
        )
    return [(f"{number:03d}", path) for number, path in sorted(found)]


class CkPlus6(_CkPlus):
    """The six basic expressions: 309 sequences of 106 subjects."""

    name = "ckplus6"
    classes = BASIC


class CkPlus7c(_CkPlus):
    """Six and contempt: 327 sequences of 118 subjects."""

    name = "ckplus7c"
    classes = CONTEMPT


class CkPlus7n(_CkPlus):
    """Six and neutral: 309 sequences of 106 subjects, 1,236 images."""

    name = "ckplus7n"
    classes = (*BASIC, "neutral")


class CkPlus8(_CkPlus):
    """Seven and neutral."""

    name = "ckplus8"
    classes = (*CONTEMPT, "neutral")
