"""Ways in which a file gets damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path, place: int | None = None) -> None:
    """One bit of the byte in the middle, or at `place`."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if place is None else place] ^= 1
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def deleted(path: Path) -> None:
    path.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {
    damage.__name__: damage for damage in (truncated, flipped, emptied, deleted)
}
