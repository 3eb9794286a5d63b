"""What the functions of the Python API take as one or several."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ferbench.errors import FerbenchError

Texts = str | Path | Iterable[str | Path]
"""One name or path, or several."""


def several(name: str, given: Texts) -> list[str]:
    """The names or paths of an argument, as texts.

    Args:
        name: of the argument.

    Raises:
        FerbenchError: it is neither a text, nor a path, nor several of them.
    """
    found = [given] if isinstance(given, str | os.PathLike) else given
    listed = list(found) if isinstance(found, Iterable) else [found]
    if wrong := [one for one in listed if not isinstance(one, str | os.PathLike)]:
        raise FerbenchError(
            f"{name} has {wrong[0]!r}, of type {type(wrong[0]).__name__}; it is a text, or a list of texts."
        )
    return [str(one) for one in listed]
