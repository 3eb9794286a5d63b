"""Reading a submission's zip file, which a stranger made: no member is unpacked that a submission does not have, and no archive
fills the memory, whatever its directory states."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from pathlib import Path

from ferbench.errors import FerbenchError, printable
from ferbench.records import files

TRIAL = re.compile(r"[0-9a-f]{16}")

LARGEST = 2**31
"""Bytes of a submission, packed and unpacked."""

DIRECTORY = 2**24
"""Bytes of the archive's list of members: enough for some ten thousand records."""

CHUNK = 2**20


def contents(path: Path) -> dict[str, dict[str, bytes]]:
    """The files of each record in a submission, by trial and name.

    Raises:
        FerbenchError: the file is no zip archive, is damaged or encrypted, is too large or unpacks to too much, or holds something
            that no submission has: other names, the same name twice, a link or a device.
    """
    found: dict[str, dict[str, bytes]] = {}
    left = LARGEST
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise FerbenchError(f"{path} is no file of at most {LARGEST >> 20} MiB; it is refused.")
        with _Source(path) as source, zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                trial, name = _place(path, member, found)
                data = _unpacked(archive, member, left)
                if data is None:
                    raise FerbenchError(f"{path} unpacks to more than {LARGEST >> 20} MiB; it is refused.")
                found.setdefault(trial, {})[name] = data
                left -= len(data)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise FerbenchError(f"{path} cannot be read as a submission: {printable(str(error))}.") from error
    if not found:
        raise FerbenchError(f"{path} holds no record.")
    return found


class _Source(io.FileIO):
    """The archive. The module zipfile reads the list of members in one piece, of the size that the archive states."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > DIRECTORY:
            raise FerbenchError(
                f"{self.name} has a list of members of more than {DIRECTORY >> 20} MiB, which no submission has; it is refused."
            )
        return super().read(size) or b""


def _place(path: Path, member: zipfile.ZipInfo, found: dict[str, dict[str, bytes]]) -> tuple[str, str]:
    """The trial and the name of a member."""
    trial, _, name = member.filename.partition("/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if not TRIAL.fullmatch(trial) or not files.packed(name) or kind not in (0, stat.S_IFREG):
        shown = printable(member.filename[:200])
        raise FerbenchError(f"{path} holds '{shown}', which no submission has; it is refused.")
    if name in found.get(trial, {}):
        raise FerbenchError(f"{path} holds '{member.filename}' twice; it is refused.")
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FerbenchError(f"{path} is encrypted, or packed in a way that 'submit pack' does not use; it is refused.")
    return trial, name


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> bytes | None:
    """The content of a member, counted while it is unpacked; None if it has more than `left` bytes."""
    data = bytearray()
    with archive.open(member) as source:
        while chunk := source.read(CHUNK):
            data += chunk
            if len(data) > left:
                return None
    return bytes(data)
