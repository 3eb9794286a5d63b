"""The folder of a download: which files of a record are in it, and how the others get there.

A file is received as NAME.part. When it is whole and verified, a zip archive is unpacked and removed, so that the disk holds its
content once; another file gets its name. `.ferbench-download.json` notes what came of each.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ferbench.data.download import Progress, RemoteFile, Tell, checksum_of, download, size_of
from ferbench.data.unpack import unpack
from ferbench.errors import FerbenchError
from ferbench.files import cache_folder, replace_text
from ferbench.hashing import digest
from ferbench.records.lease import Held, lease

NOTES = ".ferbench-download.json"


class Collection:
    """The folder `path`, which need not exist. One process at a time adds to it, see `alone`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._notes: dict[str, Mapping[str, object]] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads((path / NOTES).read_text(encoding="utf-8"))
            if isinstance(known, dict):
                self._notes = {name: note for name, note in known.items() if isinstance(note, dict)}

    def has(self, file: RemoteFile) -> bool:
        """Whether a file was verified, and all that came of it is there."""
        note = self._notes.get(file.name, {})
        made = note.get("files")
        if note.get("checksum") != file.checksum or not isinstance(made, dict):
            return False
        return all(size_of(self.path / name) == size and (self.path / name).is_file() for name, size in made.items())

    def needed(self, files: Sequence[RemoteFile]) -> int:
        """About how many bytes of the disk it takes to add missing files. Archives of pictures and videos are as large as their
        content."""
        archives = [file.size for file in files if _is_archive(file)]
        return sum(file.size - self.here(file) for file in files) + max(archives, default=0)

    def here(self, file: RemoteFile) -> int:
        """How many bytes of a file are received and not verified yet."""
        return min(size_of(self._part(file)), file.size)

    @property
    def free(self) -> int:
        """Free bytes of the disk that holds the folder, or will hold it."""
        there = next(p for p in (self.path.absolute(), *self.path.absolute().parents) if p.exists())
        return shutil.disk_usage(there).free

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A context in which no other process adds to the folder. It makes the folder.

        Raises:
            FerbenchError: another process does, or the folder cannot be made.
        """
        locks = cache_folder("") / "downloads"
        try:
            for folder in (self.path, locks):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FerbenchError(f"{error.filename} cannot be made: {error.strerror or error}.") from error
        try:
            with lease(locks / f"{digest(str(self.path.resolve()))}.lease", None):
                yield
        except Held as held:
            raise FerbenchError(
                f"Another process downloads to {self.path} ({str(held).partition(' holds ')[0]}); wait for it, or name another "
                "folder with --to."
            ) from held

    def add(
        self,
        file: RemoteFile,
        page: str,
        progress: Progress = lambda done: None,
        tell: Tell = lambda sentence: None,
    ) -> int:
        """Download, verify and unpack a file. One of that name and content that is there already is used.

        Returns:
            How many files came of it.

        Raises:
            FerbenchError: it cannot be had, or another file has its name.
        """
        own, part = self.path / file.name, self._part(file)
        there = own.is_file() and size_of(own) == file.size and checksum_of(own, file.checksum) == file.checksum
        if not there:
            if own.exists() and not _is_archive(file):
                raise FerbenchError(
                    f"{own} is there already and is not the file of {page}. Name an empty folder with --to, or move it away."
                )
            download(file, part, page, progress, tell)
        made = {file.name: file.size}
        if _is_archive(file):
            made = unpack(own if there else part, self.path)
            part.unlink(missing_ok=True)
        elif not there:
            part.replace(own)
        self._notes[file.name] = {"checksum": file.checksum, "files": made}
        replace_text(self.path / NOTES, json.dumps(self._notes, indent=1) + "\n")
        return len(made)

    def _part(self, file: RemoteFile) -> Path:
        return self.path / f"{file.name}.part"


def _is_archive(file: RemoteFile) -> bool:
    return file.name.lower().endswith(".zip")
