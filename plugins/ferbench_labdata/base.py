"""What adapters have in common: a table of frames with their files, and how each is read."""

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

from ferbench import Dataset, DatasetCard, FerbenchError, UnknownName
from ferbench.errors import enumerate_first
from ferbench_labdata.cards import CARDS
from ferbench_labdata.files import IMAGES, content_fingerprint, find_root, open_image, walk
from ferbench_labdata.settings import LabSettings

APEX = 3
"""Frames at the end of a sequence from neutral to apex that the literature takes as its apex."""

TWO_LETTERS = {
    "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral", "SA": "sadness", "SU": "surprise"
}  # fmt: skip
"""The codes of several distributions."""


@dataclass(frozen=True)
class Sequence_:
    """A sequence of frames with one label.

    Attributes:
        name: 'subject/sequence'; a frame of it is 'subject/sequence/number'.
        frames: (number, file) in their order.
        expression: None where it has no label.
        factors: further columns.
    """

    name: str
    subject: str
    expression: str | None
    frames: Sequence[tuple[str, Path]]
    factors: Mapping[str, Any] = field(default_factory=dict)


class LabDataset(Dataset):
    """A dataset of image files below one root. A subclass gives its sequences.

    `rises`: its sequences run from neutral to apex; else a frame is neutral or apex as its label says.
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
                f"There is no frame of {self.own_card.name} in {self.root}; a half-unpacked archive leaves such folders."
            )

    @property
    def own_card(self) -> DatasetCard:
        return CARDS[self.name]

    @abstractmethod
    def sequences(self) -> Iterable[Sequence_]:
        """In a fixed order.

        Raises:
            FerbenchError: the copy is not as its owners distribute it.
        """

    def phases(self, count: int, sequence: Sequence_) -> list[str]:
        """Of the frames of a sequence."""
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
            raise UnknownName(f"frame of {self.name}", frame_id, ())
        return open_image(self._files[frame_id], frame_id, least)

    def fingerprint(self) -> str:
        labels = "".join(f"{s.name} {s.expression}\n" for s in self._sequences)
        return content_fingerprint(self._files.items(), extra=f"{self.name}\n{labels}")

    def refuse(self, items: Sequence[object], what: str) -> None:
        """Raises FerbenchError for files that are not as they should be, unless dataset.allow_incomplete."""
        if not items:
            return
        sentence = what.format(count=len(items), items=enumerate_first(items))
        if not self.settings.allow_incomplete:
            raise FerbenchError(f"{sentence} Mend the copy, or go on without them with dataset.allow_incomplete=true.")
        self._tolerated.append(sentence)

    def tolerated(self) -> Sequence[str]:
        return self._tolerated


class StillImages(LabDataset):
    """A dataset of single images whose file names say everything: each is a sequence of one frame.

    A subclass gives the pattern that all names follow, an example of one, and the sequence of a name.
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
        """None where the settings leave this image out."""
