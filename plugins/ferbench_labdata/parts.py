"""Copies that sort images into a folder for each part of a split, and in it into a folder for each class.

A part is a folder with folders of classes right in it. Its own name says which part, or that of the nearest folder above it that
is called like one: `test/CAER-S/train/Anger` is training data. The name of the user's folder counts only where nothing below it
is called like a part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path

from ferbench import DatasetCard, FerbenchError
from ferbench.errors import enumerate_first
from ferbench_labdata.files import IMAGES, suffix_of, walk
from ferbench_labdata.layout import DEPTH, MOST, entries, identity, is_folder, plain, subfolders, title

LEVELS = DEPTH + 2
"""How many levels below the user's folder the folders of classes may lie."""

ABOVE = 3
"""How many levels above the user's folder the other part of a split is looked for."""

Names = Mapping[str, Sequence[str]]
"""By part of a split, such as "train": what its folder can be called."""


@dataclass(frozen=True)
class Picture:
    """An image in a folder of a class.

    Attributes:
        part: the part of the split.
        folder: name of the folder of the class.
        name: path below that folder, without folders that have its name again.
        path: the file.
    """

    part: str
    folder: str
    name: str
    path: Path


@dataclass(frozen=True)
class Parts:
    """The parts of a split that a copy has.

    Attributes:
        names: what their folders can be called.
        folders: by part, its folders. A further one lies inside the first: an archive that was unpacked inside itself.
    """

    names: Names
    folders: Mapping[str, Sequence[Path]]
    strange: list[str] = field(default_factory=list)
    """Folders and images that belong to no class, which `pictures` adds."""

    def pictures(self, label: Callable[[str], str | None]) -> Iterator[Picture]:
        """The images, by part, then by name of the folder.

        Args:
            label: the class that a folder is called by; None if it is called by none.
        """
        words = _words(self.names)
        inner = {str(p) for folders in self.folders.values() for folder in folders for p in (folder, *folder.parents)}
        for part, folders in self.folders.items():
            for folder in folders:
                for entry in entries(folder):
                    if not is_folder(entry):
                        if suffix_of(entry.name) in IMAGES:
                            self.strange.append(entry.path)
                    elif (expression := label(entry.name)) is None:
                        if entry.path not in inner:
                            self.strange.append(entry.path)
                    else:
                        for relative, path in walk(Path(entry.path), IMAGES):
                            name = without_repeats(entry.name, relative)
                            above = name.split("/")[:-1]
                            if any(plain(word) in words or label(word) not in (None, expression) for word in above):
                                self.strange.append(str(path))
                            else:
                                yield Picture(part, entry.name, name, path)


def without_repeats(folder: str, relative: str) -> str:
    """A path below a folder without the folders that have its name again.

    >>> without_repeats("angry", "angry/Angry/1.png"), without_repeats("angry", "web/1.png")
    ('1.png', 'web/1.png')
    """
    first, mark, rest = relative.partition("/")
    while mark and plain(first) == plain(folder):
        relative = rest
        first, mark, rest = relative.partition("/")
    return relative


def find_parts(
    root: Path, card: DatasetCard, names: Names, is_class: Callable[[str], bool], needed: Collection[str] = ()
) -> Parts:
    """The parts of a split below `root`.

    Args:
        names: by part, what its folder can be called.
        is_class: whether a folder is called like a class.
        needed: parts for which the folder above is named, if `root` is too low to hold them.

    Raises:
        FerbenchError: there are two copies, one part lies inside another, or `root` is one part and the others lie beside it.
    """
    words = _words(names)
    found = _search(root, words, is_class, "")
    if not found and (own := words.get(plain(root.absolute().name))):
        found = _search(root, words, is_class, own)
    for part, folders in found.items():
        if any(not p.is_relative_to(folders[0]) for p in folders):
            raise FerbenchError(
                f"{root} holds {len(folders)} folders called {_either(names[part])}: {enumerate_first(folders)}. Name the folder "
                "above one of them as dataset.root."
            )
    for one, other in combinations(found, 2):
        for above, below in ((one, other), (other, one)):
            if found[below][0].is_relative_to(found[above][0]):
                raise FerbenchError(
                    f"{found[below][0]} lies inside {found[above][0]}, so that images of one part of {title(card)}'s split may be "
                    "in the other too. Move it beside that folder."
                )
    if {*needed} - {*found} and (higher := folder_above(root, names, is_class, {*needed})) is not None:
        raise FerbenchError(
            f"{root} holds one part of {title(card)} only. The folder is too low; write dataset.root={higher}."
        )
    return Parts(names, {part: found[part] for part in names if part in found})


def folder_above(root: Path, names: Names, is_class: Callable[[str], bool], needed: Collection[str]) -> Path | None:
    """The folder above `root` that holds all parts that are needed, where `root` is, or is in, one of them."""
    words = _words(names)
    chain = [root.absolute(), *root.absolute().parents]
    for below, above in pairwise(chain[: ABOVE + 1]):
        if plain(below.name) in words:
            try:
                if set(needed) <= set(_search(above, words, is_class, "")):
                    return above
            except FerbenchError:  # it cannot be read
                continue
    return None


def _search(root: Path, words: Mapping[str, str], is_class: Callable[[str], bool], own: str) -> dict[str, list[Path]]:
    """By part, the folders with folders of classes in them, the highest ones first."""
    found: dict[str, list[Path]] = {}
    queue = deque([(root, own, LEVELS)])
    seen: set[tuple[int, int]] = set()
    while queue and len(seen) < MOST:
        folder, part, levels = queue.popleft()
        if (here := identity(folder)) in seen:
            continue
        seen.add(here)
        for below in subfolders(folder):
            nearer = words.get(plain(below.name))
            if part and nearer is None and is_class(below.name):
                if folder not in found.setdefault(part, []):
                    found[part].append(folder)
            elif levels > 1:
                queue.append((below, nearer or part, levels - 1))
    return found


def _words(names: Names) -> dict[str, str]:
    return {plain(word): part for part, words in names.items() for word in words}


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
