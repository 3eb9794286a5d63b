"""The folder that a site is written to."""

from __future__ import annotations

import contextlib
from pathlib import Path, PurePosixPath
from types import TracebackType

from ferbench.files import replace_text

MANIFEST = ".ferbench-site"
"""The files of the site, one a line."""


class Folder:
    """A context. At its end, files of an earlier site that this one does not have are removed; all others in the folder stay."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: set[str] = set()

    def __enter__(self) -> Folder:
        self.root.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        for name in self._earlier() - self.files:
            path = self.root / name
            if path.resolve().is_relative_to(self.root.resolve()):
                with contextlib.suppress(OSError):
                    path.unlink()
        replace_text(self.root / MANIFEST, "".join(f"{name}\n" for name in sorted(self.files)))

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file by its name in the folder, such as "methods/degan.html". Raises OSError if it cannot be written."""
        path = self.own(name)
        if isinstance(content, str):
            replace_text(path, content)
        else:
            path.write_bytes(content)

    def own(self, name: str) -> Path:
        """The path of a file that belongs to the site, in a folder that exists."""
        self.files.add(name)
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _earlier(self) -> set[str]:
        try:
            names = (self.root / MANIFEST).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return set()
        return {
            name for name in names if not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        }
