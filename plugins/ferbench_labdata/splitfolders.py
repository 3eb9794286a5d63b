"""Base class of datasets that hold one folder of images for each class, in each part of their split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ferbench import FerbenchError
from ferbench.errors import enumerate_first
from ferbench.expressions import canonical
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.files import stem_of
from ferbench_labdata.layout import title, wrong_root
from ferbench_labdata.parts import Parts, find_parts


class SplitFolders(LabDataset):
    """frame_id: 'train:anger:0001/photo/0'. Each image is its own subject, as subjects are unknown.

    Attributes:
        sides: by value of the column `split`, what its folder can be called.
        strangers: likewise, parts that the dataset does not have, whose folders are refused.
        pattern: regular expression that matches the names of all images, without their suffix.
        example: such a name, for sentences.
    """

    rises = False
    sides: ClassVar[Mapping[str, Sequence[str]]]
    strangers: ClassVar[Mapping[str, Sequence[str]]] = {}
    pattern: ClassVar[re.Pattern[str]]
    example: ClassVar[str]

    def sequences(self) -> Iterable[Sequence_]:
        parts = self._parts()
        found: dict[tuple[str, str], list[Sequence_]] = {
            (side, expression): [] for side in self.sides for expression in self.own_card.expressions
        }
        unlike = []
        for picture in parts.pictures(self._expression):
            stem = stem_of(picture.name)
            match = self.pattern.fullmatch(stem.rpartition("/")[2])
            if match is None:
                unlike.append(str(picture.path))
                continue
            expression = canonical(picture.folder)
            name = f"{picture.part}:{expression}:{stem.replace('/', ':')}"
            factors = {"split": picture.part, **self.factors(match)}
            found[picture.part, expression].append(
                Sequence_(f"{name}/photo", name, expression, [("0", picture.path)], factors)
            )
        if unlike and not any(found.values()):
            raise wrong_root(
                self.root, self.own_card, f"no image named like those of {title(self.own_card)} ({self.example})"
            )
        self.refuse(
            parts.strange,
            f"{{count}} folder{{s}} or image{{s}} {{belong}} to no class of {title(self.own_card)}'s split: {{items}}.",
        )
        self.refuse(
            unlike,
            f"{{count}} image{{s}} {{are}} not named like those of {title(self.own_card)} ({self.example}): {{items}}.",
        )
        empty = [f"{expression} ({side})" for (side, expression), images in found.items() if not images]
        self.refuse(
            empty, f"{{count}} class{{es}} of {title(self.own_card)} {{have}} no images in {self.root}: {{items}}."
        )
        self.copy.append("images by split and class")
        return [sequence for images in found.values() for sequence in images]

    def factors(self, match: re.Match[str]) -> Mapping[str, object]:
        """Values of further columns for an image, by the match of its name."""
        return {}

    def _expression(self, folder: str) -> str | None:
        expression = canonical(folder)
        return expression if expression in self.own_card.expressions else None

    def _parts(self) -> Parts:
        names = {**self.sides, **self.strangers}
        parts = find_parts(self.root, self.own_card, names, lambda name: self._expression(name) is not None, self.sides)
        for side, called in self.sides.items():
            if side not in parts.folders:
                raise self._lacking(called)
        more = [str(folder) for side in self.strangers for folder in parts.folders.get(side, ())]
        self.refuse(more, f"{{count}} folder{{s}} {{are}} no part of {title(self.own_card)}'s split: {{items}}.")
        return Parts(names, {side: parts.folders[side] for side in self.sides})

    def _lacking(self, names: Sequence[str]) -> FerbenchError:
        """The error for a part that is missing, or holds no folder of a class."""
        folders: list[Path] = [folder for folder in self.places(*names) if folder != self.root]
        if not folders:
            return wrong_root(self.root, self.own_card, f"no folder {enumerate_first([repr(name) for name in names])}")
        return wrong_root(
            folders[0], self.own_card, f"no folders of the classes of {title(self.own_card)}, such as 'Fear'"
        )
