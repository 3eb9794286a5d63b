"""AffectNet: the manually annotated part with eight expressions.

Three forms:

- lists: `Manually_Annotated_file_lists/training.csv` and `validation.csv`, or these files beside or above the images, which are
  in `Manually_Annotated_Images/` (also in `Manually_Annotated/`, or in a folder of the same name once more). `validation.csv`
  comes with and without a row of column names. Labels are `3` or `3.0`; paths may have backslashes; some copies hold images
  that are listed as .bmp or .tif as .jpg. One published image, `BROKEN`, cannot be read anywhere and is left out. Seen in ten
  public loaders.
- arrays: `train_set/images/0.jpg` with `train_set/annotations/0_exp.npy`, and `val_set`. From the description of the distribution,
  and in public loaders.
- folders: `train/0/*.jpg` and `val/0/*.jpg`, a folder for each number, as copies on Kaggle are described.

0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt; 8 to 10 (none, uncertain, no face) are
left out. There are no identities. The literature tests on the validation set.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench import FerbenchError
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.cards import CARDS
from ferbench_labdata.codes import CODES
from ferbench_labdata.files import IMAGES, LINE, number_of, one_of_equal, same_content, stem_of, suffix_of, walk
from ferbench_labdata.layout import child, entries, is_file, plain, recognised, title, wrong_root
from ferbench_labdata.parts import Parts, Picture, find_parts

COLUMNS = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression", "valence", "arousal"
)  # fmt: skip
PATH, EXPRESSION = "subDirectory_filePath", "expression"
OTHERS = range(8, 11)
LISTS = {"training.csv": "train", "validation.csv": "test"}
SETS = {"train": ("train_set", "train"), "test": ("val_set", "val")}
LABEL = "_exp.npy"
NAMED = ("rafdb", "fer2013")
"""Datasets whose copies in folders are told by the names of their images."""

BROKEN = "103/29a31ebf1567693f4644c8ba3476ca9a72ee07fe67a5860d98707a0a.jpg"

Entry = tuple[str, str, int, Path | None]
"""(split, name, code, image or None where it is missing)."""


class AffectNet(LabDataset):
    """frame_id: 'train:119:0123.jpg/8/0', with ':' for '/' in the path. Each image is its own subject, as they are unknown."""

    name = "affectnet"
    rises = False

    def sequences(self) -> Iterable[Sequence_]:
        found, missing = [], []
        for side, name, code, path in self._entries():
            if code in OTHERS:
                continue
            if code not in CODES["affectnet"]:
                raise FerbenchError(f"'{name}' has the expression {code} in {self.root}; AffectNet's are 0 to 10.")
            if path is None:
                missing.append(name)
                continue
            identifier = f"{side}:{name.replace('/', ':')}"
            found.append(
                Sequence_(f"{identifier}/8", identifier, CODES["affectnet"][code], [("0", path)], {"split": side})
            )
        self.refuse(missing, f"{{count}} image{{s}} of AffectNet's lists {{are}} missing in {self.root}: {{items}}.")
        return found

    def _entries(self) -> Iterable[Entry]:
        images = self.places("Manually_Annotated_Images")
        lists = self._lists(images)
        if lists and not images:
            raise wrong_root(self.root, self.own_card, "AffectNet's lists, but no folder 'Manually_Annotated_Images'")
        if images and not lists:
            raise wrong_root(
                self.root, self.own_card, "AffectNet's images, but no list 'training.csv' or 'validation.csv'"
            )
        if images:
            self.copy.append("images by lists")
            return self._from_lists(self.place("Manually_Annotated_Images"), lists)
        parts = find_parts(self.root, self.own_card, SETS, _holds, tuple(SETS))
        if not parts.folders:
            raise wrong_root(
                self.root, self.own_card, "no folder 'Manually_Annotated_Images' and no folder 'train_set' with images"
            )
        lacking = [f"folder '{SETS[side][0]}' or '{SETS[side][1]}'" for side in SETS if side not in parts.folders]
        self.refuse(lacking, f"{self.root} lacks {{count}} of the two parts of AffectNet: no {{items}}.")
        there = {side: folders[0] for side, folders in parts.folders.items()}
        if all(child(folder, "images") and child(folder, "annotations") for folder in there.values()):
            self.copy.append("images with a label file each")
            return self._from_arrays(parts)
        if all((folder / "0").is_dir() for folder in there.values()):
            self.copy.append("folders by number of the expression")
            return self._from_folders(parts)
        raise wrong_root(
            next(iter(there.values())), self.own_card, "neither 'images' and 'annotations' nor a folder for each number"
        )

    def _lists(self, images: list[Path]) -> dict[str, Path]:
        """The lists by name: from the folder of lists, from beside or above the images, or from among them."""
        folders = self.places("Manually_Annotated_file_lists")
        for folder in images:
            folders += [*(p for p in folder.parents if p.is_relative_to(self.root)), folder]
        found: dict[str, list[Path]] = {}
        for folder in dict.fromkeys([*folders, self.root]):
            for entry in entries(folder):
                if entry.name.lower() in LISTS and is_file(entry):
                    found.setdefault(entry.name.lower(), []).append(Path(entry.path))
        return {name: path for name, paths in found.items() if (path := one_of_equal(paths)) is not None}

    def _from_lists(self, images: Path, lists: dict[str, Path]) -> Iterator[Entry]:
        lacking = [name for name in LISTS if name not in lists]
        self.refuse(lacking, f"{self.root} lacks {{count}} of AffectNet's two lists: {{items}}.")
        files = _Files(images)
        labels = {LISTS[file]: _labels(path) for file, path in lists.items()}
        tested = {name for name, code in labels.get("test", ()) if code not in OTHERS}
        both = sorted({name for name, code in labels.get("train", ()) if code not in OTHERS} & tested)
        self.refuse(
            both, "{count} image{s} {are} in both of AffectNet's lists, to be trained on and to be tested: {items}."
        )
        left_out = 0
        for side, listed in labels.items():
            for name, code in listed:
                if name == BROKEN:
                    left_out += 1
                elif code not in OTHERS and not (both and side == "train" and name in tested):
                    yield side, name, code, files.get(name)
        if left_out:
            self.copy.append(f"the image {BROKEN}, which is damaged in every copy, is left out")
        self.say(files.converted, "{count} image{s} {are} there in another format than the lists say")

    def _from_arrays(self, parts: Parts) -> Iterator[Entry]:
        unlabelled, alone, doubled = [], [], []
        for side, folders in parts.folders.items():
            for folder in folders:
                annotations, images = child(folder, "annotations"), child(folder, "images")
                if annotations is None or images is None:
                    unlabelled.append(str(folder))
                    continue
                labels = {e.name for e in entries(annotations) if e.name.endswith(LABEL)}
                first: dict[str, Path] = {}
                for _, path in walk(images, IMAGES):
                    label = f"{stem_of(path.name)}{LABEL}"
                    if label not in labels:
                        unlabelled.append(str(path))
                    elif first.setdefault(label, path).name != path.name:
                        doubled.append(str(path))
                    else:
                        yield side, path.name, _array(annotations / label), path
                alone += [str(annotations / label) for label in sorted(labels - set(first))]
        self.refuse(
            unlabelled, "{count} image{s} of AffectNet {have} no label in 'annotations', such as 0_exp.npy: {items}."
        )
        self.refuse(alone, "{count} label{s} of AffectNet {have} no image, such as 0.jpg: {items}.")
        self.refuse(doubled, "{count} image{s} of AffectNet {are} there in several formats: {items}.")

    def _from_folders(self, parts: Parts) -> list[Entry]:
        others = [name for name, _ in recognised(self.root) if name in NAMED]
        if others:
            raise FerbenchError(
                f"{self.root} holds folders by number whose images are named like those of {title(CARDS[others[0]])}: write "
                f"dataset={others[0]}. If its numbers are another dataset's, dataset=folders with dataset.codes reads it."
            )
        found: list[Picture] = []
        named: dict[str, list[Picture]] = {}
        again, gone = [], set()
        for picture in parts.pictures(lambda name: name if name.isdecimal() else None):
            same_name = named.setdefault(picture.path.name, [])
            for other in same_name:
                if (other.part, other.folder) != (picture.part, picture.folder) and same_content(
                    other.path, picture.path
                ):
                    again.append(f"{other.path} and {picture.path}")
                    gone |= {other, picture}
            same_name.append(picture)
            found.append(picture)
        self.refuse(
            parts.strange,
            "{count} folder{s} or image{s} {are} in none of AffectNet's folders, which are called 0 to 7: {items}.",
        )
        self.refuse(again, "{count} image{s} {are} in two of AffectNet's folders: {items}.")
        return [(p.part, f"{int(p.folder)}/{p.name}", int(p.folder), p.path) for p in found if p not in gone]


def _holds(name: str) -> bool:
    """Whether a folder is one of those in a part of AffectNet."""
    return name.isdecimal() or plain(name) in ("images", "annotations")


def _array(path: Path) -> int:
    """The expression in a file such as 0_exp.npy."""
    try:
        with path.open("rb") as file:
            written = str(np.load(file, allow_pickle=False))
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise FerbenchError(f"{path} cannot be read as an expression: {error or 'it is empty'}.") from error
    code = number_of(written)
    if code is None:
        raise FerbenchError(f"{path} holds the expression '{written[:LINE]}', which is not a number from 0 to 10.")
    return code


class _Files:
    """Which images there are; each folder is listed once.

    Attributes:
        converted: how many images were asked for that are there under another suffix.
    """

    def __init__(self, root: Path) -> None:
        self.converted = 0
        self._root = str(root)
        self._folders: dict[str, dict[str, str]] = {}

    def get(self, name: str) -> Path | None:
        folder, _, file = name.rpartition("/")
        there = self._folders.get(folder)
        if there is None:
            there = self._folders[folder] = self._list(folder)
        if file in there:
            return Path(there[file])
        other = there.get(stem_of(file) + "/")
        if other is None:
            return None
        self.converted += 1
        return Path(other)

    def _list(self, folder: str) -> dict[str, str]:
        """Path by name, and by name with '/' for the suffix."""
        try:
            with os.scandir(f"{self._root}/{folder}") as found:
                names = [e.name for e in found]
        except OSError:
            return {}
        paths: dict[str, str] = {}
        for name in names:
            paths[name] = f"{self._root}/{folder}/{name}"
            if suffix_of(name) in IMAGES:
                paths[f"{stem_of(name)}/"] = paths[name]
        return paths


def _labels(path: Path) -> list[tuple[str, int]]:
    """(name, code) of each row of a list."""
    table = _read(path)
    if table.empty:
        raise FerbenchError(f"{path} has no row of an image. Copy AffectNet's list there again.")
    names = table[PATH].str.strip().str.replace("\\", "/").str.removeprefix("./")
    codes = pd.to_numeric(table[EXPRESSION].str.strip(), errors="coerce")
    bad = codes.isna() | (codes % 1 != 0)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise FerbenchError(
            f"{path} gives '{names.iloc[row][:LINE]}' the expression '{table[EXPRESSION].iloc[row][:LINE]}', which is not a number "
            "from 0 to 10."
        )
    return list(zip(names, codes.astype(int).tolist(), strict=True))


def _read(path: Path) -> pd.DataFrame:
    """The two columns of a list, whose first row may or may not name them."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline()
        start = next((mark for mark in first if mark in ",;\t"), ",")
        named = first.partition(start)[0].strip(' "\r\n') == PATH
        table: pd.DataFrame = pd.read_csv(
            path,
            usecols=[PATH, EXPRESSION],
            dtype=str,
            encoding="utf-8-sig",
            keep_default_na=False,
            index_col=False,
            sep=start,
            header=0 if named else None,
            names=None if named else COLUMNS,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FerbenchError(
            f"{path} cannot be read as AffectNet's list, with the columns {', '.join(COLUMNS)}: {reason}."
        ) from error
    return table
