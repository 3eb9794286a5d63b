"""Oulu-CASIA NIR&VIS.

Layout: `OriginalImg/` or `PreProcess Img/`, then VL or NI (VL_Acropped or NI_Acropped for the cropped faces), then Strong, Weak
or Dark, then P001 .. P080, then Anger, Disgust, Fear, Happiness, Sadness, Surprise, then 000.jpeg ... Each sequence goes from a
nearly neutral face to the apex, and its first frame is used as the subject's neutral face. The literature uses VL, Strong, and
the last three frames of each of the 480 sequences.

Seen in public loaders: `PreProcess Img/VL_Acropped` (five), `PreProcess_Img`, `PreProcess`, `OriginalImg/VL`, `B_OriginalImg/VL`,
`B_OriginalImg/B_OriginalImg/OriginalImg/VL`, and `Oulu_CASIA_NIR_VIS/VL` of a Kaggle copy (three). So folders are found by the
names of the cameras, wherever they are. The pictures are cropped faces where the folder's name ends with _Acropped, or one above
it begins with PreProcess; all others count as original ones. Upper and lower case of names does not matter, and any type of image
is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ferbench import DatasetCard, FerbenchError, UnknownName
from ferbench.errors import enumerate_first
from ferbench.expressions import canonical
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.cards import BASIC, of_parts
from ferbench_labdata.files import IMAGES, one_of, stem_of, suffix_of
from ferbench_labdata.layout import child, entries, plain, subfolders, unnested, wrong_root
from ferbench_labdata.settings import OuluSettings

KINDS = {"preprocessed": "cropped faces", "original": "original pictures"}
CROPPED = "_Acropped"
CAMERAS = ("VL", "NI")
ILLUMINATIONS = ("Strong", "Weak", "Dark")


class Oulu(LabDataset):
    """frame_id: 'P001/Anger/007', the same for cropped and original images. If several conditions (camera, illumination) are read,
    the sequence contains the condition: 'P001/VL-Strong-Anger/007'."""

    name = "oulu"
    settings: OuluSettings

    def sequences(self) -> Iterable[Sequence_]:
        conditions = self._conditions()
        folders = self._folders(conditions)
        found: list[Sequence_] = []
        lacking: list[str] = []
        for (camera, light), places in folders.items():
            prefix = f"{camera}-{light}-" if len(conditions) > 1 else ""
            factors = {"camera": camera, "illumination": light}
            people: dict[str, set[str]] = {}
            for subject in (subject for place in places for subject in _subjects(place)):
                person = subject.name.upper()
                there = _expressions(subject)
                shown = people.setdefault(person, set())
                for expression in BASIC:
                    if expression in there and (frames := _numbered(there[expression])):
                        shown.add(expression)
                        name = f"{person}/{prefix}{expression.capitalize()}"
                        found.append(Sequence_(name, person, expression, frames, factors))
            lacking += [
                f"{prefix}{person} {expression}"
                for person, shown in people.items()
                for expression in BASIC
                if expression not in shown
            ]
        self.say_gaps(found)
        if found:
            self.refuse(
                lacking,
                f"{{count}} sequence{{s}} of Oulu-CASIA {{are}} missing in {self.root}: {{items}}. Every subject has six "
                "expressions.",
            )
        return found

    def _conditions(self) -> list[tuple[str, str]]:
        cameras = one_of("camera", self.settings.camera, CAMERAS)
        lights = one_of("illumination", self.settings.illumination, ILLUMINATIONS)
        return list(dict.fromkeys((camera, light) for camera in cameras for light in lights))

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the counts of the conditions that are read, each of which has all subjects and expressions."""
        conditions = [f"{camera}/{light}" for camera, light in self._conditions()]
        return card if len(conditions) == 1 else of_parts(card, conditions)

    def _folders(self, conditions: list[tuple[str, str]]) -> dict[tuple[str, str], list[Path]]:
        """By condition, the folders of its subjects, of the images that `dataset.images` names.

        Raises:
            FerbenchError: there are none, or not for all conditions.
        """
        wanted = self.settings.images
        if wanted not in ("auto", *KINDS):
            raise UnknownName("value of dataset.images", wanted, ("auto", *KINDS))
        cameras = self.places(*(camera + end for camera in CAMERAS for end in ("", CROPPED)))
        if not cameras:
            raise wrong_root(self.root, self.own_card, "no folder 'VL', 'NI', 'VL_Acropped' or 'NI_Acropped' of images")
        kinds = list(KINDS) if wanted == "auto" else [wanted]
        for kind in kinds:
            of_kind = [p for p in cameras if _is_cropped(p) == (kind == "preprocessed")]
            found = {c: _of_condition(of_kind, *c) for c in conditions}
            if all(found.values()):
                below = sorted({self._below(p) for places in found.values() for p in places})
                self.copy.append(f"the {KINDS[kind]} were read ({enumerate_first(below)})")
                if wanted == "auto" and kind == "preprocessed":
                    self._refuse_left_out(found, [p for p in cameras if p not in of_kind])
                return found
        lacking = [f"{c}/{light}" for c, light in conditions if not _of_condition(cameras, c, light)]
        there = sorted(self._below(p) for camera in cameras for p in _lights(camera))
        what = f"{' or '.join(KINDS[k] for k in kinds)} of {enumerate_first(lacking or [f'{c}/{i}' for c, i in conditions])}"
        raise FerbenchError(
            f"{self.root} holds no {what}; it holds {enumerate_first(there, 6) if there else 'no folder Strong, Weak or Dark'}. "
            "dataset.camera, dataset.illumination and dataset.images choose what is read."
        )

    def _refuse_left_out(self, found: dict[tuple[str, str], list[Path]], others: list[Path]) -> None:
        """Refuse subjects of whom there are other images than those that are read."""
        lost = []
        for (camera, light), places in found.items():
            read = {p.name.upper() for place in places for p in _subjects(place)}
            there = {p.name.upper() for place in _of_condition(others, camera, light) for p in _subjects(place)}
            lost += [f"{person} ({camera}/{light})" for person in sorted(there - read)]
        self.refuse(
            lost,
            "{count} subject{s} {have} original pictures and no cropped faces: {items}. dataset.images=original reads all of them.",
        )

    def _below(self, folder: Path) -> str:
        """The path of a folder below the root; its last parts where the root is the folder itself."""
        relative = folder.relative_to(self.root).as_posix()
        return relative if relative.count("/") else "/".join(folder.parts[-2:])


