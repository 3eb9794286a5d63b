"""Images in folders by expression: `angry/*.jpg`, or `train/angry/*.jpg` with a folder for each split.

Class folders are called by expressions ("happy" and "Happiness" are one class), or by numbers whose meaning `dataset.codes`
names. Folders of splits are called train, test, val, valid or validation; without test, the validation images are tested. Names
of images may say who is seen (`dataset.pattern="{subject}_{sequence}_{position}"`), or a CSV file may (`dataset.file`: path,
subject, sequence, position, split). The same picture in two classes is refused. Such copies of many datasets are on Kaggle;
those whose files ferbench knows have datasets of their own, which keep what is known of them.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from ferbench import DatasetCard, FerbenchError
from ferbench.errors import enumerate_first
from ferbench.expressions import canonical, known
from ferbench.tables import read_csv, refuse_doubled
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.cards import CARDS, of_users
from ferbench_labdata.codes import CODES
from ferbench_labdata.files import IMAGES, equal_files, number_codes, same_content, walk
from ferbench_labdata.layout import (
    DEPTH,
    SPLITS,
    entries,
    is_folder,
    plain,
    recognised,
    subfolders,
    title,
    unnested,
    wrong_root,
)
from ferbench_labdata.parts import folder_above, without_repeats
from ferbench_labdata.settings import FolderSettings

IDENTITY = ("subject", "sequence", "position")
CLASSES = "such as anger, happy, neutral or sadness"


@dataclasses.dataclass(frozen=True)
class _Picture:
    """An image, and what its folders, its name or the CSV file say of it. `name` is its path below the folder that was read."""

    name: str
    path: Path
    expression: str
    facts: Mapping[str, str]


class Folders(LabDataset):
    """frame_id: 'train/angry/0001.jpg/0', the path of the image; where sequences are known
    'split/subject/sequence/class/position'."""

    name = "folders"
    rises = False
    settings: FolderSettings

    def sequences(self) -> Iterable[Sequence_]:
        self._codes = number_codes(self.settings.codes)
        self._again = 0
        base = self._base()
        pictures = self._pictures(base)
        if not pictures:
            raise wrong_root(self.root, self.own_card, "no image in its folders")
        pictures = self._with_facts(base, pictures)
        self._has = {fact for picture in pictures for fact in picture.facts}
        pictures = self._in_one_class(pictures)
        self._classes = tuple(sorted({picture.expression for picture in pictures}))
        return self._grouped(pictures)

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the classes and with what names and folders provide."""
        has = {"subject", "sequence", "split"} & self._has
        if "subject" in has and "neutral" in self._classes:
            has.add("neutral")
        return of_users(card, self._classes, has, self.settings.population)

    # -- folders

    def _expression(self, folder: str) -> str | None:
        """The class that a folder is called by; None if it is called by none."""
        if folder.isdecimal():
            return self._codes.get(int(folder))
        word = re.sub(r"^\d+[\s_.-]+", "", folder)  # "0_neutral"
        return canonical(word) if known(word) else None

    def _is_class(self, folder: Path) -> bool:
        return folder.name.isdecimal() or self._expression(folder.name) is not None

    def _is_word(self, name: str) -> bool:
        return self._expression(name) is not None

    def _base(self) -> Path:
        """The folder that holds the folders of classes or splits."""
        folder = self.root
        for _ in range(DEPTH):
            below = subfolders(folder)
            if any(plain(p.name) in SPLITS or self._is_class(p) for p in below):
                return folder
            if len(below) != 1:
                break
            folder = below[0]
        raise self._unknown(below)

    def _unknown(self, below: list[Path]) -> FerbenchError:
        """The error for folders of other names, which lie in one folder."""
        if not below or self._others():
            return wrong_root(self.root, self.own_card, "no folder that is called by an expression or a split")
        names = enumerate_first([p.name for p in below])
        return FerbenchError(
            f"None of the folders in {below[0].parent} is called by an expression or a split: {names}. Folders of classes are "
            f"called by words {CLASSES}, or by numbers with dataset.codes=NAME; folders of splits are called train, test and val. "
            "Rename them, or write a table (dataset=table dataset.file=frames.csv)."
        )

    def _others(self) -> list[str]:
        """Datasets with a reader of their own that the copy looks like."""
        return [name for name, _ in recognised(self.root) if name != self.name]

    def _pictures(self, base: Path) -> list[_Picture]:
        """The images, in order. A folder that is neither a class nor a split is refused."""
        below = subfolders(base)
        sides = [p for p in below if plain(p.name) in SPLITS]
        strange = [str(p) for p in below if p not in sides] + _loose(base) if sides else []
        numbers: list[str] = []
        empty: list[str] = []
        found: list[_Picture] = []
        for side in sides or [base]:
            found += self._of_side(side, bool(sides), strange, numbers, empty)
        split = any("split" in picture.facts for picture in found)
        if split:  # angry/train/1.png beside angry/2.png
            strange += [picture.name for picture in found if "split" not in picture.facts]
            found = [picture for picture in found if "split" in picture.facts]
        self._refuse_folders(base, numbers, strange)
        codes = f", numbers as in {self.settings.codes}" if self._codes else ""
        self.copy.append(("folders by split and class" if split else "folders by class") + codes)
        if better := self._better():
            self.copy.append(better)
        self.say(self._again, "{count} image{s} {are} there twice with equal content, and {were} read once")
        names = {split: [word for word, meant in SPLITS.items() if meant == split] for split in ("train", "test")}
        above = folder_above(base, names, self._is_word, ("train", "test"))
        if above is not None:
            self.copy.append(f"{above} holds another part of a split too, which was not read")
        if empty:
            self.copy.append(f"folders without an image: {enumerate_first(empty)}")
        return found

    def _of_side(
        self, side: Path, split: bool, strange: list[str], numbers: list[str], empty: list[str]
    ) -> list[_Picture]:
        """The images of a folder that holds folders of classes.

        Args:
            split: whether the folder is one of a split.
            strange, numbers, empty: to these are added images and folders of no class, folders by numbers without a meaning, and
                folders without an image.
        """
        prefix = f"{side.name}/" if split else ""
        facts = {"split": SPLITS[plain(side.name)]} if split else {}
        found: list[_Picture] = []
        for folder in subfolders(unnested(side) if split else side):
            expression = self._expression(folder.name)
            if expression is None:
                (numbers if folder.name.isdecimal() else strange).append(f"{prefix}{folder.name}")
                continue
            images = self._in_class(folder, prefix, expression, facts, strange)
            if not images:
                empty.append(f"{prefix}{folder.name}")
            found += images
        strange += [f"{prefix}{name}" for name in _loose(side)]
        return found

    def _refuse_folders(self, base: Path, numbers: list[str], strange: list[str]) -> None:
        """Refuse folders by numbers without a meaning, and folders and images of no class."""
        if numbers and not self._codes:
            better = self._better()
            raise FerbenchError(
                f"{base} has folders called by numbers: {enumerate_first(numbers, 8)}. The same number is another expression in "
                f"each dataset; say whose they are: dataset.codes={'|'.join(CODES)}."
                + (f" Also, {better}." if better else "")
            )
        meant = ", ".join(f"{number} {word}" for number, word in self._codes.items())
        self.refuse(
            numbers,
            f"{{count}} folder{{s}} {{have}} numbers that dataset.codes={self.settings.codes} lacks ({meant}): {{items}}.",
        )
        self.refuse(
            strange,
            f"{{count}} folder{{s}} or image{{s}} in {base} {{belong}} to no class and no split, or to two: {{items}}. Classes are "
            f"called by words {CLASSES}.",
        )

    def _in_class(
        self, folder: Path, prefix: str, expression: str, facts: Mapping[str, str], strange: list[str]
    ) -> list[_Picture]:
        """The images in the folder of a class, once each. Folders of a split in it count; images in folders of another class or
        split are added to `strange`."""
        found: dict[str, _Picture] = {}
        for relative, path in walk(folder, IMAGES):
            name = without_repeats(folder.name, relative)
            splits, classes = {*facts.values()}, {expression}
            for word in name.split("/")[:-1]:
                if plain(word) in SPLITS:
                    splits.add(SPLITS[plain(word)])
                elif (other := self._inner(word, folder.name)) is not None:
                    classes.add(other)
            if len(splits) > 1 or len(classes) > 1:
                strange.append(f"{prefix}{folder.name}/{relative}")
                continue
            if name in found and not same_content(found[name].path, path):
                name = relative
            if name in found and same_content(found[name].path, path):
                self._again += 1
            elif name in found:  # what cannot be shown in one name is written in the other
                strange.append(f"{prefix}{folder.name}/{relative}")
            else:
                split = {"split": next(iter(splits))} if splits else {}
                found[name] = _Picture(f"{prefix}{folder.name}/{name}", path, expression, split)
        return list(found.values())

    def _inner(self, word: str, folder: str) -> str | None:
        """The class that a folder in the folder of a class is called by. Two or three letters may be a person's, as may numbers."""
        if word.isdecimal():
            return self._expression(word) if folder.isdecimal() and len(word) == len(folder) else None
        return self._expression(word) if len(word) > 3 or word.lower() in ("sad", "joy") else None

    def _better(self) -> str:
        """Which dataset the copy looks like that has a reader of its own; nothing if it looks like none."""
        return "".join(
            f"it looks like {title(CARDS[name])}, and dataset={name} reads it with what is known of it"
            for name in self._others()[:1]
        )

    # -- identities

    def _with_facts(self, base: Path, pictures: list[_Picture]) -> list[_Picture]:
        """The images with what their names or the CSV file say, and with usable splits."""
        if self.settings.pattern and self.settings.file:
            raise FerbenchError("dataset.pattern and dataset.file both say who is seen; leave one of them out.")
        if self.settings.pattern:
            pictures = self._from_names(pictures)
        elif self.settings.file:
            pictures = self._from_file(base, pictures)
        splits = {picture.facts.get("split", "") for picture in pictures}
        if splits == {"train", "val"}:
            self.copy.append("there is no test set, and the validation images are tested")
            return [_with(p, split="test" if p.facts["split"] == "val" else "train") for p in pictures]
        if splits != {""} and not {"train", "test"} <= splits:
            self.copy.append(f"the only split is {', '.join(sorted(splits))}, so there is none to keep")
            return [dataclasses.replace(p, facts={k: v for k, v in p.facts.items() if k != "split"}) for p in pictures]
        return pictures

    def _from_names(self, pictures: list[_Picture]) -> list[_Picture]:
        template = self.settings.pattern
        pattern = _pattern(template)
        found, strange = [], []
        for picture in pictures:
            match = pattern.fullmatch(picture.path.stem)
            if match is None:
                strange.append(picture.name)
            else:
                found.append(_with(picture, **match.groupdict()))
        self.refuse(strange, f"{{count}} image{{s}} {{are}} not named as dataset.pattern={template} says: {{items}}.")
        if not found:
            raise FerbenchError(f"No image in {self.root} is named as dataset.pattern={template} says.")
        return found

    def _from_file(self, base: Path, pictures: list[_Picture]) -> list[_Picture]:
        path = Path(self.settings.file).expanduser()
        table = read_csv(path)
        table.columns = [name.lower() for name in table.columns]
        refuse_doubled(list(table.columns), str(path))
        if "path" not in table:
            raise FerbenchError(f"{path} has no column path; it has {', '.join(table.columns)}.")
        columns = [name for name in (*IDENTITY, "split") if name in table]
        if not columns:
            raise FerbenchError(f"{path} has none of the columns subject, sequence, position and split.")
        by_file = {_normal(picture.path): picture for picture in pictures}
        rows: dict[str, int] = {}
        found, missing = [], []
        for number, (name, facts) in _rows(path, table, columns).items():
            picture = next((by_file[p] for p in map(_normal, self._readings(base, name)) if p in by_file), None)
            if picture is None:
                missing.append(name)
            elif (first := rows.setdefault(picture.name, number)) != number:
                raise FerbenchError(f"{path}, row {number}, names '{name}' again, the image of row {first}.")
            else:
                found.append(_with(picture, **facts))
        self.refuse(missing, f"{{count}} image{{s}} of {path} {{are}} missing in {self.root}: {{items}}.")
        self.refuse(
            [p.name for p in pictures if p.name not in rows],
            f"{{count}} image{{s}} {{are}} not listed in {path}: {{items}}.",
        )
        order = {picture.name: number for number, picture in enumerate(pictures)}
        return sorted(found, key=lambda picture: order[picture.name])

    def _readings(self, base: Path, name: str) -> Iterator[Path]:
        """The files that a path in the CSV file may mean: one below `base` or the root, which may be named without its links."""
        yield from (base / name, self.root / name)
        if Path(name).is_relative_to(self.root.resolve()):
            yield self.root / Path(name).relative_to(self.root.resolve())

    def _in_one_class(self, pictures: list[_Picture]) -> list[_Picture]:
        """The images without those whose pixels are in two classes, which are refused."""
        same = [[pictures[i] for i in group] for group in equal_files([(p.name, p.path) for p in pictures])]
        unlike = [group for group in same if len({p.expression for p in group}) > 1]
        self.refuse(
            [" and ".join(p.name for p in group) for group in unlike],
            "{count} picture{s} {are} in several classes at once: {items}.",
        )
        across = [group for group in same if group not in unlike and len({p.facts.get("split") for p in group}) > 1]
        first = " and ".join(p.name for p in across[0]) if across else ""
        self.say(len(across), f"{{count}} picture{{s}} {{are}} in several parts of the split at once: {first}")
        again = sum(len(group) - 1 for group in same if group not in unlike and group not in across)
        self.say(again, "{count} image{s} {are} there again in the same class")
        gone = {p.name for group in unlike for p in group}
        return [p for p in pictures if p.name not in gone]

    def _grouped(self, pictures: list[_Picture]) -> Iterator[Sequence_]:
        """Images of one split, subject, sequence and class are a sequence; without a known sequence each image is one."""
        groups: dict[str, list[_Picture]] = defaultdict(list)
        for picture in pictures:
            facts = picture.facts
            parts = [facts[name] for name in ("split", "subject", "sequence") if name in facts]
            groups["/".join([*parts, picture.expression]) if "sequence" in facts else picture.name].append(picture)
        for name, group in groups.items():
            facts = group[0].facts
            split = {"split": facts["split"]} if "split" in facts else {}
            if "position" in self._has and "sequence" in self._has:
                group = sorted(group, key=lambda picture: int(picture.facts["position"]))
            yield Sequence_(name, facts.get("subject", name), group[0].expression, _numbered(name, group), split)


