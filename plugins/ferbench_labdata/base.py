"""Base classes of datasets that consist of image files."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import Dataset, DatasetCard, FerbenchError, NoSuch
from ferbench.errors import enumerate_first
from ferbench_labdata.cards import CARDS
from ferbench_labdata.files import IMAGES, content_fingerprint, find_root, open_image, walk
from ferbench_labdata.settings import LabSettings

APEX = 3
"""Number of frames at the end of a sequence from neutral to apex that count as apex, as in the literature."""

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


class LabDataset(Dataset):
    """A dataset of image files in one folder. A subclass implements `sequences`.

    Attributes:
        name: name of the card.
        rises: whether sequences start at neutral and end at the apex. If not, all frames of a sequence have the phase neutral
            or apex, according to its label.
        mark: key in `files.MARKS`, if it is not the name.
    """

    name: ClassVar[str]
    rises: ClassVar[bool] = True
    mark: ClassVar[str] = ""
    settings: LabSettings

    def __init__(self, settings: LabSettings) -> None:
        super().__init__(settings)
        self.root = find_root(settings.root, self.own_card, self.mark)
        self._tolerated: list[str] = []
        self._sequences = list(self.sequences())
        self._files = {f"{s.name}/{number}": path for s in self._sequences for number, path in s.frames}
        if not self._files:
            raise FerbenchError(
                f"There is no frame of {self.own_card.name} in {self.root}. The archive may be only half-unpacked."
            )

    @property
    def own_card(self) -> DatasetCard:
        """The card of this dataset."""
        return CARDS[self.name]

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

    def refuse(self, items: Sequence[object], what: str) -> None:
        """Raise FerbenchError if there are irregular or missing files, unless dataset.allow_incomplete is true.

        Args:
            items: the files or sequences; nothing happens if there are none.
            what: a sentence with the placeholders {count} and {items}.
        """
        if not items:
            return
        sentence = what.format(count=len(items), items=enumerate_first(items))
        if not self.settings.allow_incomplete:
            raise FerbenchError(
                f"{sentence} Repair the copy, or continue without them with dataset.allow_incomplete=true."
            )
        self._tolerated.append(sentence)

    def irregularities(self) -> Sequence[str]:
        return self._tolerated


class StillImages(LabDataset):
    """A dataset of still images whose labels are in their file names. Each image is a sequence of one frame.

    Attributes:
        pattern: regular expression that matches all file names.
        example: an example of a file name, for error messages.
    """

    rises = False
    pattern: ClassVar[re.Pattern[str]]
    example: ClassVar[str]

    def sequences(self) -> Iterable[Sequence_]:
        found, strange = [], []
        for relative, path in walk(self.root, IMAGES):
            match = self.pattern.fullmatch(path.name)
            if match is None:
                strange.append(relative)
            elif (sequence := self.sequence(match, path)) is not None:
                found.append(sequence)
        self.refuse(
            strange,
            f"{{count}} images in {self.root} are not named like those of {self.own_card.name} ({self.example}): {{items}}.",
        )
        return found

    @abstractmethod
    def sequence(self, match: re.Match[str], path: Path) -> Sequence_ | None:
        """The sequence of an image whose file name matches `pattern`; None if the settings exclude it."""
