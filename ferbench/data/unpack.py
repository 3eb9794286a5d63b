"""Unpacking of zip archives that strangers made: nothing is written outside of a folder, and no archive may fill the disk."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ferbench.errors import FerbenchError

EXPANSION = 200
"""How many times larger than an archive its content may be. Text compresses to a tenth, pictures and videos hardly at all."""

MOST = 1_000_000
"""How many members an archive may have."""

_LEFTOVERS = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})


def unpack(archive: Path, folder: Path) -> dict[str, int]:
    """Unpack a zip archive into a folder. Files that are there already with the same content stay.

    Returns:
        The size of each file by its path in the folder.

    Raises:
        FerbenchError: it is no zip archive, is damaged or encrypted, holds a link, a path that leads out of the folder or much more
            than its size, or a file of another content is in the folder already. What was unpacked before that stays.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir() and _LEFTOVERS.isdisjoint(m.filename.split("/"))]
            _check(archive, members)
            for member in members:
                target = folder / _path(archive, member)
                if not target.parent.resolve().is_relative_to(folder.resolve()):
                    raise FerbenchError(f"{target.parent} is a link that leads out of {folder}; remove the link.")
                _one(opened, member, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FerbenchError(f"{archive.name} cannot be unpacked: {str(error) or 'it is damaged'}.") from error
    except OSError as error:
        raise FerbenchError(
            f"{archive.name} cannot be unpacked in {folder}: {error.strerror or error}. The same command unpacks it again."
        ) from error
    return {_path(archive, member).as_posix(): member.file_size for member in members}


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        _path(archive, member)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise _refused(archive, f"'{member.filename}' in it is a link or a device")
        if member.flag_bits & 1:
            raise FerbenchError(f"{archive.name} is encrypted; unpack it yourself with the password of its owner.")
    size, content = archive.stat().st_size, sum(member.file_size for member in members)
    if content > EXPANSION * size or len(members) > MOST:
        raise _refused(archive, f"its {len(members)} files would have {content} bytes, and it has {size}")


def _path(archive: Path, member: zipfile.ZipInfo) -> PurePosixPath:
    """The path of a member in the folder. Raises FerbenchError where it leads out of it."""
    name = member.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise _refused(archive, f"'{name}' in it leads out of the folder")
    return path


def _refused(archive: Path, why: str) -> FerbenchError:
    return FerbenchError(f"{archive.name} is not unpacked: {why}. No archive of a dataset looks like that.")


def _one(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one member under another name first, so that a file that is there is whole."""
    if target.exists():
        if target.is_file() and target.stat().st_size == member.file_size and _crc(target) == member.CRC:
            return
        raise FerbenchError(
            f"{target} is there already and is not the file of that name in the archive. Name an empty folder with --to, or move "
            "it away."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.part")
    try:
        with opened.open(member) as source, draft.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _crc(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            value = zlib.crc32(chunk, value)
    return value
