"""Functions for all datasets: listing files, reading images, fingerprints of files."""

from __future__ import annotations

import contextlib
import csv
import filecmp
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from ferbench import FerbenchError, FrameError, UnknownName
from ferbench.cores import usable_cores
from ferbench.files import cache_folder, replace_text
from ferbench.tables import refuse_doubled, separator_of
from ferbench_labdata.codes import CODES
from ferbench_labdata.layout import entries, identity, is_folder

IMAGES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".tif", ".tiff"})
VIDEOS = frozenset({".avi", ".mp4", ".flv", ".mov", ".mkv", ".mpg"})

LINE = 80
"""How much of a line of a file is shown in a sentence."""

MAX_PIXELS = 64_000_000
"""Largest number of pixels of an image. Larger ones are not frames of these datasets, and decoding one could take all memory."""


def walk(folder: Path, suffixes: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """(path relative to `folder` with '/', file) of all files with one of the suffixes, sorted. Leftovers of systems
    (`layout.leftover`) are ignored; links to folders are followed. The relative path is `printable`.

    Raises:
        FerbenchError: a folder cannot be read, or a link leads to a folder above it.
    """
    wanted = frozenset(suffixes)

    def below(current: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, Path]]:
        here = identity(current)
        if here in above:
            raise FerbenchError(f"{current} is a symbolic link to a folder above it; remove the link.")
        for entry in entries(current):
            if is_folder(entry):
                yield from below(Path(entry.path), f"{prefix}{entry.name}/", above | {here})
            elif suffix_of(entry.name) in wanted:
                yield printable(prefix + entry.name), Path(entry.path)

    yield from below(folder, "", frozenset())


def stem_of(name: str) -> str:
    """A name, or a path with '/', without its suffix, in a tenth of pathlib's time.

    >>> stem_of("faces/a.b.jpg"), stem_of(".jpg")
    ('faces/a.b', '.jpg')
    """
    return os.path.splitext(name)[0]  # noqa: PTH122


def suffix_of(name: str) -> str:
    """The suffix of a name in lower case, in a tenth of pathlib's time.

    >>> suffix_of("a.JPG"), suffix_of("a")
    ('.jpg', '')
    """
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def printable(name: str) -> str:
    r"""A name in which bytes that are no UTF-8, such as those of archives packed on Chinese Windows, are written as \xbf.

    >>> printable("a\udcbf.jpg") == "a\\xbf.jpg", printable("開.jpg")
    (True, '開.jpg')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode(errors="backslashreplace")
    return name


def open_image(path: Path, frame_id: str, least: int = 0) -> Image.Image:
    """Read an image in RGB.

    Args:
        least: if it is not 0, a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as width and height
            are at least this many pixels.

    Raises:
        FrameError: the file is missing, empty, truncated, not an image, or larger than MAX_PIXELS.
    """
    try:
        with Image.open(path) as image:
            check_size(path, image.size, frame_id)
            if least:
                image.draft(None, (least, least))
            return image.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # Pillow's own limit
        raise FrameError(f"{path} is far too large for a face ({error})", [frame_id]) from error
    except (OSError, SyntaxError, ValueError) as error:
        size = path.stat().st_size if path.exists() else None
        reason = "is missing" if size is None else "is empty" if size == 0 else f"is damaged ({error})"
        raise FrameError(f"{path} {reason}", [frame_id]) from error


def check_size(path: Path, size: tuple[int, int], frame_id: str) -> None:
    """Raise FrameError if an image of `size` (width, height) has more than MAX_PIXELS, before it is decoded."""
    if size[0] * size[1] > MAX_PIXELS:
        raise FrameError(
            f"{path} is {size[0]} x {size[1]} pixels, more than the limit of {MAX_PIXELS // 10**6} million",
            [frame_id],
        )


def read_text(path: Path) -> str:
    """Read a text file in UTF-8. Raises FerbenchError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise FerbenchError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_columns(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Read columns of a large CSV file as text. Names of columns are compared in lower case and without blanks around them.

    Raises:
        FerbenchError: the file cannot be read, or has none or several of one of `columns`.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline().rstrip("\n")
        separator = separator_of(first)
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=separator)
    except (OSError, ValueError) as error:
        raise FerbenchError(f"{path} cannot be read as CSV: {error}.") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    if lacking := [name for name in columns if name not in table]:
        if len(first) > LINE and not set(columns) & set(table.columns):
            raise FerbenchError(
                f"{path} has no names of columns in its first row, which is '{first[:LINE]} ...'. Write a row above it with the "
                f"names of its columns; {', '.join(columns)} are needed."
            )
        raise FerbenchError(f"{path} has no column {', '.join(lacking)}; it has {', '.join(table.columns)}.")
    wanted = [*columns, *(name for name in optional if name in table)]
    written = [name.strip().lower() for name in next(csv.reader([first], delimiter=separator))]
    refuse_doubled([name for name in written if name in wanted], str(path))
    return table[wanted]


