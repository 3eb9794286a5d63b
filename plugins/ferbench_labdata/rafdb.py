"""RAF-DB: the part with basic emotions.

Two forms. As distributed: `EmoLabel/list_patition_label.txt` (spelt so) with lines "train_00001.jpg 5", and
`Image/aligned/train_00001_aligned.jpg` (also `aligned/aligned`) or `Image/original/train_00001.jpg`; seen in ten
public loaders. On Kaggle: `DATASET/train/5/train_00001_aligned.jpg` and `DATASET/test`, with `train_labels.csv` and
`test_labels.csv` (columns image and label) beside; seen in ten public loaders. Labels are 1 surprise, 2 fear, 3
disgust, 4 happiness, 5 sadness, 6 anger, 7 neutral. There are no identities. The split comes with the dataset: 12,271 training
and 3,068 test images. Lists with three values a line, of compound or other labels, are in use too and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ferbench import FerbenchError
from ferbench.errors import enumerate_first
from ferbench.tables import read_csv
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.codes import CODES
from ferbench_labdata.files import IMAGES, read_text, stem_of, suffix_of, whole_text
from ferbench_labdata.layout import called, entries, find, find_files, plain, wrong_root
from ferbench_labdata.parts import Parts, find_parts

LIST = "list_patition_label.txt"
SIDES = ("train", "test")
LABELS = {str(number): expression for number, expression in CODES["rafdb"].items()}
NAME = re.compile(r"(?P<stem>(?P<side>train|test)_(?P<number>\d+))(_aligned)?")


class RafDb(LabDataset):
    """frame_id: 'train_00001/basic/0'. Each image is its own subject, as subjects are unknown."""

    name = "rafdb"
    rises = False

    def sequences(self) -> Iterable[Sequence_]:
        lists = find_files(self.root, LIST)
        if len(lists) > 1:  # RAF-DB's compound part has a list of the same name
            lists = [p for p in lists if "compound" not in p.relative_to(self.root).as_posix().lower()] or lists
        if len(lists) > 1:
            raise FerbenchError(
                f"{self.root} holds {len(lists)} lists of RAF-DB: {enumerate_first(lists)}. Name the folder above one of them "
                "as dataset.root."
            )
        if lists:
            return self._listed(lists[0])
        parts = find_parts(self.root, self.own_card, {side: (side,) for side in SIDES}, str.isdecimal, SIDES)
        if any((folder / "1").is_dir() for folders in parts.folders.values() for folder in folders):
            return self._by_folder(parts)
        raise wrong_root(self.root, self.own_card, f"no EmoLabel/{LIST}, the file with RAF-DB's labels and split")

    def _listed(self, path: Path) -> Iterator[Sequence_]:
        labels = path.parent
        if labels == self.root and plain(labels.absolute().name) == "emolabel":
            raise FerbenchError(
                f"{self.root} holds RAF-DB's labels and is too low; write dataset.root={labels.absolute().parent}."
            )
        base = labels if labels == self.root else labels.parent
        aligned = find(base, called("aligned"))
        folders = aligned or find(base, called("original"))
        if not folders:
            raise wrong_root(base, self.own_card, "no folder 'aligned' and no folder 'original'")
        folder = folders[0]
        if len(folders) > 1:
            self.copy.append(f"{len(folders)} folders '{folder.name}' are there, and {folder} was read")
        self.copy.append(f"{'aligned' if aligned else 'original'} images by list")
        there: dict[str, Path] = {}
        missing, doubled, listed = [], [], 0
        for entry in entries(folder):
            if (
                suffix_of(entry.name) in IMAGES
                and there.setdefault(stem_of(entry.name).lower(), Path(entry.path)).name != entry.name
            ):
                doubled.append(entry.name)
        self.refuse(doubled, f"{{count}} image{{s}} in {folder} {{are}} there in several formats: {{items}}.")
        for stem, side, code in _labels(path):
            listed += 1
            name = f"{stem}_aligned" if aligned else stem
            file = there.get(name.lower())
            if file is None:
                missing.append(name)
            else:
                yield Sequence_(f"{stem}/basic", stem, LABELS[code], [("0", file)], {"split": side})
        if missing and len(missing) == listed:
            raise FerbenchError(f"{folder} holds none of the {listed} images of {LIST}: {enumerate_first(missing)}.")
        self.refuse(missing, f"{{count}} image{{s}} of {LIST} {{are}} missing in {folder}: {{items}}.")

    def _by_folder(self, parts: Parts) -> list[Sequence_]:
        self.copy.append("folders by number of the expression")
        lists = {side: self._kaggle_list(side, folders[0]) for side, folders in parts.folders.items()}
        found: list[tuple[int, int, Sequence_]] = []
        strange, unlike = [], []
        for picture in parts.pictures(lambda name: name if name.isdecimal() else None):
            match = NAME.fullmatch(stem_of(picture.path.name))
            if picture.folder not in LABELS or match is None or match.group("side") != picture.part:
                strange.append(str(picture.path))
                continue
            stem = match.group("stem")
            if lists[picture.part].get(stem, picture.folder) != picture.folder:
                unlike.append(str(picture.path))
                continue
            sequence = Sequence_(
                f"{stem}/basic", stem, LABELS[picture.folder], [("0", picture.path)], {"split": picture.part}
            )
            found.append((SIDES.index(picture.part), int(match.group("number")), sequence))
        if strange and not found and not unlike:
            raise wrong_root(
                self.root,
                self.own_card,
                "folders by number, but their images are not named like RAF-DB's (train/1/train_00002_aligned.jpg)",
            )
        self.refuse(
            [s for s in SIDES if s not in parts.folders],
            f"{self.root} lacks {{count}} part{{s}} of RAF-DB: the folder {{items}}.",
        )
        self.refuse(
            [*strange, *parts.strange],
            "{count} folder{s} or image{s} {are} not named like RAF-DB's (train/1/train_00002_aligned.jpg): {items}. Its numbers "
            "are 1 to 7; a copy with other ones can be read by dataset=folders with dataset.codes.",
        )
        self.refuse(unlike, "{count} image{s} {are} in another folder than RAF-DB's list of labels says: {items}.")
        return [sequence for *_, sequence in sorted(found, key=lambda item: item[:2])]

    def _kaggle_list(self, side: str, folder: Path) -> dict[str, str]:
        """Label by name without suffix and "_aligned", of the list beside the folder or above it in the copy;
        empty where there is none."""
        for above in [p for p in folder.parents if p.is_relative_to(self.root)]:
            path = above / f"{side}_labels.csv"
            if path.is_file():
                table = read_csv(path)
                if {"image", "label"} <= set(table.columns):
                    return self._unique(path, table["image"], table["label"])
        return {}

    def _unique(self, path: Path, names: Iterable[str], labels: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        unlike = []
        for name, written in zip(names, labels, strict=True):
            label = whole_text(written)
            if found.setdefault(stem_of(name.strip()).removesuffix("_aligned"), label) != label:
                unlike.append(name)
        self.refuse(unlike, f"{path} has {{count}} image{{s}} twice, with different labels: {{items}}.")
        return found


def _labels(path: Path) -> Iterator[tuple[str, str, str]]:
    """(name without suffix, split, label) of each line of the list."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        words = line.split()
        side = words[0].partition("_")[0]
        if len(words) != 2 or whole_text(words[1]) not in LABELS or side not in SIDES:
            more = " This is a list of other labels, such as compound ones." if len(words) > 2 else ""
            raise FerbenchError(
                f"{path}, line {number}, is '{line.strip()[:60]}'; lines are like 'train_00001.jpg 5', with a label from 1 to 7."
                f"{more}"
            )
        yield stem_of(words[0]), side, whole_text(words[1])
