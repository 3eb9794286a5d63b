"""Small disks: file systems in memory that can be filled, made read-only and made larger. Mounting them needs root."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


class Disk:
    """A file system in memory at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remount(self, options: str) -> None:
        """Give it other options, such as "ro", "rw" or "size=64m"."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True, capture_output=True)

    def resize(self, kibibytes: int) -> None:
        """Give it this size."""
        self.remount(f"size={kibibytes}k")

    @property
    def used(self) -> int:
        """KiB that files take."""
        done = subprocess.run(["df", "-k", "--output=used", self.path], check=True, capture_output=True, text=True)
        return int(done.stdout.split()[1])


@contextlib.contextmanager
def mounted(path: Path, kibibytes: int) -> Iterator[Disk]:
    """A context with a disk at `path`. Raises OSError if it cannot be mounted."""
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "ferbench-test", str(path)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=False, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 256 KiB; the test is skipped where none can be mounted."""
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(mounted(tmp_path / "disk", 256))
        except OSError as error:
            pytest.skip(str(error))
        yield made
