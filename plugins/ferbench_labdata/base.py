"""Base classes of datasets that consist of image files."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import Dataset, DatasetCard, FerbenchError, NoSuch
from ferbench.errors import enumerate_first
from ferbench_labdata.cards import CARDS
from ferbench_labdata.files import IMAGES, content_fingerprint, open_image, same_content, walk
from ferbench_labdata.layout import called, existing_root, find, one_of_several, title, wrong_root
from ferbench_labdata.sentences import counted
from ferbench_labdata.settings import LabSettings

APEX = 3
"""Number of frames at the end of a sequence from neutral to apex that count as apex, as in the literature."""

FIRST = "With dataset.allow_incomplete, the first of each is read."
"""Ends sentences about things that are there twice."""

TWO_LETTERS = {
    "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral", "SA": "sadness", "SU": "surprise"
}  # fmt: skip
"""Two-letter codes of expressions that several datasets use."""


@dataclass(frozen=True)
class Sequence_:
    """A sequence of frames with one label.

    Attributes:
        name: 'subject/sequence'. The frame_id of a frame is 'subject/sequence/number'.
        subject: the subject's ID.
        expression: the label; None if there is none.
        frames: (number, file) of each frame, in order.
        factors: values of further columns of the frame table.
    """

    name: str
    subject: str
    expression: str | None
    frames: Sequence[tuple[str, Path]]
    factors: Mapping[str, Any] = field(default_factory=dict)


class LabCopy(Dataset):
    """A dataset in a folder that the user names.

    Attributes:
        name: name of the card.
        root: the folder that the user named. The dataset may lie several levels below it (`place`).
        copy: words that say which of the known copies was read, and facts about it that are no faults; readers add to them.
    """

    name: ClassVar[str]
    settings: LabSettings

    def __init__(self, settings: LabSettings) -> None:
        super().__init__(settings)
        self.root = existing_root(settings.root, self.own_card)
        self.copy: list[str] = []
        self._tolerated: list[str] = []

    @property
    def own_card(self) -> DatasetCard:
        """The card of this dataset."""
        return CARDS[self.name]

    def refuse(self, items: Sequence[object], what: str) -> None:
        """Raise FerbenchError if there are irregular or missing files, unless dataset.allow_incomplete is true.

        Args:
            items: the files or sequences; nothing happens if there are none.
            what: a sentence for `counted` with the placeholder {items}. Paths in it may have other braces.
        """
        if not items:
            return
        sentence = counted(len(items), what).replace("{items}", enumerate_first(items))
        if not self.settings.allow_incomplete:
            raise FerbenchError(f"{sentence} Repair the copy, or go on as it is with dataset.allow_incomplete=true.")
        self._tolerated.append(sentence)

    def say(self, count: int, what: str) -> None:
        """Add a sentence for `counted` to `copy`, unless there is nothing to count."""
        if count:
            self.copy.append(counted(count, what))

    def irregularities(self) -> Sequence[str]:
        return self._tolerated

    def which_copy(self) -> str:
        return "; ".join(self.copy)


class LabDataset(LabCopy):
    """A dataset of image files in one folder. A subclass implements `sequences`.

    Attributes:
        rises: whether sequences start at neutral and end at the apex. If not, all frames of a sequence have the phase neutral
            or apex, according to its label.
    """

    rises: ClassVar[bool] = True

    def __init__(self, settings: LabSettings) -> None:
        super().__init__(settings)
        self._sequences = self._once(self.sequences())
        self._files = {f"{s.name}/{number}": path for s in self._sequences for number, path in s.frames}
        if not self._files:
            raise wrong_root(self.root, self.own_card, f"no frame of {title(self.own_card)}")

    def _once(self, sequences: Iterable[Sequence_]) -> list[Sequence_]:
        """The sequences without those that are there again. A second one with equal content, label and factors is a copy, which is
        said; any other is refused."""
        found: dict[str, Sequence_] = {}
        copies, unlike = 0, []
        for sequence in sequences:
            first = found.setdefault(sequence.name, sequence)
            if first is sequence:
                continue
            if difference := _difference(first, sequence):
                unlike.append(difference)
            else:
                copies += 1
        self.say(copies, "{count} sequence{s} or image{s} {are} there twice with equal content, and {were} read once")
        self.refuse(
            unlike, f"{{count}} sequence{{s}} or image{{s}} {{are}} there twice, with differences: {{items}}. {FIRST}"
        )
        return list(found.values())

    @abstractmethod
    def sequences(self) -> Iterable[Sequence_]:
        """All sequences, always in the same order.

        Raises:
            FerbenchError: the files are not as the owners distribute them.
        """

    def phases(self, count: int, sequence: Sequence_) -> list[str]:
        """The phase of each of the `count` frames of a sequence."""
        if not self.rises:
            return ["neutral" if sequence.expression == "neutral" else "apex"] * count
        return ["neutral" if i == 0 else "apex" if i >= count - APEX else "onset" for i in range(count)]

    def frames(self) -> pd.DataFrame:
        columns: dict[str, list[Any]] = {"subject": [], "sequence": [], "position": [], "phase": [], "expression": []}
        factors: dict[str, list[Any]] = {name: [] for s in self._sequences for name in s.factors}
        for sequence in self._sequences:
            count = len(sequence.frames)
            columns["subject"] += [sequence.subject] * count
            columns["sequence"] += [sequence.name] * count
            columns["position"] += range(count)
            columns["phase"] += self.phases(count, sequence)
            columns["expression"] += [sequence.expression] * count
            for name, values in factors.items():
                values += [sequence.factors.get(name)] * count
        return pd.DataFrame({"frame_id": list(self._files), **columns, **factors})

    def image(self, frame_id: str) -> np.ndarray:
        return np.asarray(self.picture(frame_id, 0))

    def picture(self, frame_id: str, least: int) -> Image.Image:
        if frame_id not in self._files:
            raise NoSuch("frame", frame_id, self.name)
        return open_image(self._files[frame_id], frame_id, least)

    def fingerprint(self) -> str:
        labels = "".join(f"{s.name} {s.expression}\n" for s in self._sequences)
        return content_fingerprint(self._files.items(), extra=f"{self.name}\n{labels}")

    def refuse_twice(self, frames: Sequence[str]) -> None:
        """Refuse frames that are there twice with different content, as `each_once` finds them."""
        self.refuse(
            frames,
            f"{{count}} frame{{s}} of {title(self.own_card)} {{are}} there twice, in files with the same number that differ: "
            f"{{items}}. {FIRST}",
        )

    def say_gaps(self, sequences: Iterable[Sequence_]) -> None:
        """Say which sequences lack numbers between those of their first and last frames. Distributions may have gaps of their own,
        so this is no fault."""
        gaps = []
        for sequence in sequences:
            numbers = [int(number) for number, _ in sequence.frames]
            if after := [f"frame {b} follows {a}" for a, b in pairwise(numbers) if b > a + 1]:
                gaps.append(f"{sequence.name}: {' and '.join(after)}")
        said = enumerate_first(gaps, 3)
        self.say(len(gaps), f"{{count}} sequence{{s}} {{have}} gaps in the numbers of the frames ({said})")

    def places(self, *names: str) -> list[Path]:
        """The folders called one of `names` in the copy, wherever it is nested, as `layout.find` finds them."""
        return find(self.root, called(*names))

    def place(self, *names: str) -> Path:
        """The one folder that is called one of `names`.

        Raises:
            FerbenchError: there is none, or there are several.
        """
        found = self.places(*names)
        if not found:
            raise wrong_root(self.root, self.own_card, f"no folder {enumerate_first([repr(name) for name in names])}")
        if len(found) > 1:
            raise FerbenchError(
                f"{self.root} holds {len(found)} folders for {title(self.own_card)}: {enumerate_first(found)}. Name the folder "
                "above one of them as dataset.root."
            )
        return found[0]


def each_once(numbered: Iterable[tuple[int, Path]], twice: list[str]) -> list[tuple[int, Path]]:
    """(number, file) in the order of the numbers, the first file of each. Files of one number that differ are added to `twice`."""
    found: dict[int, Path] = {}
    for number, path in sorted(numbered):
        if not same_content(first := found.setdefault(number, path), path):
            twice.append(f"{first} and {path}")
    return list(found.items())


def _difference(one: Sequence_, other: Sequence_) -> str:
    """What two sequences of one name differ in, for a sentence; nothing if they are equal."""
    if one.expression != other.expression:
        return f"{one.name} as {one.expression or 'unlabelled'} and as {other.expression or 'unlabelled'}"
    pairs = zip(one.frames, other.frames, strict=False)
    if len(one.frames) != len(other.frames) or not all(same_content(a, b) for (_, a), (_, b) in pairs):
        return f"{one.frames[0][1]} and {other.frames[0][1]}" if one.frames and other.frames else one.name
    for name, value in {"subject": one.subject, **one.factors}.items():
        again = {"subject": other.subject, **other.factors}.get(name)
        if str(again) != str(value):  # as text: a missing number is not equal to itself
            return f"{one.name} with the {name} {value} and {again}"
    return ""


class StillImages(LabDataset):
    """A dataset of still images whose labels are in their file names. Each image is a sequence of one frame.

    Attributes:
        pattern: regular expression that matches all file names.
        example: an example of a file name, for error messages.
        person: regular expression that matches the names of the folders of subjects; None if the distribution has none.
    """

    rises = False
    pattern: ClassVar[re.Pattern[str]]
    example: ClassVar[str]
    person: ClassVar[re.Pattern[str] | None] = None

    def sequences(self) -> Iterable[Sequence_]:
        """In the order of the names of the files, however a copy sorts them into folders and in whatever case it writes them."""
        if self.person is not None and (above := one_of_several(self.root, self.person)) is not None:
            raise FerbenchError(
                f"{self.root} holds one of several subjects and is too low; write dataset.root={above}."
            )
        found, strange = [], []
        for relative, path in walk(self.root, IMAGES):
            name = self.right_name(relative)
            if name is None:
                continue
            match = self.pattern.fullmatch(name)
            if match is None:
                strange.append(relative)
            else:
                found.append((name, match, path))
        if strange and not found:
            raise wrong_root(
                self.root, self.own_card, f"no image named like those of {title(self.own_card)} ({self.example})"
            )
        self.refuse(
            strange,
            f"{{count}} image{{s}} in {self.root} {{are}} not named like those of {self.own_card.name} ({self.example}): "
            "{items}.",
        )
        made = (self.sequence(match, path) for _, match, path in sorted(found, key=lambda f: (f[0].upper(), f[0])))
        return [sequence for sequence in made if sequence is not None]

    def right_name(self, relative: str) -> str | None:
        """The name under which an image is read, given its path below the root; None if it is no frame of the dataset."""
        return relative.rpartition("/")[2]

    @abstractmethod
    def sequence(self, match: re.Match[str], path: Path) -> Sequence_ | None:
        """The sequence of an image whose file name matches `pattern`; None if the settings exclude it."""