def _is_cropped(camera: Path) -> bool:
    """Whether the folder of a camera holds cropped faces, by its name and the three above it, the lowest that tells."""
    names = [plain(part) for part in reversed(camera.parts[-4:])]
    if names[0].endswith(plain(CROPPED)):
        return True
    told = (name.startswith("preprocess") for name in names if name.startswith("preprocess") or "original" in name)
    return next(told, False)


def _of_condition(cameras: list[Path], camera: str, light: str) -> list[Path]:
    """The folders called `light` in those of the camera."""
    found = (child(p, light) for p in cameras if plain(p.name) in (plain(camera), plain(camera + CROPPED)))
    return [unnested(p) for p in found if p is not None]


def _lights(camera: Path) -> list[Path]:
    return [p for p in subfolders(camera) if p.name.capitalize() in ILLUMINATIONS]


def _expressions(subject: Path) -> dict[str, Path]:
    """The folders of a subject by expression."""
    folders = _unbroken(subject)
    if unknown := [p.name for p in folders if canonical(p.name) not in BASIC]:
        raise FerbenchError(f"{subject} holds folders that are not expressions: {enumerate_first(unknown)}.")
    found: dict[str, Path] = {}
    for folder in folders:
        if (first := found.setdefault(canonical(folder.name), folder)) is not folder:
            raise FerbenchError(f"{first} and {folder.name} beside it are one expression. Move one of them elsewhere.")
    return found


def _unbroken(folder: Path) -> list[Path]:
    """The subfolders of a folder.

    Raises:
        FerbenchError: it holds links that lead nowhere.
    """
    if broken := [e.path for e in entries(folder) if e.is_symlink() and not Path(e.path).exists()]:
        raise FerbenchError(
            f"{enumerate_first(broken)} is a symbolic link that leads nowhere. Mend the link to the folder, or remove it."
        )
    return subfolders(folder)


def _subjects(folder: Path) -> list[Path]:
    found = _unbroken(folder)
    if strange := [p.name for p in found if not re.fullmatch(r"[Pp]\d{3}", p.name)]:
        raise FerbenchError(
            f"{folder} holds folders that are not subjects (P001 ... P080): {enumerate_first(strange)}."
        )
    return found


def _numbered(folder: Path) -> list[tuple[str, Path]]:
    """(number as written in the file name, file) of all images in a folder, sorted by the number.

    Raises:
        FerbenchError: the folder cannot be read, the name of an image is not a number, or two images have the same number.
    """
    found: dict[int, tuple[str, Path]] = {}
    for entry in entries(folder):
        if suffix_of(entry.name) not in IMAGES:
            continue
        stem = stem_of(entry.name)
        if not stem.isdecimal():
            raise FerbenchError(
                f"{entry.path} is not a frame of Oulu-CASIA: frames have names like 000.jpeg and 001.jpeg."
            )
        if int(stem) in found:
            raise FerbenchError(
                f"{folder} holds a frame number twice, perhaps as .jpeg and as .jpg. Remove one of the files."
            )
        found[int(stem)] = (stem, Path(entry.path))
    return [found[number] for number in sorted(found)]
