"""Functions for all datasets: listing files, reading images, fingerprints of files."""

from __future__ import annotations

import contextlib
import csv
import filecmp
import hashlib
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from ferbench import FerbenchError, FrameError, UnknownName
from ferbench.files import cache_folder, replace_text
from ferbench_labdata.codes import CODES
from ferbench_labdata.layout import leftover

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

    def below(current: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, Path]]:
        try:
            status = os.stat(current)  # noqa: PTH116
            here = (status.st_dev, status.st_ino)
            if here in above:
                raise FerbenchError(f"{current} is a symbolic link to a folder above it; remove the link.")
            with os.scandir(current) as found:
                entries = sorted(found, key=lambda e: e.name)
            for entry in entries:
                if leftover(entry.name):
                    continue
                if entry.is_dir():
                    yield from below(entry.path, f"{prefix}{entry.name}/", (*above, here))
                elif os.path.splitext(entry.name)[1].lower() in wanted:  # noqa: PTH122  (a tenth of pathlib's time)
                    yield printable(prefix + entry.name), Path(entry.path)
        except OSError as error:
            raise FerbenchError(f"{error.filename or current} cannot be read: {error.strerror or error}.") from error

    yield from below(str(folder), "", ())


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


def read_text(path: Path, encoding: str = "utf-8-sig") -> str:
    """Read a text file. Raises FerbenchError if it cannot be read."""
    try:
        return path.read_text(encoding=encoding, errors="replace")
    except OSError as error:
        raise FerbenchError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file as text: the index is the number of the row in the file, nothing is taken for a missing value, and blanks around
    names of columns are cut. Separators are ',', ';' or a tab; encodings UTF-8, UTF-16 (with its mark) or Windows-1252.

    Raises:
        FerbenchError: the file is none, or a row has more or fewer values than there are columns.
    """
    text = _text(path)
    separator = separator_of(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: dict[int, list[str]] = {}
    try:
        for row in lines:
            if any(value.strip() for value in row):
                rows[lines.line_num] = row
    except csv.Error as error:
        raise FerbenchError(
            f"{path}, row {lines.line_num}, cannot be read as CSV: {error}. A quotation mark may be missing."
        ) from error
    if not rows:
        raise FerbenchError(f"{path} cannot be read as CSV: it is empty.")
    columns = [name.strip() for name in rows.pop(next(iter(rows)))]
    while (
        columns
        and not columns[-1]
        and all(len(row) < len(columns) or not row[len(columns) - 1] for row in rows.values())
    ):
        columns.pop()  # Excel writes separators behind the last column
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        raise FerbenchError(f"{path} has several columns called '{doubled[0]}'.")
    for number, row in rows.items():
        if len(row) < len(columns) or any(row[len(columns) :]):
            raise FerbenchError(f"{path}, row {number}, has {len(row)} values for {len(columns)} columns.")
    return pd.DataFrame([row[: len(columns)] for row in rows.values()], index=list(rows), columns=columns, dtype=object)


def separator_of(text: str) -> str:
    """The mark that separates the values of a CSV file: ',', ';' or a tab, whichever makes most values of its first row."""
    first = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    return max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))


def read_columns(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Read columns of a large CSV file as text. Names of columns are compared in lower case and without blanks around them.

    Raises:
        FerbenchError: the file cannot be read, or lacks one of `columns`.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline().rstrip("\n")
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=separator_of(first))
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
    return table[[*columns, *(name for name in optional if name in table)]]


def number_of(text: str) -> int | None:
    """The whole number that a label is, also where it is written as a float; None if it is none.

    >>> number_of("3"), number_of(" 3.0 "), number_of("2.7"), number_of("x")
    (3, 3, None, None)
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


def _text(path: Path) -> str:
    """The text of a file that a person wrote or Excel exported."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FerbenchError(f"{path} cannot be read as CSV: {error.strerror or error}.") from error
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FerbenchError(f"{path} is an Excel file or an archive; save the sheet as CSV and name that file.")
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise FerbenchError(f"{path} is no text in UTF-8, UTF-16 or Windows-1252; save it as 'CSV UTF-8'.")


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
        with ThreadPoolExecutor(os.cpu_count()) as pool:
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
