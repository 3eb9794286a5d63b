"""Functions for all datasets: checking the root folder, listing files, reading images, fingerprints of files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from ferbench import DatasetCard, FerbenchError, FrameError
from ferbench.errors import enumerate_first
from ferbench.files import cache_folder, replace_text

IMAGES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".tif", ".tiff"})
VIDEOS = frozenset({".avi", ".mp4", ".flv", ".mov", ".mkv", ".mpg"})

MAX_PIXELS = 64_000_000
"""Largest number of pixels of an image. Larger ones are not frames of these datasets, and decoding one could take all memory."""

MARKS: Mapping[str, str] = {
    "oulu": r"OriginalImg|PreProcess Img",
    "ckplus7c": r"cohn-kanade-images",
    "mmi": r"Sessions",
    "ravdess": r"(Video_(Speech|Song)_)?Actor_\d\d",
    "cremad": r"VideoFlash",
    "jaffe": r"[A-Z]{2}\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d+\.tiff?",
    "kdef": r"[AB][FM]\d\d",
    "rafd": r"Rafd\d{3}_\d\d_.*\.jpe?g",
    "bu3dfe": r"[FM]\d{4}",
    "rafdb": r"EmoLabel",
    "affectnet": r"Manually_Annotated_file_lists|train_set",
    "fer2013": r"(icml_face_data|fer2013)\.csv",
}
"""Regular expression, ignoring case, for the name of at least one file or folder in the root folder of a dataset."""


def marked(folder: Path, name: str) -> bool:
    """Whether a folder looks like the root folder of the dataset `name`."""
    pattern = re.compile(MARKS[name], re.IGNORECASE)
    try:
        with os.scandir(folder) as entries:
            return any(pattern.fullmatch(entry.name) for entry in entries)
    except OSError:
        return False


def find_root(root: str, card: DatasetCard, mark: str = "") -> Path:
    """The folder `dataset.root`, after a check that it looks like the root folder of the dataset.

    Args:
        root: value of `dataset.root`.
        card: card of the dataset.
        mark: key in MARKS, if it is not the card's name.

    Raises:
        FerbenchError: no folder is given, it is not a folder, it is one level too high or too low, or it looks like another
            dataset. The text says which.
    """
    mark = mark or card.name
    title = re.split("[:,]", card.title)[0]
    get = f"{title} can be had from {card.obtain}."
    if not root:
        raise FerbenchError(f"dataset={card.name} needs the folder of your copy: add dataset.root=/path/to/it. {get}")
    folder = Path(root).expanduser()
    try:
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            raise FerbenchError(f"dataset.root={folder} {what}. {get}")
        if marked(folder, mark):
            return folder
        below = [p for p in subfolders(folder) if marked(p, mark)]
    except OSError as error:  # a symbolic link loop, no permission
        raise FerbenchError(f"dataset.root={folder} cannot be opened: {error.strerror or error}.") from error
    if below:
        raise FerbenchError(f"{folder} is one level too high; write dataset.root={below[0]}.")
    for above in list(folder.absolute().parents)[:2]:
        if marked(above, mark):
            raise FerbenchError(f"{folder} is too low; write dataset.root={above}.")
    raise wrong_root(folder, f"entry called {MARKS[mark]}", get)


def wrong_root(folder: Path, looked_for: str, hint: str = "") -> FerbenchError:
    """The error for a wrong root folder. It says what is missing, what the folder contains, and which dataset it looks like."""
    from ferbench_labdata.cards import CARDS

    entries = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []
    text = f"{folder} holds no {looked_for}; it holds {enumerate_first(entries, 6) if entries else 'nothing'}."
    for name in MARKS:
        if marked(folder, name):
            return FerbenchError(f"{text} It looks like {re.split('[:,]', CARDS[name].title)[0]} (dataset={name}).")
    return FerbenchError(f"{text} {hint}".strip())


def subfolders(folder: Path) -> list[Path]:
    """The subfolders of a folder, including links to folders, sorted by name, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(Path(e.path) for e in entries if not e.name.startswith(".") and e.is_dir())


def child(folder: Path, name: str) -> Path | None:
    """The subfolder called `name`, ignoring case; None if there is none."""
    return next((p for p in subfolders(folder) if p.name.lower() == name.lower()), None)


def walk(folder: Path, suffixes: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """(path relative to `folder` with '/', file) of all files with one of the suffixes, sorted. Hidden files and folders and those
    of macOS archives are ignored; links to folders are followed.

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
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                if entry.is_dir():
                    yield from below(entry.path, f"{prefix}{entry.name}/", (*above, here))
                elif os.path.splitext(entry.name)[1].lower() in wanted:  # noqa: PTH122  (a tenth of pathlib's time)
                    yield prefix + entry.name, Path(entry.path)
        except OSError as error:
            raise FerbenchError(f"{current} cannot be read: {error.strerror or error}.") from error

    yield from below(str(folder), "", ())


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


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Read a text file. Raises FerbenchError if it cannot be read."""
    try:
        return path.read_text(encoding=encoding, errors="replace")
    except OSError as error:
        raise FerbenchError(f"{path} cannot be read: {error.strerror or error}.") from error


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
    return hashlib.sha256("\n".join([extra, names, remembered("content", listed, content)]).encode()).hexdigest()[:24]


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
    kept = cache_folder("") / "facts" / f"{hashlib.sha256(stamps.encode()).hexdigest()[:24]}.json"
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
