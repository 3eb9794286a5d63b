"""Drafts that processes left in a results folder which died while they wrote."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ferbench.owner import is_draft, mark, writer_runs

FOLDER = ".drafts"
"""Folder of drafts. Others lie beside the file or folder that they become, with a hidden name."""

ABANDONED = 24 * 3600.0
"""Seconds without a change after which a draft of a process elsewhere counts as left behind: it cannot be seen whether it runs."""


def left_behind(root: Path) -> Iterator[Path]:
    """The drafts in a results folder, and in the folders directly in it, that no process will complete."""
    now = _now(root)
    folders = [root, *(path for path in _paths(root) if path.name.startswith(".") and path.is_dir())]
    for folder in folders:
        for path in _paths(folder):
            if folder.name != FOLDER and not (path.name.startswith(".") and is_draft(path.name)):
                continue
            runs = writer_runs(path.name)
            if runs is False or (runs is None and now - _changed(path) > ABANDONED):
                yield path


def clean(root: Path) -> None:
    """Remove them. What cannot be removed stays."""
    for path in left_behind(root):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file or folder. What cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _paths(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries)
    except OSError:
        return []


def _changed(path: Path) -> float:
    """When a file, or a folder or a file in it, was changed last; the present for one that is gone."""
    try:
        return max(each.lstat().st_mtime for each in (path, *_paths(path)))
    except OSError:
        return float("inf")


def _now(root: Path) -> float:
    """The present time by the clock of the file system; the time of the folder where it cannot be written."""
    probe = root / FOLDER / f"now-{mark()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return _changed(root)
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
