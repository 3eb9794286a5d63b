"""Functions for all datasets: listing files, reading images, fingerprints of files."""

from __future__ import annotations

import contextlib
import csv
import filecmp
import functools
import hashlib
import io
import json
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import ExifTags, Image, UnidentifiedImageError

from ferbench import FerbenchError, FrameError, UnknownName
from ferbench.cores import usable_cores
from ferbench.errors import printable
from ferbench.files import cache_folder, replace_text
from ferbench.tables import refuse_doubled, separator_of
from ferbench_labdata.codes import CODES
from ferbench_labdata.layout import entries, identity, is_file, is_folder

IMAGES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".tif", ".tiff"})
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP", "PPM", "JPEG2000")
"""Formats that are read, whatever the suffix. Pillow knows others that are programs (PostScript) or no photographs."""

VIDEOS = frozenset({".avi", ".mp4", ".flv", ".mov", ".mkv", ".mpg"})

LINE = 80
"""How much of a line of a file is shown in a sentence."""

MAX_PIXELS = 64_000_000
"""Largest number of pixels of an image. Larger ones are not frames of these datasets, and decoding one could take all memory."""


def walk(folder: Path, suffixes: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """(path relative to `folder` with '/', file) of all files with one of the suffixes, sorted. Leftovers of systems
    (`layout.leftover`) are ignored; links to folders are followed. The relative path is `printable`.

    Raises:
        FerbenchError: a folder cannot be read, a link leads to a folder above it, or something of such a name is a pipe or a
            device.
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
                if not is_file(entry) and special(entry.path):
                    raise FerbenchError(f"{printable(entry.path)} {SPECIAL}; remove it.")
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


SPECIAL = "is a pipe, a socket or a device, and no file"


def special(path: str | Path) -> bool:
    """Whether a path leads to something that is neither a file nor a folder: who reads a pipe may wait for ever."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def open_image(path: Path, frame_id: str, least: int = 0, as_stored: bool = False) -> Image.Image:
    """Read an image in RGB, as it is meant to be seen: turned as its EXIF says, on black where it is transparent, of 16 bits the
    upper eight, of an animation the first picture.

    Args:
        least: if it is not 0, a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as width and height
            are at least this many pixels.
        as_stored: not turned, for datasets that state coordinates in the stored picture.

    Raises:
        FrameError: the file is missing, empty, truncated, not an image, larger than MAX_PIXELS, or its pixels have no range that is
            known.
    """
    if special(path):
        raise FrameError(f"{path} {SPECIAL}", [frame_id])
    try:
        with Image.open(path, formats=FORMATS) as image:
            check_size(path, image.size, frame_id)
            if least:
                image.draft(None, (least, least))
            picture = _rgb(image)
            return picture if as_stored else _turned(picture, image)
    except _NoWhite as error:
        raise FrameError(f"{path} cannot be used: {error}", [frame_id]) from error
    except UnidentifiedImageError as error:
        what = "is empty" if path.stat().st_size == 0 else f"is no image in one of the formats {', '.join(FORMATS)}"
        raise FrameError(f"{path} {what}", [frame_id]) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # Pillow's own limit
        raise FrameError(f"{path} is far too large for a face ({error})", [frame_id]) from error
    except (OSError, SyntaxError, ValueError) as error:
        size = path.stat().st_size if path.exists() else None
        reason = "is missing" if size is None else "is empty" if size == 0 else f"is damaged ({error})"
        raise FrameError(f"{path} {reason}", [frame_id]) from error


class _NoWhite(Exception):
    """Nothing says which value of an image is white."""


def _rgb(image: Image.Image) -> Image.Image:
    """An image in RGB, on black where it is transparent. Raises _NoWhite."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """(H, W), uint8, of a gray image with more bits. Values up to 255 are taken as they are: they are an image of 8 bits. Raises
    _NoWhite."""
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 255 and not (image.mode == "F" and 0 < high <= 1):
        return values.astype(np.uint8)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return (values >> 8).astype(np.uint8)
    raise _NoWhite(f"its gray values go from {low:g} to {high:g}, and nothing says which is white; save it with 8 bits")


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by EXIF's tag Orientation."""


def _turned(picture: Image.Image, source: Image.Image) -> Image.Image:
    """A picture turned as the EXIF of its source says."""
    turn = None
    with contextlib.suppress(Exception):  # EXIF that cannot be read says nothing
        turn = _TURNS.get(source.getexif().get(ExifTags.Base.Orientation, 1))
    return picture if turn is None else picture.transpose(turn)


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
        if special(path) or os.stat(path).st_size > 1024:  # noqa: PTH116
            return False
        return path.read_bytes().startswith(b"version https://git-lfs")
    except OSError:
        return False


def content_fingerprint(files: Iterable[tuple[str, Path]], extra: str = "", as_stored: bool = False) -> str:
    """A hash of the names and contents of files, in the given order, and of `extra`, such as labels. Kept by `remembered`. Images
    that `open_image` reads otherwise than Pillow converts them are marked: their pixels were others before it did.

    Args:
        as_stored: as of `open_image`.

    Raises:
        FrameError: a file cannot be read.
    """
    listed = list(files)

    def content() -> str:
        with ThreadPoolExecutor(usable_cores()) as pool:
            digests = pool.map(functools.partial(_bytes_digest, as_stored=as_stored), listed)
            return hashlib.sha256(b"".join(digests)).hexdigest()

    names = "\0".join(name for name, _ in listed)
    text = "\n".join([extra, names, remembered(f"content and how it is read, {as_stored}", listed, content)])
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
    if not stat.S_ISREG(status.st_mode):
        raise FrameError(f"{path} {'is a folder' if stat.S_ISDIR(status.st_mode) else SPECIAL}", [name])
    return f"{name} {os.path.abspath(path)} {status.st_ino} {status.st_size} {status.st_mtime_ns}"  # noqa: PTH100


def _bytes_digest(item: tuple[str, Path], as_stored: bool) -> bytes:
    name, path = item
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror or error}", [name]) from error
    return hashlib.sha256(content + (b"read otherwise" if _otherwise(content, as_stored) else b"")).digest()


def _otherwise(content: bytes, as_stored: bool) -> bool:
    """Whether `open_image` gives other pixels of an image than Pillow's plain conversion does."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            odd = image.mode in ("I", "F") or image.mode.startswith("I;16") or image.has_transparency_data
            turned = not as_stored and ("exif" in image.info or b"eXIf" in content)
            if not (odd or turned) or image.width * image.height > MAX_PIXELS:
                return False
            plain = image.convert("RGB")
            shown = _rgb(image) if odd else plain
            shown = shown if as_stored else _turned(shown, image)
            return shown.size != plain.size or shown.tobytes() != plain.tobytes()
    except Exception:  # it is no image, or damaged, which is said when it is read
        return False


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
