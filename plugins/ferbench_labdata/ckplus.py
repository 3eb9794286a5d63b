"""CK+ (extended Cohn-Kanade).

Layout: `cohn-kanade-images/S005/001/S005_001_00000001.png` and `Emotion/S005/001/S005_001_00000011_emotion.txt`. 593
sequences of 123 subjects, from neutral to apex; 327 of them, of 118 subjects, have a label: a float in text such as
"   3.0000000e+00". Many folders of `Emotion` are empty; system files lie about; numbers need not start at 1. The
literature takes the last three frames, and the first as the subject's neutral face.

'CK+, 7 classes' means two things, so each class set is a dataset of its own: ckplus7c (six and contempt), ckplus7n (six
and neutral), ckplus6, ckplus8. Where neutral is a class, the first frame of each labelled sequence is one.
Counts after Li and Deng, Deep Facial Expression Recognition: A Survey, arXiv 1804.08348. No copy was at hand when this was
written: the layout is that of the distribution's description and of public loaders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ferbench import Dataset, FerbenchError, UnknownName
from ferbench.errors import enumerate_first
from ferbench_labdata.files import IMAGES, check_root, child, content_fingerprint, frame_table, read_image, wrong_root
from ferbench_labdata.plugin import BASIC, CONTEMPT, CkPlusSettings

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""Emotion code -> expression."""

APEX = 3


class _CkPlus(Dataset):
    """frame_id: 'S005/001/011', with the number in the file's name."""

    classes: ClassVar[tuple[str, ...]]
    settings: CkPlusSettings

    def __init__(self, settings: CkPlusSettings) -> None:
        super().__init__(settings)
        root = check_root(
            settings.root, "ckplus7c", "CK+", "the University of Pittsburgh (Jeffrey Cohn), by signed agreement"
        )
        images, labels = child(root, "cohn-kanade-images"), child(root, "Emotion")
        if images is None:
            inner = next((p for p in sorted(root.iterdir()) if p.is_dir() and child(p, "cohn-kanade-images")), None)
            if inner is not None:
                raise FerbenchError(f"{root} is one level too high; write dataset.root={inner}.")
            raise wrong_root(root, "folder 'cohn-kanade-images'")
        if labels is None:
            raise FerbenchError(
                f"{root} holds no folder 'Emotion'; CK+ is distributed with it beside the images (Emotion_labels.zip)."
            )
        self._labels = self._read_labels(labels)
        self._files = self._index(images)

    @staticmethod
    def _read_labels(folder: Path) -> dict[str, str]:
        """Expression by sequence ('S005/001')."""
        found: dict[str, str] = {}
        for path in sorted(folder.glob("*/*/*_emotion.txt")):
            if path.name.startswith("."):
                continue
            text = path.read_text(encoding="ascii", errors="replace").strip()
            try:
                code = float(text)
            except ValueError:
                raise FerbenchError(
                    f"{path} holds '{text[:40]}', which is no number; CK+ labels read like 3.0000000e+00."
                ) from None
            if code not in range(len(CODES)):
                raise FerbenchError(f"{path} holds the emotion code {code:g}; CK+ has 0 to {len(CODES) - 1}.")
            found[f"{path.parent.parent.name}/{path.parent.name}"] = CODES[int(code)]
        if not found:
            raise FerbenchError(
                f"There is no label in {folder}. Looked for S005/001/S005_001_00000011_emotion.txt and the like."
            )
        return found

    def _index(self, folder: Path) -> dict[str, Path]:
        """The frames of the labelled sequences whose expression is among the classes."""
        files: dict[str, Path] = {}
        lacking = []
        for sequence, expression in sorted(self._labels.items()):
            if expression == "neutral" or expression not in self.classes:  # a neutral sequence has no apex
                continue
            images = _images(folder / sequence)
            if len(images) < 2:
                lacking.append(sequence)
            files |= {f"{sequence}/{number:03d}": path for number, path in images}
        if lacking:
            raise FerbenchError(
                f"{len(lacking)} labelled sequences of CK+ have fewer than two images in {folder}: "
                f"{enumerate_first(lacking)}. Mend the copy."
            )
        if not files:
            raise FerbenchError(f"No labelled sequence shows one of {', '.join(self.classes)}.")
        return files

    def frames(self) -> pd.DataFrame:
        table = frame_table(self._files, APEX)
        table["expression"] = table["sequence"].map(self._labels)
        if "neutral" in self.classes:
            first = table["position"] == 0
            table.loc[first, "expression"] = "neutral"
            table.loc[first, "sequence"] += "/neutral"
        return table

    def image(self, frame_id: str) -> np.ndarray:
        if frame_id not in self._files:
            raise UnknownName("frame of CK+", frame_id, ())
        return read_image(self._files[frame_id], frame_id)

    def fingerprint(self) -> str:
        labels = "".join(f"{sequence} {label}\n" for sequence, label in sorted(self._labels.items()))
        return content_fingerprint(self._files.items(), extra=labels + " ".join(self.classes))


def _images(folder: Path) -> Sequence[tuple[int, Path]]:
    """(number, file) in the order of the numbers."""
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        if path.suffix.lower() in IMAGES and not path.name.startswith("."):
            match = re.fullmatch(r"S\d+_\d+_(\d+)", path.stem)
            if match is None:
                raise FerbenchError(f"{path} is no frame of CK+: frames are called S005_001_00000001.png and so on.")
            found.append((int(match.group(1)), path))
    return sorted(found)


class CkPlus6(_CkPlus):
    """The six basic expressions: 309 sequences of 106 subjects."""

    classes = BASIC


class CkPlus7c(_CkPlus):
    """Six and contempt: 327 sequences of 118 subjects."""

    classes = CONTEMPT


class CkPlus7n(_CkPlus):
    """Six and neutral: 309 sequences of 106 subjects, 1,236 images."""

    classes = (*BASIC, "neutral")


class CkPlus8(_CkPlus):
    """Seven and neutral."""

    classes = (*CONTEMPT, "neutral")
