"""FER2013 and FERPlus: gray faces of 48 x 48 pixels.

Two forms of FER2013. As text: `icml_face_data.csv` or `fer2013.csv` with the columns emotion, Usage and pixels (in the first
file, names start with a space); emotions are 0 anger, 1 disgust, 2 fear, 3 happiness, 4 sadness, 5 surprise, 6 neutral; Usage
is Training, PublicTest (a validation set) or PrivateTest (the test set). As images: `train/angry/*.jpg` and `test/angry/*.jpg`,
as on Kaggle, where `test` holds both PublicTest and PrivateTest; names such as `PrivateTest_88305.jpg` still say which, in some
copies. Both were seen in ten public loaders. Scripts also write `Training/Angry`, `PublicTest/Angry` and `PrivateTest/Angry`
(seen in three). Pictures that are there several times are counted and kept. Each text file has a fingerprint of its own.

FERPlus is FER2013's text with `fer2013new.csv` beside it: the votes of ten people in each row, and the same column Usage. Its
authors publish three ways to make labels of votes, `dataset.labels`, and each drops single votes first. `majority`: the class
with more than half of the votes. `crossentropy` (and their `probability`, which draws from the same distribution): classes in
the order of their votes until they have three quarters of them, at most three. `multi_target`: classes with at least 30 % of
the votes. The label here is the class with most votes among those; rows where they have no more than half of the votes, or
where 'unknown' or 'no face' leads, are left out. Read in the authors' repository, and counted on their file. Its column
`Image name` numbers the rows that show a face, in order; four names there (`MISNAMED`) are another row's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ferbench import DatasetCard, FerbenchError, FrameError, NoSuch, UnknownName
from ferbench.errors import enumerate_first
from ferbench.expressions import canonical
from ferbench_labdata.base import FIRST, LabCopy
from ferbench_labdata.cards import CARDS, FERPLUS, NEUTRAL
from ferbench_labdata.codes import CODES
from ferbench_labdata.files import (
    LINE,
    content_fingerprint,
    equal_files,
    one_of_equal,
    open_image,
    read_columns,
    remembered,
    same_content,
    whole_text,
)
from ferbench_labdata.layout import find_files, recognised, wrong_root
from ferbench_labdata.parts import Picture, find_parts
from ferbench_labdata.sentences import counted
from ferbench_labdata.settings import FerPlusSettings, LabSettings

VOTES = tuple(CODES["ferplus"].values())
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
FOLDERS = {
    "train": ("train", "training"), "val": ("val", "valid", "validation", "PublicTest"), "test": ("test", "PrivateTest")
}  # fmt: skip
SIDE = 48
NAME = re.compile(r"(Training|PublicTest|PrivateTest)_\d+")
IMAGE = "image name"
NUMBERED = re.compile(r"fer(\d+)\.png")
MISNAMED = {5274: 6953, 5348: 11785, 15835: 8403, 34334: 33120}
"""Number in the column `Image name` of the rows, from 0, of the authors' fer2013new.csv where it is another row's."""


class Fer2013(LabCopy):
    """frame_id: 'row 00012', or 'train/angry/Training_3908.jpg' of a copy as images. Each image is its own subject, as subjects are
    unknown.

    Attributes:
        files: names of the text file.
        codes: the expressions by their numbers in it.
    """

    name = "fer2013"
    files: ClassVar[Sequence[str]] = ("icml_face_data.csv", "fer2013.csv")
    codes: ClassVar[Mapping[int, str]] = CODES["fer2013"]

    def __init__(self, settings: LabSettings) -> None:
        super().__init__(settings)
        found = (one_of_equal(find_files(self.root, name)) for name in self.files)
        self._files: dict[str, Path] = {}
        if path := next((path for path in found if path is not None), None):
            self._read_rows(path)
        else:
            self._read_images()

    def _read_rows(self, path: Path) -> None:
        self._path = path
        table = read_columns(path, ("emotion", "usage", "pixels"))
        table["usage"] = table["usage"].str.strip()
        self._pixels = table["pixels"]
        self._ids = [f"row {i:05d}" for i in range(len(table))]
        self._split = self._translated(table["usage"], SPLITS, f"another Usage than {', '.join(SPLITS)}")
        self._expression = self._labels(table).where(self._split.notna())
        if not self._expression.notna().any():
            raise FerbenchError(f"{path} has no row with a label.")
        self.copy.append(path.relative_to(self.root).as_posix())
        self._say_repeats(
            [list(map(int, places)) for places in table.groupby(self._pixels.str.strip()).indices.values()], "row"
        )

    def _read_images(self) -> None:
        """The copy as images: a folder for each part of the split, and in it one for each class."""
        card = self.own_card
        parts = find_parts(self.root, card, FOLDERS, lambda name: canonical(name) in NEUTRAL, ("train", "test"))
        if not {"train", "test"} <= set(parts.folders):
            raise wrong_root(self.root, card, f"none of the files {' and '.join(self.files)}, and no folders of images")
        pictures = self._no_doubles(
            parts.pictures(lambda name: canonical(name) if canonical(name) in NEUTRAL else None)
        )
        self.refuse(
            parts.strange,
            f"{{count}} folder{{s}} or image{{s}} in {self.root} {{are}} in none of FER2013's classes, which are called angry, "
            "disgust, fear, happy, sad, surprise and neutral: {items}. dataset=folders reads images of other classes.",
        )
        if not pictures:
            raise wrong_root(self.root, card, "no image of FER2013 in 'train' and 'test'")
        self._not_another(pictures[0])
        self._files = {f"{p.part}/{p.folder}/{p.name}": p.path for p in pictures}
        self._ids = list(self._files)
        self._split = pd.Series([_named(p) or p.part for p in pictures])
        self._expression = pd.Series([canonical(p.folder) for p in pictures])
        self.copy.append("images in folders")
        self._say_names(pictures, "val" in parts.folders)
        self._say_repeats(equal_files(list(self._files.items())), "image")

    def _no_doubles(self, pictures: Iterable[Picture]) -> list[Picture]:
        """The pictures without those of an archive inside itself. One that is in two classes or formats is refused
        (`refuse`)."""
        found: dict[tuple[str, str], Picture] = {}
        copies, unlike = 0, []
        for picture in pictures:
            stem = picture.name.rpartition(".")[0]
            named = NAME.fullmatch(stem.rpartition("/")[2])  # such a name is there once
            key = ("", named.group()) if named else (f"{picture.part}/{canonical(picture.folder)}", stem)
            first = found.setdefault(key, picture)
            if first is picture:
                continue
            if (first.part, first.folder) == (picture.part, picture.folder) and same_content(first.path, picture.path):
                copies += 1
            else:
                unlike.append(f"{first.path} and {picture.path}")
        self.refuse(
            unlike,
            "{count} image{s} of FER2013 {are} there twice, in another folder, with other content or in another format: {items}. "
            + FIRST,
        )
        self.say(copies, "{count} image{s} {are} there twice with equal content, and {were} read once")
        return list(found.values())

    def _not_another(self, picture: Picture) -> None:
        """Raise FerbenchError if the copy looks like another dataset, and its first picture has not FER2013's size."""
        looks = [name for name, _ in recognised(self.root) if name != "folders"]
        if looks and self.name not in looks:
            with open_image(picture.path, picture.name) as image:
                if image.size != (SIDE, SIDE):
                    raise wrong_root(self.root, self.own_card, f"no image of {SIDE} x {SIDE} pixels")

    def _say_names(self, pictures: Sequence[Picture], has_val: bool) -> None:
        """Add what the names of the images say of the split."""
        names = [_named(picture) for picture in pictures]
        named = sum(name is not None for name in names)
        if named == len(names):
            self.copy.append("the names of the images say which are PublicTest and PrivateTest")
        elif named:
            self.copy.append(
                f"the names of {named} of {len(names)} images say which are PublicTest and PrivateTest; the others' folders count"
            )
        elif not has_val:
            self.copy.append("nothing says which images of 'test' are PublicTest, so all of them are tested")
        elsewhere = sum(
            (name == "train") != (picture.part == "train")
            for name, picture in zip(names, pictures, strict=True)
            if name
        )
        self.say(elsewhere, "{count} image{s} {are} in another part of the split than named, and the name counts")

    def _say_repeats(self, groups: Iterable[Sequence[int]], what: str) -> None:
        """Add how many pictures there are again.

        Args:
            groups: places of equal pictures.
            what: "row" or "image".
        """
        split, labels = self._split.to_numpy(), self._expression.to_numpy()
        again = across = unlike = 0
        for group in groups:
            if len(group) > 1:
                again += len(group) - 1
                across += len(set(split[list(group)])) > 1
                unlike += len({label for label in labels[list(group)] if isinstance(label, str)}) > 1
        if again:
            more = [counted(across, "{count} such picture{s} {are} in several parts of the split")] if across else []
            more += [counted(unlike, "{count} {have} several labels")] if unlike else []
            first = counted(again, f"{{count}} {what}{{s}} {{show}} a picture that is there before")
            self.copy.append(", ".join([first, *more]))

    def _labels(self, table: pd.DataFrame) -> pd.Series:
        """The expression of each row; missing where it is not known."""
        numbers = table["emotion"].str.strip().map(whole_text)
        names = {str(number): expression for number, expression in self.codes.items()}
        return self._translated(numbers, names, f"another emotion than 0 to {max(self.codes)}")

    def _translated(self, column: pd.Series, names: Mapping[str, str], what: str) -> pd.Series:
        """What the values of a column mean; missing where `names` does not say it, which is refused (`refuse`)."""
        wrong = column[~column.isin(names)]
        self.refuse(
            [f"'{value[:LINE]}' in row {row + 2}" for row, value in zip(wrong.index, wrong, strict=True)],
            f"{{count}} row{{s}} of {self._path} {{have}} {what}: {{items}}. With dataset.allow_incomplete, "
            "{they} {are} left out.",
        )
        return column.map(dict(names))

    def frames(self) -> pd.DataFrame:
        chosen = self._expression.notna()
        ids = [self._ids[i] for i in self._expression.index[chosen]]
        expression = self._expression[chosen].to_numpy()
        return pd.DataFrame(
            {
                "frame_id": ids,
                "subject": ids,
                "sequence": ids,
                "position": 0,
                "phase": np.where(expression == "neutral", "neutral", "apex"),
                "expression": expression,
                "split": self._split[chosen].to_numpy(),
            }
        )

    def image(self, frame_id: str) -> np.ndarray:
        if frame_id in self._files:
            return np.asarray(open_image(self._files[frame_id], frame_id))
        number = frame_id.removeprefix("row ")
        if self._files or not number.isdecimal() or int(number) >= len(self._pixels):
            raise NoSuch("frame", frame_id, self.name)
        try:
            gray = np.array(self._pixels.iloc[int(number)].split(), dtype=np.uint8)
            return np.repeat(gray.reshape(SIDE, SIDE, 1), 3, axis=2)
        except (ValueError, OverflowError) as error:
            raise FrameError(
                f"{self._path}, {frame_id}, does not hold {SIDE} x {SIDE} numbers from 0 to 255", [frame_id]
            ) from error

    def fingerprint(self) -> str:
        labels = ",".join(self._expression.fillna("").tolist())
        if self._files:
            return content_fingerprint(self._files.items(), extra=f"{self.name} {labels}")
        return self._digest(f" {labels}")

    def _digest(self, more: str) -> str:
        """The fingerprint of the text file, and of what else the frames are made of."""

        def content() -> str:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()

        pixels = remembered("content", [(self._path.name, self._path)], content)
        return hashlib.sha256(f"{self.name} {pixels}{more}".encode()).hexdigest()[:24]


