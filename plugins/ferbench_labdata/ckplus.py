"""CK+ (extended Cohn-Kanade).

Layout: `cohn-kanade-images/S005/001/S005_001_00000001.png`, `Emotion/S005/001/S005_001_00000011_emotion.txt` and
`Landmarks/S005/001/S005_001_00000001_landmarks.txt`, or, as the archives unpack (four public loaders),
`extended-cohn-kanade-images/cohn-kanade-images`, `Emotion_labels/Emotion` and `Landmarks/Landmarks`. 593 sequences of 123
subjects, from neutral to apex; 327 of them, of 118 subjects, have a label: a text file with a float such as "   3.0000000e+00".
The name of a label's file is that of the frame at the peak, which is the last one (three public readers open that frame). Many
folders in `Emotion` are empty, there may be system files, and frame numbers need not start at 1. The literature uses the last
three frames, and the first one as the subject's neutral face. A file of landmarks has 68 lines of x and y; if it exists,
`preparation=align` uses it.

CK+48, a copy on Kaggle, is `CK+48/happy/S010_006_00000013.png`: the last three frames of each of the 327 sequences, cropped to 48
x 48 pixels, in folders by class (981 images; the names were seen in public loaders). It has subjects and sequences, thus the
published folds, but no first frames. It is read as ckplus7c and ckplus6.

'CK+ with 7 classes' is ambiguous in the literature, so each set of classes is a separate dataset: ckplus7c (six and contempt),
ckplus7n (six and neutral), ckplus6 and ckplus8. If neutral is a class, the first frame of each labelled sequence is an example of
it. Source of the counts: Li and Deng, Deep Facial Expression Recognition: A Survey, arXiv 1804.08348. No copy was available when
this was written; the layout follows the description of the distribution and public loaders.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ferbench import DatasetCard, FerbenchError, FrameError
from ferbench.errors import enumerate_first
from ferbench.expressions import canonical, known
from ferbench_labdata.base import FIRST, LabDataset, Sequence_, each_once
from ferbench_labdata.cards import BASIC, CONTEMPT
from ferbench_labdata.codes import CODES
from ferbench_labdata.files import IMAGES, read_text, stem_of, suffix_of, walk
from ferbench_labdata.layout import called, entries, subfolders, title, whole_copy, wrong_root
from ferbench_labdata.settings import LabSettings

IMAGE_FOLDERS = ("cohn-kanade-images", "extended-cohn-kanade-images")
LABEL_FOLDERS = ("Emotion", "Emotion_labels")
LANDMARK_FOLDERS = ("Landmarks",)
CK48 = "CK+48"
SUBJECT = re.compile(r"S\d{3}", re.IGNORECASE)
NUMBER = re.compile(r"\d{3}")
FRAME = re.compile(r"(S\d{3})_(\d{3})_(\d+)", re.IGNORECASE)
LABEL = re.compile(FRAME.pattern + r"_emotion\.txt", re.IGNORECASE)
LAST = 3
"""Number of frames of each sequence in CK+48."""

FIVE = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))
"""Indices into the 68 landmarks: outlines of the image-left and image-right eye, nose tip, image-left and image-right mouth
corner."""


class _CkPlus(LabDataset):
    """frame_id: 'S005/001/011', of which the last part is the number in the file name."""

    classes: ClassVar[tuple[str, ...]]

    def __init__(self, settings: LabSettings) -> None:
        self._landmarks: Path | None = None
        self._only_last = False
        super().__init__(settings)

    def sequences(self) -> Iterable[Sequence_]:
        images = self._folder(IMAGE_FOLDERS)
        found = self._cropped() if images is None else self._official(images)
        if not found:
            raise FerbenchError(f"No labelled sequence in {self.root} shows one of {', '.join(self.classes)}.")
        self.say_gaps(found)
        return found

    def _folder(self, names: tuple[str, ...]) -> Path | None:
        """The folder called by the first of `names` that occurs; the root only if it holds subjects.

        Raises:
            FerbenchError: there are several.
        """
        for name in names:
            found = [p for p in self.places(name) if p != self.root or _by_name(p, SUBJECT)]
            if len(found) > 1:
                raise FerbenchError(
                    f"{self.root} holds {len(found)} folders '{name}': {enumerate_first(found)}. Keep one of them there, and move "
                    "the others elsewhere."
                )
            if found:
                return found[0]
        return None

    def _official(self, images: Path) -> list[Sequence_]:
        folder = self._folder(LABEL_FOLDERS)
        if folder is None:
            raise self._no_labels()
        self._landmarks = self._folder(LANDMARK_FOLDERS)
        self.copy.append(f"whole sequences were read ({images.name}, labels of {folder.name})")
        if any(p != self.root for p in self.places(CK48)):
            self.copy.append(f"{CK48} beside them was not read")
        people = _by_name(images, SUBJECT)
        below = {subject: _by_name(person, NUMBER) for subject, person in people.items()}
        found: list[Sequence_] = []
        lacking: list[str] = []
        peakless: list[str] = []
        foreign: list[str] = []
        twice: list[str] = []
        for name, label in sorted(self._labels(folder).items()):
            if label.expression == "neutral" or label.expression not in self.classes:  # a neutral sequence has no apex
                continue
            subject, _, number = name.partition("/")
            numbered = _images(below.get(subject, {}).get(number), name, foreign)
            if len(numbered) < 2:
                lacking.append(name)
            elif label.peak not in {n for n, _ in numbered}:
                peakless.append(f"{name} (frame {label.peak})")
            else:
                found.append(Sequence_(name, subject, label.expression, _named(each_once(numbered, twice))))
        self.refuse_twice(twice)
        self.refuse(foreign, "{count} image{s} of CK+ {lie} in the folder of another sequence: {items}.")
        self.refuse(
            lacking, f"{{count}} labelled sequence{{s}} of CK+ {{have}} fewer than two images in {images}: {{items}}."
        )
        self.refuse(
            peakless,
            f"{{count}} sequence{{s}} of CK+ {{lack}} the peak in {images}, the frame whose number the label's file has: "
            "{items}.",
        )
        return found

    def _labels(self, folder: Path) -> dict[str, _Label]:
        """The label by sequence ('S005/001')."""
        given: dict[str, list[_Label]] = {}
        foreign = []
        for subject in subfolders(folder):
            for sequence in subfolders(subject):
                name = f"{subject.name.upper()}/{sequence.name}"
                for path in (Path(e.path) for e in entries(sequence)):
                    match = LABEL.fullmatch(path.name)
                    if match is None:
                        continue
                    if not SUBJECT.fullmatch(subject.name):
                        raise FerbenchError(
                            f"{path} is of the subject '{subject.name}'; subjects of CK+ have names like S005 and S010."
                        )
                    if f"{match.group(1).upper()}/{match.group(2)}" != name:
                        foreign.append(str(path))
                    else:
                        given.setdefault(name, []).append(_Label(_expression(path), int(match.group(3))))
        if not given and not foreign:
            raise FerbenchError(
                f"There is no label in {folder}; expected were files like S005/001/S005_001_00000011_emotion.txt."
            )
        self.refuse(foreign, "{count} label{s} of CK+ {lie} in the folder of another sequence: {items}.")
        self.refuse(
            [
                f"{name} ({', '.join(label.expression for label in labels)})"
                for name, labels in given.items()
                if len({label.expression for label in labels}) > 1
            ],
            f"{{count}} sequence{{s}} of CK+ {{have}} several labels that differ: {{items}}. {FIRST}",
        )
        return {name: labels[0] for name, labels in given.items()}

    def _no_labels(self) -> FerbenchError:
        text = (
            f"{self.root} holds no folder 'Emotion', the labels of CK+. They are an archive of their own (Emotion_labels.zip): "
            "unpack it beside the images"
        )
        above = whole_copy(self.root, self.own_card) if called(*IMAGE_FOLDERS)(self.root.name) else None
        return FerbenchError(f"{text}." if above is None else f"{text}, or write dataset.root={above}, which holds it.")

    def _cropped(self) -> list[Sequence_]:
        """The sequences of CK+48."""
        numbers: dict[tuple[str, str], list[tuple[int, Path]]] = {}
        strange = []
        for relative, path in walk(self.root, IMAGES):
            folder, _, name = relative.rpartition("/")
            label = folder.rpartition("/")[2] or self.root.name
            match = FRAME.fullmatch(stem_of(name))
            if match is None or not known(label):
                strange.append(relative)
                continue
            sequence = f"{match.group(1).upper()}/{match.group(2)}"
            numbers.setdefault((sequence, canonical(label)), []).append((int(match.group(3)), path))
        if not numbers:
            raise wrong_root(
                self.root,
                self.own_card,
                f"no folder 'cohn-kanade-images', and no images of {title(self.own_card)} by class",
            )
        if "neutral" in self.classes:
            raise FerbenchError(
                f"{self.root} is CK+48, the last three frames of each sequence. dataset={self.name} needs the first frames too, "
                f"where faces are neutral. Read this copy with dataset=ckplus{'7c' if 'contempt' in self.classes else '6'}, or "
                f"get CK+ from {self.own_card.obtain}."
            )
        if len({expression for _, expression in numbers}) == 1:
            raise self._one_class(next(iter(numbers))[1])
        self._only_last = True
        self.copy.append("CK+48, the last three frames of each sequence, was read: there are no neutral faces")
        self.refuse(
            strange,
            f"{{count}} image{{s}} in {self.root} {{are}} not named like those of CK+48 (happy/S010_006_00000013.png): {{items}}.",
        )
        labels: dict[str, list[str]] = {}
        for sequence, expression in numbers:
            labels.setdefault(sequence, []).append(expression)
        self.refuse(
            [f"{sequence} ({', '.join(given)})" for sequence, given in labels.items() if len(given) > 1],
            f"{{count}} sequence{{s}} of CK+48 {{lie}} in folders of different classes: {{items}}. {FIRST}",
        )
        twice: list[str] = []
        found = [
            Sequence_(name, name.partition("/")[0], given[0], _named(each_once(numbers[name, given[0]], twice)))
            for name, given in sorted(labels.items())
            if given[0] in self.classes
        ]
        self.refuse_twice(twice)
        self.refuse(
            [s.name for s in found if len(s.frames) < LAST],
            f"{{count}} sequence{{s}} of CK+48 {{have}} fewer than three images in {self.root}: {{items}}.",
        )
        return found

    def _one_class(self, expression: str) -> FerbenchError:
        above = whole_copy(self.root, self.own_card)
        rest = "the other classes are missing." if above is None else f"it is too low; write dataset.root={above}."
        return FerbenchError(f"{self.root} holds {expression} of CK+48 only; {rest}")

    def phases(self, count: int, sequence: Sequence_) -> list[str]:
        return ["apex"] * count if self._only_last else super().phases(count, sequence)

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card; without neutral faces where the copy is CK+48."""
        return dataclasses.replace(card, provides=card.provides - {"neutral"}) if self._only_last else card

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
        name = f"{image.stem}_landmarks.txt"
        folders = (frame_id.rpartition("/")[0], f"{image.parent.parent.name}/{image.parent.name}")
        path = next((p for folder in folders if (p := self._landmarks / folder / name).is_file()), None)
        if path is None:
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