def number_of(text: str) -> int | None:
    """The whole number that a text is, such as a label or the number of a frame, also where it is written as a float; None if it is
    none.

    >>> number_of("3"), number_of(" 3.0 "), number_of("2.7"), number_of("/"), number_of("")
    (3, 3, None, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def whole_text(text: str) -> str:
    """A label without what floats add to it; the text itself if it is no whole number.

    >>> whole_text("5.0"), whole_text("5"), whole_text("five")
    ('5', '5', 'five')
    """
    number = number_of(text)
    return text if number is None else str(number)


def cell_text(value: Any) -> str:
    """A cell of a table as text: blank where it is missing, and whole numbers without what floats add to them.

    >>> cell_text(46.0), cell_text(None), cell_text(float("nan")), cell_text("x")
    ('46', '', '', 'x')
    """
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def one_of_equal(paths: Sequence[Path]) -> Path | None:
    """The first of several files of one name; None if there are none.

    Raises:
        FerbenchError: their contents differ.
    """
    unlike = [path for path in paths if not same_content(paths[0], path)]
    if unlike:
        raise FerbenchError(
            f"{paths[0]} and {unlike[0]} differ, and nothing says which one counts. Remove one of them, or name a folder that "
            "holds one only as dataset.root."
        )
    return paths[0] if paths else None


def equal_files(files: Sequence[tuple[str, Path]]) -> list[list[int]]:
    """Groups of files with equal content, as places in the list. Only files of equal size are read, once (`remembered`)."""

    def groups() -> str:
        by_size: dict[int, list[int]] = defaultdict(list)
        for place, (_, path) in enumerate(files):
            by_size[path.stat().st_size].append(place)
        by_content: dict[str, list[int]] = defaultdict(list)
        for places in by_size.values():
            for place in places if len(places) > 1 else ():
                by_content[hashlib.sha256(files[place][1].read_bytes()).hexdigest()].append(place)
        return json.dumps([places for places in by_content.values() if len(places) > 1])

    return list(json.loads(remembered("equal", files, groups)))


def lfs_pointer(path: Path) -> bool:
    """Whether a file is a pointer of Git LFS: a few lines of text that stand for a large file, which was not downloaded."""
    try:
        if os.stat(path).st_size > 1024:  # noqa: PTH116
            return False
        return path.read_bytes().startswith(b"version https://git-lfs")
    except OSError:
        return False


def content_fingerprint(files: Iterable[tuple[str, Path]], extra: str = "") -> str:
    """A hash of the names and contents of files, in the given order, and of `extra`, such as labels. Kept by `remembered`.

    Raises:
        FrameError: a file cannot be read.
    """
    listed = list(files)

    def content() -> str:
        with ThreadPoolExecutor(usable_cores()) as pool:
            return hashlib.sha256(b"".join(pool.map(_bytes_digest, listed))).hexdigest()

    names = "\0".join(name for name, _ in listed)
    text = "\n".join([extra, names, remembered("content", listed, content)])
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:24]


def same_content(one: Path, other: Path) -> bool:
    """Whether two files are the same one, or have equal bytes."""
    try:
        return one == other or filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def remembered(what: str, files: Sequence[tuple[str, Path]], work: Callable[[], str]) -> str:
    """The result of `work`, a computation about files, which is kept in the cache folder. The key is `what` and the path, inode,
    size and modification time of each file. If the folder cannot be written, the computation is repeated each time.

    Args:
        what: name of the computation.
        files: (name, file) of each file.
        work: does the computation.

    Raises:
        FrameError: a file is missing.
    """
    stamps = "\n".join([what, *(_stamp(name, path) for name, path in files)])
    kept = cache_folder("") / "facts" / f"{hashlib.sha256(os.fsencode(stamps)).hexdigest()[:24]}.json"
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(kept.read_text(encoding="utf-8")))
    fact = work()
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_text(kept, json.dumps(fact))
    return fact


def _stamp(name: str, path: Path) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror or error}", [name]) from error
    return f"{name} {os.path.abspath(path)} {status.st_ino} {status.st_size} {status.st_mtime_ns}"  # noqa: PTH100


def _bytes_digest(item: tuple[str, Path]) -> bytes:
    name, path = item
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror or error}", [name]) from error


def number_codes(codes: str) -> Mapping[int, str]:
    """What numbers mean by `dataset.codes`; nothing where it is empty.

    Raises:
        UnknownName: nobody knows such codes.
    """
    if codes and codes not in CODES:
        raise UnknownName("value of dataset.codes", codes, CODES)
    return CODES[codes] if codes else {}


def one_of(name: str, value: str, options: Sequence[str]) -> list[str]:
    """The options that a setting names: one, several joined by '+' as in "3+4", or all options for "all".

    Args:
        name: name of the setting, for the error message.

    Raises:
        FerbenchError: an option is unknown.
    """
    if value == "all":
        return list(options)
    parts = value.split("+")
    for part in parts:
        if part not in options:
            raise FerbenchError(
                f"dataset.{name} is '{value}'; it can be {', '.join(options)}, several of them joined by '+', or all."
            )
    return parts
