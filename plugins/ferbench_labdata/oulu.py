"""Oulu-CASIA NIR&VIS.

Layout: `OriginalImg/` or `PreProcess Img/`, then VL or NI, then Strong, Weak or Dark, then P001 .. P080, then Anger,
Disgust, Fear, Happiness, Sadness, Surprise, then 000.jpeg ... Each sequence goes from a nearly neutral face to the apex, and
its first frame is used as the subject's neutral face. The literature uses VL, Strong, and the last three frames of each of
the 480 sequences. Upper and lower case of names does not matter, .jpg is accepted for .jpeg, and system files are ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ferbench import FerbenchError, UnknownName
from ferbench.errors import enumerate_first
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.cards import BASIC
from ferbench_labdata.files import IMAGES, child, one_of, subfolders, wrong_root
from ferbench_labdata.settings import OuluSettings

FOLDERS = {"preprocessed": "PreProcess Img", "original": "OriginalImg"}
CAMERAS = ("VL", "NI")
ILLUMINATIONS = ("Strong", "Weak", "Dark")


class Oulu(LabDataset):
    """frame_id: 'P001/Anger/007', the same for both image folders. If several conditions (camera, illumination) are read, the
    sequence contains the condition: 'P001/VL-Strong-Anger/007'."""

    name = "oulu"
    settings: OuluSettings

    def sequences(self) -> Iterable[Sequence_]:
        s = self.settings
        conditions = [
            (camera, light)
            for camera in one_of("camera", s.camera, CAMERAS)
            for light in one_of("illumination", s.illumination, ILLUMINATIONS)
        ]
        images = self._images()
        found: list[Sequence_] = []
        lacking: list[str] = []
        for camera, light in conditions:
            folder = _below(_below(images, camera), light)
            prefix = f"{camera}-{light}-" if len(conditions) > 1 else ""
            for subject in _subjects(folder):
                there = {p.name.lower(): p for p in subfolders(subject)}
                if unknown := sorted(set(there) - set(BASIC)):
                    raise FerbenchError(
                        f"{subject} holds folders that are not expressions: {enumerate_first(unknown)}."
                    )
                for expression in BASIC:
                    frames = _numbered(there[expression]) if expression in there else []
                    person = subject.name.upper()
                    if not frames:
                        lacking.append(f"{prefix}{person} {expression}")
                        continue
                    factors = {"camera": camera, "illumination": light}
                    name = f"{person}/{prefix}{expression.capitalize()}"
                    found.append(Sequence_(name, person, expression, frames, factors))
        if found:
            self.refuse(
                lacking,
                f"{{count}} sequences of Oulu-CASIA are missing in {images}: {{items}}. Every subject has six expressions.",
            )
        return found

    def _images(self) -> Path:
        """The folder of images that `dataset.images` names."""
        wanted = self.settings.images
        if wanted not in ("auto", *FOLDERS):
            raise UnknownName("value of dataset.images", wanted, ("auto", *FOLDERS))
        names = FOLDERS.values() if wanted == "auto" else [FOLDERS[wanted]]
        found = next((p for name in names if (p := child(self.root, name)) is not None), None)
        if found is None:
            raise wrong_root(self.root, " and no ".join(f"folder '{name}'" for name in names))
        return found


def _below(folder: Path, name: str) -> Path:
    found = child(folder, name)
    if found is None:
        raise wrong_root(folder, f"folder '{name}'")
    return found


def _subjects(folder: Path) -> list[Path]:
    found = subfolders(folder)
    if strange := [p.name for p in found if not re.fullmatch(r"[Pp]\d{3}", p.name)]:
        raise FerbenchError(
            f"{folder} holds folders that are not subjects (P001 ... P080): {enumerate_first(strange)}."
        )
    return found


def _numbered(folder: Path) -> list[tuple[str, Path]]:
    """(number as written in the file name, file) of all images in a folder, sorted by the number.

    Raises:
        FerbenchError: the name of an image is not a number, or two images have the same number.
    """
    found: dict[int, tuple[str, Path]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122  (57,600 of them; pathlib takes ten times as long)
            if suffix.lower() not in IMAGES or entry.name.startswith("."):
                continue
            if not stem.isdigit():
                raise FerbenchError(
                    f"{entry.path} is not a frame of Oulu-CASIA: frames have names like 000.jpeg and 001.jpeg."
                )
            if int(stem) in found:
                raise FerbenchError(
                    f"{folder} holds a frame number twice, perhaps as .jpeg and as .jpg. Remove one of the files."
                )
            found[int(stem)] = (stem, Path(entry.path))
    return [found[number] for number in sorted(found)]
