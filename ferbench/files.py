"""Atomic writing of files and folders, and the place of the cache."""

from __future__ import annotations

import os
from pathlib import Path

from ferbench.owner import mark


def publish(draft: Path, target: Path, replaced: Path | None = None) -> None:
    """Write a folder atomically: flush `draft` to disk and rename it to `target`, which must be on the same file system.

    Where `target` exists already, because another process was faster, it stays as it is and `draft` is not moved.

    Args:
        replaced: the name that an existing `target` gets, instead of staying; it gets its old name back if an error occurs.

    Raises:
        OSError: the folder cannot be flushed or renamed.
    """
    for path in draft.iterdir():
        if path.is_file():
            _sync(path)
    _sync(draft)
    if replaced is not None and target.is_dir():
        move(target, replaced)
    try:
        move(draft, target)
    except OSError:
        if replaced is not None and replaced.is_dir() and not target.exists():
            move(replaced, target)
            raise
        if not target.is_dir():
            raise
        return
    _sync(target.parent)


def move(path: Path, target: Path) -> None:
    """Rename a file or folder. Raises OSError if it has not got the new name.

    A network file system may send a request twice and answer the second time that there is no such file; that is no error.
    """
    try:
        path.rename(target)
    except FileNotFoundError:
        if path.exists() or not target.exists():
            raise


def draft_of(path: Path) -> Path:
    """A hidden name beside `path` for its draft. It says which process writes it, see ferbench.owner."""
    return path.with_name(f".{path.name}-{mark()}")


def replace_text(path: Path, text: str) -> None:
    """Write a text file atomically: readers see the old content or the new content, never a part of either.

    Raises:
        OSError: the file cannot be written.
    """
    draft = draft_of(path)
    try:
        draft.write_text(text, encoding="utf-8")
        _sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cache_folder(setting: str) -> Path:
    """The folder for prepared images and facts about files; it need not exist.

    Args:
        setting: the value of `cache_dir`. If it is empty, the environment variable FERBENCH_CACHE counts, and without that
            $XDG_CACHE_HOME/ferbench or ~/.cache/ferbench.
    """
    if setting or os.environ.get("FERBENCH_CACHE"):
        return Path(setting or os.environ["FERBENCH_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ferbench"