@dataclasses.dataclass(frozen=True)
class _Label:
    """What a file of a label says: the expression, and with its name the number of the frame at the peak."""

    expression: str
    peak: int


def _expression(path: Path) -> str:
    """The expression that a file of a label holds."""
    codes = CODES["ckplus"]
    text = read_text(path).strip()
    try:
        code = float(text)
    except ValueError:
        raise FerbenchError(
            f"{path} holds '{text[:40]}', which is not a number; CK+ labels are like 3.0000000e+00."
        ) from None
    if code not in codes:
        raise FerbenchError(f"{path} holds the emotion code {code:g}; CK+ has 0 to {len(codes) - 1}.")
    return codes[int(code)]


def _by_name(folder: Path, name: re.Pattern[str]) -> dict[str, Path]:
    """The subfolders whose names match, by name in upper case."""
    return {p.name.upper(): p for p in subfolders(folder) if name.fullmatch(p.name)}


def _images(folder: Path | None, sequence: str, foreign: list[str]) -> list[tuple[int, Path]]:
    """(number, file) of the frames of a sequence in its folder; none if there is no such folder. Frames of other sequences are
    added to `foreign`."""
    if folder is None:
        return []
    found, strange = [], []
    for entry in entries(folder):
        if suffix_of(entry.name) in IMAGES:
            match = FRAME.fullmatch(stem_of(entry.name))
            if match is None:
                strange.append(entry.path)
            elif f"{match.group(1).upper()}/{match.group(2)}" != sequence:
                foreign.append(entry.path)
            else:
                found.append((int(match.group(3)), Path(entry.path)))
    if strange:
        raise FerbenchError(
            f"{enumerate_first(strange)} is not a frame of CK+: frames have names like S005_001_00000001.png."
        )
    return found


def _named(numbered: Iterable[tuple[int, Path]]) -> list[tuple[str, Path]]:
    return [(f"{number:03d}", path) for number, path in numbered]


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
