"""Oulu-CASIA NIR&VIS.

Layout: `OriginalImg/` or `PreProcess Img/`, then VL or NI, then Strong, Weak or Dark, then P001 .. P080, then Anger,
Disgust, Fear, Happiness, Sadness, Surprise, then 000.jpeg ... Each sequence runs from a near neutral face to the apex;
its first frame serves as the subject's neutral face. The literature takes VL, Strong, the last three frames of each of
the 480 sequences. Names are taken in any case, and .jpg as well as .jpeg; system files are passed over.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench import Dataset, FerbenchError, UnknownName
from ferbench.errors import enumerate_first
from ferbench_labdata.files import IMAGES, check_root, child, content_fingerprint, frame_table, read_image, wrong_root
from ferbench_labdata.plugin import BASIC, OuluSettings

FOLDERS = {"preprocessed": "PreProcess Img", "original": "OriginalImg"}
APEX = 3
"""Frames at the end of a sequence that the literature takes as its apex."""


class Oulu(Dataset):
    """frame_id: 'P001/Anger/007', the same for both image folders."""

    settings: OuluSettings

    def __init__(self, settings: OuluSettings) -> None:
        super().__init__(settings)
        for name, options in {
            "images": ("auto", *FOLDERS), "camera": ("VL", "NI"), "illumination": ("Strong", "Weak", "Dark")
        }.items():  # fmt: skip
            if getattr(settings, name) not in options:
                raise UnknownName(f"value of dataset.{name}", getattr(settings, name), options)
        self._folder = self._find()
        self._files = self._index()

    def _find(self) -> Path:
        s = self.settings
        root = check_root(s.root, "oulu", "Oulu-CASIA", "the University of Oulu (CMVS), on request")
        wanted = FOLDERS if s.images == "auto" else {s.images: FOLDERS[s.images]}
        images = next((p for name in wanted.values() if (p := child(root, name)) is not None), None)
        if images is None and root.name.lower() in {name.lower() for name in FOLDERS.values()}:
            images = root  # the root was given one level too low
        if images is None:
            inner = next(
                (p for p in sorted(root.iterdir()) if p.is_dir() and any(child(p, n) for n in FOLDERS.values())),
                None,
            )
            if inner is not None:
                raise FerbenchError(f"{root} is one level too high; write dataset.root={inner}.")
            raise wrong_root(root, " and no ".join(f"folder '{name}'" for name in wanted.values()))
        folder = images
        for name in (s.camera, s.illumination):
            below = child(folder, name)
            if below is None:
                raise wrong_root(folder, f"folder '{name}'")
            folder = below
        return folder

    def _index(self) -> dict[str, Path]:
        """Every frame in the order of subject, expression and number."""
        files: dict[str, Path] = {}
        lacking: list[str] = []
        subjects = sorted(p for p in self._folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        strange = [p.name for p in subjects if not re.fullmatch(r"[Pp]\d{3}", p.name)]
        if strange:
            raise FerbenchError(
                f"{self._folder} holds folders that are no subject (P001 ... P080): {enumerate_first(strange)}."
            )
        for subject in subjects:
            found = {p.name.lower(): p for p in subject.iterdir() if p.is_dir() and not p.name.startswith(".")}
            if unknown := sorted(set(found) - set(BASIC)):
                raise FerbenchError(f"{subject} holds folders that are no expression: {enumerate_first(unknown)}.")
            for expression in BASIC:
                folder = found.get(expression)
                images = [] if folder is None else _images(folder)
                if not images:
                    lacking.append(f"{subject.name.upper()} {expression}")
                for path in images:
                    files[f"{subject.name.upper()}/{expression.capitalize()}/{path.stem}"] = path
        if not files:
            raise FerbenchError(
                f"There is no image in {self._folder}. Looked for P001/Anger/000.jpeg and the like; a half-unpacked archive "
                "leaves such folders."
            )
        if lacking and not self.settings.allow_incomplete:
            raise FerbenchError(
                f"{len(lacking)} sequences of Oulu-CASIA are missing in {self._folder}: {enumerate_first(lacking)}. Every subject "
                "has six expressions; mend the copy, or go on without them with dataset.allow_incomplete=true."
            )
        return files

    def frames(self) -> pd.DataFrame:
        table = frame_table(self._files, APEX)
        table["expression"] = table["sequence"].str.partition("/")[2].str.lower()
        table["camera"] = self.settings.camera
        table["illumination"] = self.settings.illumination
        return table

    def image(self, frame_id: str) -> np.ndarray:
        if frame_id not in self._files:
            raise UnknownName("frame of oulu", frame_id, ())
        return read_image(self._files[frame_id], frame_id)

    def fingerprint(self) -> str:
        return content_fingerprint(self._files.items())


def _images(folder: Path) -> list[Path]:
    """Its images in the order of their numbers.

    Raises:
        FerbenchError: one is not called by a number, or a number is there twice.
    """
    images = [p for p in folder.iterdir() if p.suffix.lower() in IMAGES and not p.name.startswith(".")]
    for path in images:
        if not path.stem.isdigit():
            raise FerbenchError(f"{path} is no frame of Oulu-CASIA: frames are called 000.jpeg, 001.jpeg and so on.")
    numbers = [int(p.stem) for p in images]
    if len(set(numbers)) < len(numbers):
        raise FerbenchError(f"{folder} holds a frame number twice (as .jpeg and as .jpg, perhaps).")
    return [path for _, path in sorted(zip(numbers, images, strict=True))]