def _numbered(name: str, group: list[_Picture]) -> list[tuple[str, Path]]:
    """(number, file) of the images of a sequence."""
    if len(group) == 1 and name == group[0].name:
        return [("0", group[0].path)]
    numbers = [picture.facts.get("position", picture.path.stem) for picture in group]
    if doubled := [number for number, count in Counter(numbers).items() if count > 1]:
        first = [picture.name for picture, number in zip(group, numbers, strict=True) if number == doubled[0]]
        raise FerbenchError(f"{enumerate_first(first)} have the same position, {doubled[0]}, in the sequence {name}.")
    return list(zip(numbers, (picture.path for picture in group), strict=True))


def _loose(folder: Path) -> list[str]:
    """Names of the images right in a folder."""
    return [e.name for e in entries(folder) if Path(e.name).suffix.lower() in IMAGES and not is_folder(e)]


def _with(picture: _Picture, **facts: str) -> _Picture:
    return dataclasses.replace(picture, facts={**picture.facts, **facts})


def _normal(path: Path) -> str:
    """A path without '.' and '..', as written: links are kept, as several images may be links to one file."""
    return os.path.normpath(path)


def _pattern(template: str) -> re.Pattern[str]:
    """The pattern of names without suffix that a template such as '{subject}_{position}' describes."""
    parts = re.split(r"\{(\w+)\}", re.sub(r"\.\w{3,4}$", "", template))
    names = parts[1::2]
    if (
        not names
        or set(names) - set(IDENTITY)
        or len(names) > len(set(names))
        or not {"subject", "sequence"} & set(names)
    ):
        raise FerbenchError(
            f"dataset.pattern is '{template}'; write what names of images say with {{subject}}, {{sequence}} and {{position}}, "
            "each at most once and not {position} alone, such as {subject}_{sequence}_{position} for S010_006_00000013.png."
        )
    groups = [rf"(?P<{name}>\d+)" if name == "position" else f"(?P<{name}>.+?)" for name in names]
    return re.compile("".join(re.escape(text) + group for text, group in zip(parts[::2], [*groups, ""], strict=True)))


def _rows(path: Path, table: pd.DataFrame, columns: list[str]) -> dict[int, tuple[str, dict[str, str]]]:
    """By number of the row: the path, and the values of the columns. Blank values are errors."""
    rows: dict[int, tuple[str, dict[str, str]]] = {}
    table = table.apply(lambda column: column.str.strip())
    if "split" in table:
        table["split"] = table["split"].map(lambda value: SPLITS.get(plain(value), ""))
    for number, row in zip(table.index, table.to_dict("records"), strict=True):
        for column in columns:
            if not row[column] or (column == "position" and not row[column].isdecimal()):
                kind = {"split": "split called train, val or test", "position": "position that is a whole number"}
                raise FerbenchError(f"{path}, row {number}, has no {kind.get(column, column)}.")
        rows[number] = (row["path"].replace("\\", "/"), {column: row[column] for column in columns})
    return rows