class FerPlus(Fer2013):
    """FER2013's text with the labels of FERPlus."""

    name = "ferplus"
    settings: FerPlusSettings

    def _read_images(self) -> None:
        raise wrong_root(
            self.root,
            self.own_card,
            f"none of the files {' and '.join(self.files)}, whose rows FERPlus labels; a copy of FER2013 as images will not do",
        )

    def _labels(self, table: pd.DataFrame) -> pd.Series:
        if self.settings.labels not in RULES:
            raise UnknownName("value of dataset.labels", self.settings.labels, RULES)
        path = one_of_equal(find_files(self.root, "fer2013new.csv"))
        if path is None:
            raise FerbenchError(
                f"FERPlus' labels are missing: {self.root / 'fer2013new.csv'}. Get them from "
                f"{CARDS['ferplus'].obtain.partition(' for ')[0]}."
            )
        votes = read_columns(path, ("usage", *VOTES, "unknown", "nf"), optional=(IMAGE,))
        if len(votes) != len(table):
            raise FerbenchError(
                f"{path} has {len(votes)} rows, but {self._path.name} has {len(table)}; their rows have to correspond."
            )
        unlike = votes.index[votes["usage"].str.strip() != table["usage"]]
        if len(unlike):
            rows = enumerate_first([row + 2 for row in unlike])
            raise FerbenchError(
                f"{path} and {self._path.name} differ in the column Usage in {len(unlike)} rows: {rows}. Their rows have to "
                "correspond; take both files as they are distributed, neither sorted nor filtered."
            )
        if IMAGE in votes:
            _in_order(votes[IMAGE], path)
        numbers = votes.drop(columns=["usage", IMAGE], errors="ignore").apply(pd.to_numeric, errors="coerce")
        wrong = ~(numbers >= 0).all(axis=1)
        self.refuse(
            [row + 2 for row in table.index[wrong]],
            f"{{count}} row{{s}} of {path} {{have}} votes that are not numbers from 0 upwards: {{items}}. With "
            "dataset.allow_incomplete, {they} {are} left out.",
        )
        rule = RULES[self.settings.labels]
        kept = numbers.where(numbers > 1, 0).to_numpy(dtype=float).tolist()
        labels = [None if bad else _label(rule(row), sum(row)) for row, bad in zip(kept, wrong, strict=True)]
        return pd.Series(labels, index=table.index, dtype=object)

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the counts of the labels that are read."""
        return dataclasses.replace(card, published=FERPLUS[self.settings.labels])


def _in_order(names: pd.Series, path: Path) -> None:
    """Raise FerbenchError if the names of images say that rows were moved."""
    last = -1
    for row, name in enumerate(names):
        match = NUMBERED.fullmatch(name.strip())
        if match is None or MISNAMED.get(row) == (number := int(match.group(1))):
            continue
        if number <= last:
            raise FerbenchError(
                f"{path}, row {row + 2}, is for the image {name.strip()}, which should come before the rows above it. The rows "
                "have to correspond to FER2013's; take the file as it is distributed, neither sorted nor filtered."
            )
        last = number


def _named(picture: Picture) -> str | None:
    """The part of the split that the name of an image says; None if it says none."""
    match = NAME.match(picture.path.name)
    return SPLITS[match.group(1)] if match else None


def _label(taken: Sequence[float], cast: float) -> str | None:
    """The class with most of the votes that a rule takes, the first of equals; None where they are no more than half of those
    cast, or are for no face."""
    if sum(taken) * 2 <= cast:
        return None
    first = taken.index(max(taken))
    return VOTES[first] if first < len(VOTES) else None


def _majority(votes: list[float]) -> list[float]:
    """The votes of the class that has most."""
    first = votes.index(max(votes))
    return [count if i == first else 0.0 for i, count in enumerate(votes)]


def _crossentropy(votes: list[float]) -> list[float]:
    """The votes of classes in the order of their votes, until they have three quarters of all; none where that takes more than
    three classes. 'Unknown' and 'no face' end it, and count only where they lead."""
    taken = [0.0] * len(votes)
    reached, classes = 0.0, 0
    for level in sorted({count for count in votes if count}, reverse=True):
        if reached >= 0.75 * sum(votes) or classes >= 3:
            break
        for i in (i for i, count in enumerate(votes) if count == level):
            if i >= len(VOTES):
                if not any(taken):
                    taken[i] = level
                return taken if classes <= 3 else [0.0] * len(votes)
            taken[i] = level
            reached += level
            classes += 1
    return taken if classes <= 3 else [0.0] * len(votes)


def _multi_target(votes: list[float]) -> list[float]:
    """The votes of each class that has at least 30 % of all."""
    return [count if count >= 0.3 * sum(votes) else 0.0 for count in votes]


RULES: Mapping[str, Callable[[list[float]], list[float]]] = {
    "majority": _majority,
    "crossentropy": _crossentropy,
    "multi_target": _multi_target,
}
"""By the authors' name for it: the votes of a row that a label is made of."""
